"""Squares around faces, as JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from facegender.dataset.review_labels import Box
from facegender.errors import PhotoError
from facegender.faces.geometry import cut_out
from facegender.images.decode import Photo


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to be served.

    Attributes:
        data: JPEG.
        size: upright (width, height) of the photo that it comes from.
    """

    data: bytes
    size: tuple[int, int]


def square_around(
    pixels: Photo, whole: tuple[int, int], box: Box, window: float, sides: tuple[int, int]
) -> Photo:
    """Cut a square around a face; black beyond the photo's border.

    Args:
        pixels: of the photo, which may have been made smaller.
        whole: (width, height) of the whole photo.
        box: x, y, width, height in pixels of the whole photo.
        window: side of the square, in longer sides of the box.
        sides: least and most pixels of the picture's side.

    Raises:
        PhotoError: the box does not lie in the photo.
    """
    x, y, width, height = box
    side = window * max(width, height)
    rows, columns = pixels.shape[:2]
    inside = 0 <= x + width / 2 <= whole[0] and 0 <= y + height / 2 <= whole[1]
    if not inside or max(width, height) > 2 * max(whole):
        raise PhotoError("unreadable", f"the box {box} does not lie in the photo of {whole}")
    across, down = columns / whole[0], rows / whole[1]
    left, top = x + (width - side) / 2, y + (height - side) / 2
    size = round(min(max(side, sides[0]), sides[1]))
    return cut_out(
        pixels,
        (left * across, top * down, side * across, side * down),
        (size, size),
        fill="constant",
    )


def jpeg_of(pixels: Photo) -> bytes:
    """Return a picture as JPEG."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=88)
    return data.getvalue()
