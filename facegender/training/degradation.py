"""Degrading training crops: blur, low resolution, JPEG compression and low light.

`eval --stress` found the network weakest under these conditions (see `robustness.CONDITIONS`).
Wang et al., "Real-ESRGAN", 2021, degrade training photos by the same four steps.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from facegender.faces.crop_cache import Crops
from facegender.images.decode import Photo, decode_photo

SOFT: Final = 0.3
"""Share of crops that are blurred, or downscaled and enlarged again."""
BLUR: Final = 0.045
"""Maximum standard deviation of the blur, as a share of the crop's side."""
REDUCTION: Final = 6.0
"""Maximum factor by which a crop is downscaled."""
PACKED: Final = 0.2
"""Share of crops that are compressed as JPEG."""
QUALITIES: Final = (10, 60)
"""Minimum and maximum JPEG quality, 1 to 95."""
DIM: Final = 0.12
"""Share of crops that are darkened."""
LIGHT: Final = (0.15, 0.6)
"""Minimum and maximum factor of their brightness."""

_FILTERS: Final = (
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.BOX,
)


def degrade(crops: Crops, random: np.random.Generator) -> Crops:
    """Degrade some crops.

    Args:
        crops: uint8 (number, height, width, 3); not changed.
        random: selects crops and degradations; equal generators give equal crops.

    Returns:
        uint8 of the same shape.
    """
    draws = random.random((len(crops), 8))
    worse = np.flatnonzero((draws[:, 0] < DIM) | (draws[:, 2] < SOFT) | (draws[:, 6] < PACKED))
    result = crops.copy()
    for i in worse:
        result[i] = _degrade(crops[i], draws[i])
    return result


def _degrade(crop: Photo, draw: np.ndarray) -> Photo:
    """Darken, then blur, then compress: the order in which real photos are degraded."""
    picture = Image.fromarray(crop)
    if draw[0] < DIM:
        share = _between(LIGHT, draw[1])
        picture = picture.point(lambda value: value * share)
    if draw[2] < SOFT:
        picture = _soften(picture, draw[3:6])
    if draw[6] < PACKED:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=round(_between(QUALITIES, draw[7])))
        return decode_photo(data.getvalue()).pixels
    return np.asarray(picture)


def _soften(picture: Image.Image, draw: np.ndarray) -> Image.Image:
    if draw[0] < 0.5:
        return picture.filter(ImageFilter.GaussianBlur(float(draw[1]) * BLUR * picture.width))
    factor = _between((1.0, REDUCTION), draw[1])
    small = (max(1, round(picture.width / factor)), max(1, round(picture.height / factor)))
    way_down = _FILTERS[int(draw[2] * len(_FILTERS))]
    return picture.resize(small, way_down).resize(picture.size, Image.Resampling.BICUBIC)


def _between(bounds: tuple[float, float], share: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * float(share)
