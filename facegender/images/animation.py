"""Animated GIF, WebP and AVIF -> frames at a steady rate, by Pillow, which reads all of them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Final, Self

from facegender.errors import PhotoError, VideoError
from facegender.images.decode import decode_frames, has_frames, read_bytes
from facegender.images.shots import Shots
from facegender.images.video import Frame, Sampling

SUFFIXES: Final = (".gif", ".webp", ".avif")


def is_animation(path: str | os.PathLike[str]) -> bool:
    """Whether a file is read as an animated picture, by its name."""
    return os.fspath(path).lower().endswith(SUFFIXES)


def is_animated(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a GIF, WebP or AVIF of several frames."""
    try:
        return is_animation(path) and has_frames(read_bytes(path))
    except PhotoError:
        return False


class Animation:
    """An animated picture, with the attributes of a `video.Video`.

    Args:
        path: a GIF, WebP or AVIF; a still one is an animation of one frame.
        sampling: the frames wanted; of ``keyframes`` every frame is one.

    Raises:
        VideoError: it cannot be read.
    """

    scale = 1.0
    cut_after: float | None = None

    def __init__(self, path: str | os.PathLike[str], sampling: Sampling) -> None:
        self._sampling = sampling
        self.error: VideoError | None = None
        try:
            self._data = read_bytes(path)
            _, first = next(decode_frames(self._data))
        except PhotoError as error:
            raise VideoError(error.message) from None
        self.size = (first.shape[1], first.shape[0])
        self.seconds: float | None = None
        self.until = sampling.start
        self.rate: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._data = b""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames wanted, in order.

        A frame that stands longer than the time between two is yielded once.
        """
        sampling, time, number, shots = self._sampling, 0.0, 0, Shots()
        end = math.inf if sampling.end is None else sampling.end
        try:
            for seconds, pixels in decode_frames(self._data):
                begin, time = max(time, sampling.start), time + seconds
                if time <= sampling.start:
                    continue
                if begin >= end:
                    return
                self.until = min(time, end)
                # The frame is wanted if a sampled moment lies in it.
                if sampling.keyframes or (time - sampling.start) * sampling.fps > number + 1e-6:
                    number = math.ceil((time - sampling.start) * sampling.fps - 1e-6)
                    yield Frame(begin, pixels, shots.take(begin, pixels))
        except PhotoError as error:
            self.error = VideoError(error.message)
        self.seconds = time
