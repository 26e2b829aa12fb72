"""Photo -> faces -> crops of a stated geometry.

A finder is any function ``photo -> faces``. Today's, `whole_photo`, takes the photo as one face;
one that looks for faces replaces it here, and nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from facegender.errors import BundleError
from facegender.photo import Photo

KINDS: Final = ("photo",)
"""Known kinds. `photo`: the largest centred part of the photo with the crop's aspect."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a photo, in pixels of the upright photo.

    Attributes:
        box: (x, y, width, height) of the face.
        landmarks: points (x, y) the finder gave, or None.
        score: the finder's confidence, 0 to 1, or None where nothing was looked for.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...] | None = None
    score: float | None = None

    def scaled(self, across: float, down: float) -> Face:
        """Return the same face in a photo that is `across` times as wide, `down` times as high."""
        x, y, width, height = self.box
        points = self.landmarks
        return Face(
            (x * across, y * down, width * across, height * down),
            None if points is None else tuple((px * across, py * down) for px, py in points),
            self.score,
        )


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a face becomes a crop: part of every model, the same at training and prediction.

    Attributes:
        kind: one of `KINDS`.
        width: crop width in pixels.
        height: crop height in pixels.
    """

    kind: str
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a crop as an array: (height, width, 3)."""
        return (self.height, self.width, 3)

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in bundles."""
        return {"kind": self.kind, "size": f"{self.width}x{self.height}"}

    @classmethod
    def from_json(cls, stored: object) -> Geometry:
        """Read the form that `to_json` wrote.

        Raises:
            BundleError: an unknown kind or a malformed size.
        """
        if not isinstance(stored, dict) or stored.get("kind") not in KINDS:
            raise BundleError(
                f"unknown crop geometry: {stored!r}", "Update facegender, or train the model again."
            )
        width, _, height = str(stored.get("size")).partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            raise BundleError(
                f"malformed crop size: {stored.get('size')!r}", "Expected WIDTHxHEIGHT."
            )
        return cls(stored["kind"], int(width), int(height))


Finder = Callable[[Photo], list[Face]]
"""Looks for faces in a photo and returns them, largest first; an empty list means no face."""


def whole_photo(photo: Photo) -> list[Face]:
    """Take the whole photo as one face."""
    height, width = photo.shape[:2]
    return [Face((0.0, 0.0, float(width), float(height)))]


def crop_face(photo: Photo, face: Face, geometry: Geometry) -> Photo:
    """Cut a face out of a photo.

    The one function that crops, for `train`, `eval` and `predict` alike. Scaling down averages
    over all source pixels (Pillow's antialiased bilinear), so that large photos do not alias.

    Args:
        photo: uint8 (height, width, 3).
        face: a face of that photo.
        geometry: the crop wanted.

    Returns:
        uint8 array of `geometry.shape`.
    """
    x, y, width, height = face.box
    scale = min(width / geometry.width, height / geometry.height)
    dx = max(0.0, (width - scale * geometry.width) / 2)  # rounding may fall a hair below zero
    dy = max(0.0, (height - scale * geometry.height) / 2)
    box = (x + dx, y + dy, x + width - dx, y + height - dy)
    size = (geometry.width, geometry.height)
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, box=box))
