"""Pictures of tracks: a face where it is seen best, and in three more frames of its video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from facegender.dataset.review_labels import Box
from facegender.errors import PhotoError, VideoError
from facegender.images.animation import is_animation
from facegender.images.decode import Photo
from facegender.images.footage import open_footage
from facegender.images.video import Sampling
from facegender.review.cutting import Picture, jpeg_of, square_around

ALL = 1000.0
"""Frames a second: more than any video has."""
NEAR = 0.0006
"""Seconds by which a frame may be earlier or later than is written: times have three decimals."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A face in one frame of a video: seconds from its beginning, and a box."""

    time: float
    box: Box


def moments_of(track: dict[str, Any]) -> tuple[Moment, ...]:
    """Return the moments of a track that are shown, the best first; none where it has no times.

    Args:
        track: an element of ``tracks`` of the JSON contract.
    """
    found = [track.get("best"), *(track.get("more") or ())]
    try:
        made = tuple(_moment(one["time"], *one["box"]) for one in found)
    except (TypeError, KeyError, ValueError):
        return ()
    return made


def _moment(time: float, x: float, y: float, width: float, height: float) -> Moment:
    """Return a moment.

    Raises:
        TypeError, ValueError: it is none.
    """
    box = (float(x), float(y), float(width), float(height))
    if not (min(box[2:]) > 0 and np.isfinite(box).all()):
        raise ValueError("no box")
    return Moment(float(time), box)


def picture_of_track(
    path: str, moments: Sequence[Moment], window: float, sides: tuple[int, int]
) -> Picture:
    """Cut squares around a face out of a video: the first moment large, the others below it.

    Args:
        path: of the video.
        moments: where the face is.
        window, sides: of the large square, see `cutting.square_around`.

    Raises:
        PhotoError: the video cannot be read there, or a box does not lie in it.
    """
    pixels, size = frame_at(path, moments[0].time)
    large = square_around(pixels, size, moments[0].box, window, sides)
    if len(moments) == 1:
        return Picture(jpeg_of(large), size)
    side = large.shape[0]
    parts = len(moments) - 1
    strip = np.zeros((side // parts, side, 3), np.uint8)
    for number, moment in enumerate(moments[1:]):
        small = square_around(*frame_at(path, moment.time), moment.box, window, sides)
        tile = Image.fromarray(small).resize((side // parts, side // parts))
        strip[:, number * (side // parts) : (number + 1) * (side // parts)] = np.asarray(tile)
    return Picture(jpeg_of(np.concatenate([large, strip])), size)


def frame_at(path: str, time: float) -> tuple[Photo, tuple[int, int]]:
    """Return the frame of a video at a time, and the upright (width, height) of the video.

    Raises:
        PhotoError: the video cannot be read there.
    """
    # Of a video the next frame is yielded, of an animated picture the one that stands at the start.
    begin = time + NEAR if is_animation(path) else max(0.0, time - NEAR)
    try:
        with open_footage(path, Sampling(ALL, start=begin)) as video:
            for frame in video.frames():
                return frame.pixels, video.size
    except VideoError as error:
        raise PhotoError("unreadable", error.message) from None
    raise PhotoError("unreadable", f"the video has no frame at {time:.3f} s any more")
