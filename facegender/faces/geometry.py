"""Faces, and how they are cropped."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
from PIL import Image

from facegender.choices import CropKind
from facegender.errors import BundleError, UsageError
from facegender.images.decode import Photo

MARGIN: Final = 0.2
"""Default margin of `box`: the square's side is 1.2 times the mean side of the box."""
EYES: Final = ((0.31, 0.41), (0.69, 0.41))
"""Default positions of `eyes`: left and right eye, as shares of the crop."""
MIN_EYE_DISTANCE: Final = 0.38
"""Eyes closer than this share of the box belong to a profile: the box then gives the scale."""
MEAN_EYES: Final = ((0.26, 0.37), (0.71, 0.37))
"""Positions of the eyes in a box without landmarks (median of 1,250 FairFace photos)."""
LEVEL_FROM: Final = 15.0
"""Crops of kind `box` of faces that are turned further than this are levelled, in degrees.
Training varies crops by up to 20 degrees, so that smaller tilts do no harm."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a photo, in pixels of the upright photo.

    Attributes:
        box: (x, y, width, height) of the face.
        landmarks: points (x, y) the detector gave, or None.
        score: the detector's confidence, 0 to 1, or None without detection: the photo is
            then taken as one face.
        roll: degrees by which the face is turned clockwise in the photo, above -180 up to 180: 0
            is upright, at 90 the top of the head points to the right. Within about 15 degrees of
            upright it is an estimate by the landmarks. None if unknown.
        orientation_unclear: whether the detector cannot tell which side is up; predictions for
            such a face are always uncertain.
        within: (width, height) of the photo that it was found in, or None if unknown.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...] | None = None
    score: float | None = None
    roll: float | None = None
    orientation_unclear: bool = False
    within: tuple[int, int] | None = field(default=None, compare=False)

    @property
    def visible_box(self) -> tuple[float, float, float, float]:
        """The part of the box that lies in the photo: a face at the edge has a box beyond it."""
        x, y, width, height = self.box
        across, down = self.within or (math.inf, math.inf)
        left, top = min(max(x, 0.0), across), min(max(y, 0.0), down)
        right, bottom = min(max(x + width, left), across), min(max(y + height, top), down)
        return left, top, right - left, bottom - top

    @property
    def confidence(self) -> float:
        """The score, 1 without detection."""
        return 1.0 if self.score is None else self.score

    def scaled(self, across: float, down: float) -> Face:
        """Return the same face in a photo that is `across` times as wide, `down` times as high."""
        x, y, width, height = self.box
        points = self.landmarks
        return replace(
            self,
            box=(x * across, y * down, width * across, height * down),
            landmarks=points and tuple((px * across, py * down) for px, py in points),
        )

    def moved(self, right: float, down: float) -> Face:
        """Return the same face further right and down, in pixels."""
        x, y, width, height = self.box
        points = self.landmarks
        return replace(
            self,
            box=(x + right, y + down, width, height),
            landmarks=points and tuple((px + right, py + down) for px, py in points),
        )


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a face is cropped: stored in every model, the same for training and prediction.

    Attributes:
        kind: one of `choices.CropKind`. `photo`: the largest centred part of the photo with the
            crop's aspect. `box`: a square around the detector's box with a margin (cut to the
            crop's aspect). `eyes`: rotated, scaled and shifted so that the eyes are at `eyes`.
        width: crop width in pixels.
        height: crop height in pixels.
        margin: for kind `box`: enlargement of the square, as a share of the box's side.
        eyes: for kind `eyes`: (x, y) of the left and right eye, as shares of the crop.
    """

    kind: str
    width: int
    height: int
    margin: float = MARGIN
    eyes: tuple[tuple[float, float], tuple[float, float]] = EYES

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a crop as an array: (height, width, 3)."""
        return (self.height, self.width, 3)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return (self.width, self.height)

    @property
    def finds(self) -> bool:
        """Whether faces must be detected before cropping."""
        return self.kind != CropKind.PHOTO

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in bundles."""
        stored: dict[str, Any] = {"kind": self.kind, "size": f"{self.width}x{self.height}"}
        if self.kind == CropKind.BOX:
            stored["margin"] = self.margin
        if self.kind == CropKind.EYES:
            stored["eyes"] = [list(eye) for eye in self.eyes]
        return stored

    @classmethod
    def from_json(cls, stored: object) -> Geometry:
        """Read the form that `to_json` wrote.

        Raises:
            BundleError: an unknown kind, a malformed size, margin or place.
        """
        if not isinstance(stored, dict) or stored.get("kind") not in list(CropKind):
            raise BundleError(
                f"unknown crop geometry: {stored!r}", "Update facegender, or train the model again."
            )
        try:
            width, height = parse_size(str(stored.get("size")))
        except UsageError as error:
            raise BundleError(f"malformed crop size: {stored.get('size')!r}", error.hint) from None
        try:
            left, right = stored.get("eyes", EYES)
            eyes = ((float(left[0]), float(left[1])), (float(right[0]), float(right[1])))
            margin = float(stored.get("margin", MARGIN))
        except (TypeError, ValueError, IndexError) as error:
            raise BundleError(f"malformed crop geometry: {stored!r}", "") from error
        if not (-0.5 < margin < 5 and 0 <= eyes[0][0] < eyes[1][0] <= 1):
            raise BundleError(f"impossible crop geometry: {stored!r}", "")
        return cls(stored["kind"], width, height, margin, eyes)


def parse_size(text: str) -> tuple[int, int]:
    """Read a size such as 141x165 as (width, height).

    Raises:
        UsageError: it is malformed, or not between 16 and 1024 pixels.
    """
    width, _, height = text.partition("x")
    digits = width.isascii() and height.isascii() and width.isdecimal() and height.isdecimal()
    if not digits or not all(16 <= int(side[:5]) <= 1024 for side in (width, height)):
        raise UsageError(
            f"malformed size: {text!r}", "Expected WIDTHxHEIGHT of 16 to 1024 pixels, as 141x165."
        )
    return int(width), int(height)


def crop_face(photo: Photo, face: Face, geometry: Geometry) -> Photo:
    """Crop a face.

    `prepare`, `train`, `eval` and `predict` all use this function. Beyond the border of the photo
    its border pixels are repeated.

    Args:
        photo: uint8 (height, width, 3).
        face: a face of that photo; one without detection (score None) is cropped as by `photo`.
        geometry: of the crop.

    Returns:
        uint8 array of `geometry.shape`.
    """
    if geometry.kind == CropKind.PHOTO or face.score is None:
        return cut_out(photo, _centred(face.box, geometry), geometry.size)
    if geometry.kind == CropKind.EYES:
        return _aligned(photo, face, geometry)
    square = _square(face.box, geometry)
    if face.roll is None or abs(face.roll) <= LEVEL_FROM:
        return cut_out(photo, square, geometry.size)
    x, y, width, height = square
    middle = (x + width / 2, y + height / 2)
    return cut_turned(photo, middle, width / geometry.width, face.roll, geometry.size)


def cut_out(
    photo: Photo,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    *,
    fill: Literal["edge", "constant"] = "edge",
) -> Photo:
    """Resample a box (x, y, width, height), which may reach beyond the photo, to (width, height).

    Scaling down averages over all source pixels (Pillow's antialiased bilinear), so that large
    photos do not alias.

    Args:
        photo: uint8 (height, width, 3).
        box: in pixels of the photo.
        size: of the result.
        fill: repeat the photo's border, or black.
    """
    x, y, width, height = box
    left, top = math.floor(x), math.floor(y)
    right, bottom = math.ceil(x + width), math.ceil(y + height)
    rows, columns = photo.shape[:2]
    # At least one row and column must be inside, for the border to repeat.
    inner_left, inner_top = min(max(left, 0), columns - 1), min(max(top, 0), rows - 1)
    inner_right, inner_bottom = max(min(right, columns), 1), max(min(bottom, rows), 1)
    part = photo[inner_top:inner_bottom, inner_left:inner_right]
    beyond = (
        (max(0, -top), max(0, bottom - rows)),
        (max(0, -left), max(0, right - columns)),
        (0, 0),
    )
    if any(map(any, beyond)):
        part = np.pad(part, beyond, mode=fill)
    source = (x - left, y - top, min(x - left + width, part.shape[1]), y - top + height)
    source = (*source[:3], min(source[3], part.shape[0]))  # may exceed the border by rounding
    image = Image.fromarray(np.ascontiguousarray(part))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=source))


def cut_turned(
    photo: Photo,
    middle: tuple[float, float],
    scale: float,
    roll: float,
    size: tuple[int, int],
    *,
    fill: Literal["edge", "constant"] = "edge",
) -> Photo:
    """Resample a turned rectangle, so that what is turned by `roll` in the photo is upright.

    Args:
        photo: uint8 (height, width, 3).
        middle: of the rectangle, in pixels of the photo.
        scale: pixels of the photo per pixel of the result.
        roll: degrees clockwise.
        size: (width, height) of the result.
        fill: as of `cut_out`.
    """
    width, height = size
    angle = math.radians(roll)
    cos, sin = math.cos(angle), math.sin(angle)
    # First cut an upright square around the rotated rectangle, then rotate it.
    side = math.ceil(math.hypot(width, height)) + 2
    left, top = middle[0] - scale * side / 2, middle[1] - scale * side / 2
    square = cut_out(photo, (left, top, scale * side, scale * side), (side, side), fill=fill)
    turn = (
        *(cos, -sin, side / 2 - cos * width / 2 + sin * height / 2),
        *(sin, cos, side / 2 - sin * width / 2 - cos * height / 2),
    )
    image = Image.fromarray(square)
    turned = image.transform(size, Image.Transform.AFFINE, turn, Image.Resampling.BICUBIC)
    return np.asarray(turned)


def _centred(
    box: tuple[float, float, float, float], geometry: Geometry
) -> tuple[float, float, float, float]:
    """The largest centred part of a box with the crop's aspect."""
    x, y, width, height = box
    scale = min(width / geometry.width, height / geometry.height)
    dx = max(0.0, (width - scale * geometry.width) / 2)  # may be slightly negative by rounding
    dy = max(0.0, (height - scale * geometry.height) / 2)
    return x + dx, y + dy, width - 2 * dx, height - 2 * dy


def _square(
    box: tuple[float, float, float, float], geometry: Geometry
) -> tuple[float, float, float, float]:
    """The square around a box, its narrower side cut to the crop's aspect."""
    x, y, width, height = box
    scale = (1 + geometry.margin) * (width + height) / 2 / max(geometry.size)
    across, down = scale * geometry.width, scale * geometry.height
    return x + (width - across) / 2, y + (height - down) / 2, across, down


def _aligned(photo: Photo, face: Face, geometry: Geometry) -> Photo:
    """Turn, scale and move the photo so that the eyes come to lie at the geometry's places."""
    x, y, width, height = face.box
    points = face.landmarks or tuple((x + u * width, y + v * height) for u, v in MEAN_EYES)
    (x1, y1), (x2, y2) = _left_and_right(points[:2], face.roll or 0.0)
    (u1, v1), (u2, v2) = ((u * geometry.width, v * geometry.height) for u, v in geometry.eyes)
    distance = max(math.hypot(x2 - x1, y2 - y1), MIN_EYE_DISTANCE * (width + height) / 2)
    scale = distance / math.hypot(u2 - u1, v2 - v1)  # pixels of the photo per pixel of the crop
    angle = math.atan2(y2 - y1, x2 - x1) - math.atan2(v2 - v1, u2 - u1)
    cos, sin = math.cos(angle), math.sin(angle)
    # The middle of the crop, seen from the middle of the eyes.
    across, down = (geometry.width - u1 - u2) / 2, (geometry.height - v1 - v2) / 2
    middle_x = (x1 + x2) / 2 + scale * (cos * across - sin * down)
    middle_y = (y1 + y2) / 2 + scale * (sin * across + cos * down)
    return cut_turned(photo, (middle_x, middle_y), scale, math.degrees(angle), geometry.size)


def _left_and_right(
    eyes: tuple[tuple[float, float], ...], roll: float
) -> list[tuple[float, float]]:
    """Both eyes in the order in which they appear where the face is upright."""
    angle = math.radians(roll)
    return sorted(eyes, key=lambda eye: eye[0] * math.cos(angle) + eye[1] * math.sin(angle))
