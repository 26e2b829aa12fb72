"""Pictures of faces with their surroundings, made ahead by threads and kept for a while."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from PIL import Image

from facegender.dataset.review_labels import Box
from facegender.errors import PhotoError
from facegender.faces.geometry import cut_out
from facegender.images.decode import decode_photo, read_bytes

WINDOW: Final = 2.6
"""Side of the square that is shown around a face, in longer sides of its box."""
THUMB_WINDOW: Final = 1.5
SIDES: Final = (96, 640)
"""Least and most pixels of a face's picture: small faces are enlarged by the browser."""
THUMB_SIDE: Final = 144
PHOTO_SIDE: Final = 1600
KEPT: Final = 300
THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to be served.

    Attributes:
        data: JPEG.
        size: upright (width, height) of the photo that it comes from.
    """

    data: bytes
    size: tuple[int, int]


def picture_of_face(path: str, box: Box, window: float, sides: tuple[int, int]) -> Picture:
    """Cut a square around a face out of its photo; black beyond the photo's border.

    Args:
        path: of the photo.
        box: x, y, width, height in pixels of the upright photo.
        window: side of the square, in longer sides of the box.
        sides: least and most pixels of the picture's side.

    Raises:
        PhotoError: the photo cannot be read, or the box does not lie in it.
    """
    x, y, width, height = box
    side = window * max(width, height)
    share = min(1.0, sides[1] / side)
    photo = decode_photo(
        read_bytes(path), at_least=lambda size: (round(size[0] * share), round(size[1] * share))
    )
    whole, (rows, columns) = photo.size, photo.pixels.shape[:2]
    inside = 0 <= x + width / 2 <= whole[0] and 0 <= y + height / 2 <= whole[1]
    if not inside or max(width, height) > 2 * max(whole):
        raise PhotoError("unreadable", f"the box {box} does not lie in the photo of {whole}")
    across, down = columns / whole[0], rows / whole[1]
    left, top = x + (width - side) / 2, y + (height - side) / 2
    pixels = round(min(max(side, sides[0]), sides[1]))
    square = cut_out(
        photo.pixels,
        (left * across, top * down, side * across, side * down),
        (pixels, pixels),
        fill="constant",
    )
    return Picture(_jpeg(Image.fromarray(square)), whole)


def picture_of_photo(path: str) -> Picture:
    """Return a whole photo, at `PHOTO_SIDE` at most.

    Raises:
        PhotoError: it cannot be read.
    """

    def enough(size: tuple[int, int]) -> tuple[int, int]:
        share = min(1.0, PHOTO_SIDE / max(size))
        return round(size[0] * share), round(size[1] * share)

    photo = decode_photo(read_bytes(path), at_least=enough)
    image = Image.fromarray(photo.pixels)
    image.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.BILINEAR)
    return Picture(_jpeg(image), photo.size)


class Pictures:
    """Makes pictures in threads, before they are asked for where that can be foreseen."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pictures")
        self._kept: OrderedDict[tuple[object, ...], Future[Picture]] = OrderedDict()
        self._turn = threading.Lock()

    def face(self, path: str, box: Box) -> Future[Picture]:
        """Return a face's picture, large."""
        return self._made(("face", path, box), partial(picture_of_face, path, box, WINDOW, SIDES))

    def thumb(self, path: str, box: Box) -> Future[Picture]:
        """Return a face's picture, small."""
        sides = (THUMB_SIDE, THUMB_SIDE)
        return self._made(
            ("thumb", path, box), partial(picture_of_face, path, box, THUMB_WINDOW, sides)
        )

    def photo(self, path: str) -> Future[Picture]:
        """Return a whole photo."""
        return self._made(("photo", path), partial(picture_of_photo, path))

    def close(self) -> None:
        """End the threads; pictures that nobody waits for are not made."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _made(self, key: tuple[object, ...], make: partial[Picture]) -> Future[Picture]:
        with self._turn:
            known = self._kept.get(key)
            if known is None:
                known = self._kept[key] = self._pool.submit(make)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(key)
            return known


def ahead(labels: list[str], number: int, count: int) -> Iterable[int]:
    """Return the numbers of the next items without an answer after `number`, in order."""
    found = 0
    for later in range(number + 1, len(labels)):
        if not labels[later]:
            yield later
            found += 1
            if found == count:
                return


def _jpeg(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=88)
    return data.getvalue()
