"""Drawing boxes and labels on a photo."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageDraw, ImageFont

from facegender.images.decode import Photo
from facegender.prediction.predictor import FacePrediction

COLOURS: Final = {"female": "#E69F00", "male": "#56B4E9", "uncertain": "#FFFFFF"}
"""Orange, sky blue and white: told apart by colour-blind people too (Okabe and Ito, 2008). The
word is always there as well."""
INK: Final = "#000000"
MIN_SIDE: Final = 480
"""Photos with a shorter longer side, in pixels, are enlarged so that labels are legible."""


def draw_faces(
    photo: Photo, faces: tuple[FacePrediction, ...], numbers: tuple[int, ...] | None = None
) -> Image.Image:
    """Return a copy of a photo with a box and a label for each face.

    Args:
        photo: upright uint8 RGB (height, width, 3).
        faces: in pixels of that photo.
        numbers: written before the labels; None numbers several faces from 1, but not a single one.

    Returns:
        an RGB image, of the photo's size or, for a small one, a whole number of times that.
    """
    height, width = photo.shape[:2]
    times = max(1, -(-MIN_SIDE // max(width, height)))
    image = Image.fromarray(photo).resize((width * times, height * times))
    pen = ImageDraw.Draw(image)
    side = max(image.size)
    if numbers is None:
        numbers = tuple(range(1, len(faces) + 1)) if len(faces) > 1 else (0,)
    for number, face in zip(numbers, faces, strict=False):
        x, y, across, down = (value * times for value in face.face.box)
        stroke = max(2, round(min(side / 300, max(across, down) / 20)))
        size = max(12.0, min(side / 32, across / 5))
        colour = COLOURS["uncertain" if face.uncertain else face.name]
        frame = (x, y, x + across, y + down)
        rim = max(1, stroke // 3)  # a dark outline, so that the box is visible on any background
        pen.rectangle(_grown(frame, rim), outline=INK, width=stroke + 2 * rim)
        pen.rectangle(frame, outline=colour, width=stroke)
        _write(pen, image.size, frame, _words(face, number), colour, size)
    return image


def _words(face: FacePrediction, number: int) -> str:
    which = f"{number}: " if number else ""
    return f"{which}{face.name} {100 * max(face.probabilities):.0f} %" + (
        "?" if face.uncertain else ""
    )


def _write(
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    frame: tuple[float, float, float, float],
    words: str,
    colour: str,
    height: float,
) -> None:
    """Draw a label below the box, or above or inside it at the edge of the picture."""
    font = ImageFont.load_default(height)
    left, top, right, bottom = pen.textbbox((0, 0), words, font=font)
    pad = max(2.0, height / 5)
    wide, high = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(frame[0], 0), max(size[0] - wide, 0))
    y = frame[3] + pad
    if y + high > size[1]:
        y = frame[1] - pad - high
    if y < 0:
        y = max(0.0, min(frame[3], size[1]) - high)
    pen.rectangle((x, y, x + wide, y + high), fill=colour, outline=INK)
    pen.text((x + pad - left, y + pad - top), words, fill=INK, font=font)


def _grown(
    frame: tuple[float, float, float, float], by: float
) -> tuple[float, float, float, float]:
    return frame[0] - by, frame[1] - by, frame[2] + by, frame[3] + by
