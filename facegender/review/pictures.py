"""Pictures of faces with their surroundings, made ahead by threads and kept for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final

import numpy as np
from PIL import Image

from facegender.dataset.review_labels import Box
from facegender.images.decode import decode_photo, read_bytes
from facegender.review.cutting import Picture, jpeg_of, square_around
from facegender.review.track_pictures import Moment, picture_of_track

Moments = Mapping[tuple[str, Box], Sequence[Moment]]
"""Of a face in a video, by path and box: where it is shown, the best first."""

WINDOW: Final = 2.6
"""Side of the square that is shown around a face, in longer sides of its box."""
THUMB_WINDOW: Final = 1.5
SIDES: Final = (96, 640)
"""Least and most pixels of a face's picture: small faces are enlarged by the browser."""
THUMB_SIDE: Final = 144
PHOTO_SIDE: Final = 1600
KEPT: Final = 300
THREADS: Final = 2


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
    share = min(1.0, sides[1] / (window * max(box[2:])))
    photo = decode_photo(
        read_bytes(path), at_least=lambda size: (round(size[0] * share), round(size[1] * share))
    )
    return Picture(jpeg_of(square_around(photo.pixels, photo.size, box, window, sides)), photo.size)


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
    return Picture(jpeg_of(np.asarray(image)), photo.size)


class Pictures:
    """Makes pictures in threads, before they are asked for where that can be foreseen.

    Args:
        moments: of the faces of videos, by path and box.
    """

    def __init__(self, moments: Moments | None = None) -> None:
        self._moments = moments or {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pictures")
        self._kept: OrderedDict[tuple[object, ...], Future[Picture]] = OrderedDict()
        self._turn = threading.Lock()

    def face(self, path: str, box: Box) -> Future[Picture]:
        """Return a face's picture, large."""
        make = self._maker(path, box, WINDOW, SIDES, more=True)
        return self._made(("face", path, box), make)

    def thumb(self, path: str, box: Box) -> Future[Picture]:
        """Return a face's picture, small."""
        sides = (THUMB_SIDE, THUMB_SIDE)
        make = self._maker(path, box, THUMB_WINDOW, sides, more=False)
        return self._made(("thumb", path, box), make)

    def _maker(
        self, path: str, box: Box, window: float, sides: tuple[int, int], *, more: bool
    ) -> partial[Picture]:
        moments = self._moments.get((path, box))
        if moments is None:
            return partial(picture_of_face, path, box, window, sides)
        return partial(picture_of_track, path, moments if more else moments[:1], window, sides)

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
