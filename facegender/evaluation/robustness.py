"""The same faces, cropped differently or degraded, for `eval --stress`."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from facegender.choices import Condition, CropKind
from facegender.errors import PhotoError
from facegender.faces.detection import Detector
from facegender.faces.extraction import Source, find_faces
from facegender.faces.geometry import Face, Geometry, crop_face
from facegender.images.decode import Photo, decode_photo, read_bytes

WIDE: Final = 1.6
"""Size of the picture that other crops are cut from, relative to the crop."""
FINE: Final = 2
"""Resolution of that picture, relative to the crop."""

Change = Callable[[Image.Image, Image.Image], Image.Image]
"""(the crop, the wide and fine picture around it) -> the crop under a condition."""


@dataclass(frozen=True, slots=True)
class DegradedCondition:
    """A condition and what it does to a crop."""

    name: Condition
    change: Change

    @property
    def what(self) -> str:
        """What it is, for people."""
        return self.name.meaning


def _recut(*, zoom: float = 1.0, shift: float = 0.0, turn: float = 0.0) -> Change:
    """Crop the wide picture: `zoom` times as wide, shifted right and down, rotated in degrees."""

    def change(crop: Image.Image, wide: Image.Image) -> Image.Image:
        width, height = crop.width * FINE, crop.height * FINE
        cos, sin = zoom * math.cos(math.radians(turn)), zoom * math.sin(math.radians(turn))
        middle_x = wide.width / 2 + shift * width
        middle_y = wide.height / 2 + shift * height
        left = middle_x - cos * width / 2 + sin * height / 2
        top = middle_y - sin * width / 2 - cos * height / 2
        data = (cos, -sin, left, sin, cos, top)
        cut = wide.transform(
            (width, height), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC
        )
        return cut.resize(crop.size, Image.Resampling.BOX)

    return change


def _small(crop: Image.Image, _wide: Image.Image) -> Image.Image:
    small = crop.resize((20, max(1, round(20 * crop.height / crop.width))))
    return small.resize(crop.size, Image.Resampling.BICUBIC)


def _blurred(crop: Image.Image, _wide: Image.Image) -> Image.Image:
    return crop.filter(ImageFilter.GaussianBlur(crop.width / 32))


def _dark(crop: Image.Image, _wide: Image.Image) -> Image.Image:
    return crop.point(lambda value: value * 0.25)


def _jpeg(crop: Image.Image, _wide: Image.Image) -> Image.Image:
    data = io.BytesIO()
    crop.save(data, "JPEG", quality=20)
    return Image.fromarray(decode_photo(data.getvalue()).pixels)


def _grey(crop: Image.Image, _wide: Image.Image) -> Image.Image:
    return crop.convert("L").convert("RGB")


def _covered(top: float, bottom: float, colour: tuple[int, int, int]) -> Change:
    def change(crop: Image.Image, _wide: Image.Image) -> Image.Image:
        covered = crop.copy()
        left, right = round(0.14 * crop.width), round(0.86 * crop.width)
        covered.paste(colour, (left, round(top * crop.height), right, round(bottom * crop.height)))
        return covered

    return change


CONDITIONS: Final = tuple(
    DegradedCondition(name, change)
    for name, change in {
        Condition.TIGHTER: _recut(zoom=1 / 1.2),
        Condition.WIDER: _recut(zoom=1.4 / 1.2),
        Condition.SHIFTED: _recut(shift=0.1),
        Condition.TURNED: _recut(turn=15),
        Condition.SMALL: _small,
        Condition.BLURRED: _blurred,
        Condition.DARK: _dark,
        Condition.JPEG: _jpeg,
        Condition.GREY: _grey,
        Condition.MOUTH: _covered(0.55, 0.95, (150, 190, 215)),
        Condition.EYES: _covered(0.32, 0.5, (0, 0, 0)),
    }.items()
)
"""Mask and bar cover the mouth and the eyes of `box` crops."""


def degraded_crops(source: Source, geometry: Geometry, detector: Detector) -> Photo | None:
    """Return the crop of the largest face under every condition.

    Args:
        source: a path, a file's bytes or an upright RGB array.
        geometry: of the crop.
        detector: see `faces.detection.Detector`.

    Returns:
        uint8 (conditions, height, width, 3) in the order of `CONDITIONS`; None without a face.
    """
    found = find_faces(source, geometry, detector)
    if not found.faces or isinstance(source, PhotoError):
        return None
    if not isinstance(source, np.ndarray):
        data = source if isinstance(source, bytes) else read_bytes(source)
        source = decode_photo(data).pixels
    crop = Image.fromarray(found.crops[0])
    wide = Image.fromarray(wide_crop(source, found.faces[0], geometry))
    return np.stack([np.asarray(condition.change(crop, wide)) for condition in CONDITIONS])


def wide_crop(photo: Photo, face: Face, geometry: Geometry) -> Photo:
    """Return the crop extended to `WIDE` times its sides, at `FINE` times the resolution."""
    wide = replace(
        geometry,
        width=round(geometry.width * WIDE * FINE),
        height=round(geometry.height * WIDE * FINE),
        margin=(1 + geometry.margin) * WIDE - 1,
        eyes=(_nearer(geometry.eyes[0]), _nearer(geometry.eyes[1])),
    )
    if geometry.kind == CropKind.PHOTO or face.score is None:
        x, y, width, height = face.box
        dx, dy = width * (WIDE - 1) / 2, height * (WIDE - 1) / 2
        face = replace(face, box=(x - dx, y - dy, width * WIDE, height * WIDE))
    return crop_face(photo, face, wide)


def _nearer(place: tuple[float, float]) -> tuple[float, float]:
    """Map a position in the crop, in shares of its sides, to the wide picture."""
    return 0.5 + (place[0] - 0.5) / WIDE, 0.5 + (place[1] - 0.5) / WIDE
