"""Cuts between the shots of a video, told by small pictures of its frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facegender.images.decode import Photo

if TYPE_CHECKING:
    from av import VideoFrame

CUT: Final = 0.55
"""Share of a frame's pixels that must change their colour for a cut; see `is_cut`."""
GRID: Final = (9, 16)
POINTS: Final = 2
"""Pixels across and down that stand for a block of a decoded frame; a power of two."""
CHANGED: Final = np.array([20, 12, 15], np.int16).reshape(3, 1, 1)
"""Differences of luma and chroma (Cb, Cr) by which one of R, G and B changes by about 24."""
FORMATS: Final = frozenset(
    f"yuv{j}{kind}p{depth}"
    for j, kind, depth in (
        *(("", kind, depth) for kind in ("420", "422", "444") for depth in ("", "10le", "12le")),
        *(("j", kind, "") for kind in ("420", "422", "444")),
    )
)
"""Pixel formats of decoded frames in which cuts are looked for: nearly all that films have."""

Colours = NDArray[np.int16]
"""Means of luma, Cb and Cr in 9x16 blocks of a frame."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of the picture between two frames that are looked at.

    Attributes:
        cuts: when the first and the last new shot began between them; None without a cut. Where a
            part of the stream is missing, when that begins and ends.
        gradual: it became another picture without a cut: by a dissolve, or something that moves.
    """

    cuts: tuple[float, float] | None = None
    gradual: bool = False


SAME_SHOT: Final = Change()


class Shots:
    """Looks at all frames that are decoded, for cuts between those that are looked at closely."""

    def __init__(self) -> None:
        self._kept: Colours | None = None  # of the last frame that was taken
        self._newest: Colours | None = None
        self._cuts: tuple[float, float] | None = None
        self._picture: Photo | None = None
        self._interrupted = False

    def interrupt(self, begin: float, end: float) -> None:
        """Nothing is known of the picture between two moments: who is seen then may be another."""
        self._cuts = (self._cuts[0] if self._cuts else begin, end)
        self._interrupted = True

    def see(self, time: float, frame: VideoFrame) -> None:
        """Look at the next decoded frame."""
        small = decoded_thumbnail(frame)
        if small is not None and self._newest is not None and has_cut(self._newest, small):
            self._cuts = (self._cuts[0] if self._cuts else time, time)
        self._newest = small

    def take(self, time: float, pixels: Photo) -> Change:
        """Return what changed since the frame that was taken before; this one is taken now.

        What changes and changes back, as a flash does, is no cut. Where decoded frames cannot be
        compared, those that are taken are, and a cut is at the time of the second.

        Args:
            time: of the frame that was seen last.
            pixels: of that frame.
        """
        interrupted, self._interrupted = self._interrupted, False
        if self._newest is None:
            before, self._picture = self._picture, thumbnail(pixels)
            if interrupted:
                cuts, self._cuts = self._cuts, None
                return Change(cuts)
            cut = before is not None and is_cut(before, self._picture)
            return Change((time, time) if cut else None)
        changed = interrupted or self._has_changed()
        cuts, self._cuts, self._kept = self._cuts, None, self._newest
        return Change(cuts, gradual=cuts is None) if changed else Change()

    def cut_after(self) -> float | None:
        """Return when the first cut after the frame that was taken last is; None without one."""
        return self._cuts[0] if self._cuts and self._has_changed() else None

    def _has_changed(self) -> bool:
        if self._kept is None or self._newest is None:
            return False
        return has_cut(self._kept, self._newest)


def decoded_thumbnail(frame: VideoFrame) -> Colours | None:
    """Return a small copy of a decoded frame, as `has_cut` compares them; None if impossible.

    A few pixels of each plane are read: converting whole frames would cost as much as decoding.
    """
    name = frame.format.name
    if name not in FORMATS:
        return None
    deep = int(name[-4:-2]) - 8 if name.endswith("le") else 0
    small = np.empty((3, *GRID), np.int16)
    for number, plane in enumerate(frame.planes):
        width, height = plane.width, plane.height
        if width < GRID[1] * POINTS or height < GRID[0] * POINTS:
            return None
        line = np.frombuffer(memoryview(plane), np.uint16 if deep else np.uint8)
        rows = line.reshape(height, -1)
        down, across = height // (GRID[0] * POINTS), width // (GRID[1] * POINTS)
        points = rows[down // 2 :: down, across // 2 : width : across]
        points = points[: GRID[0] * POINTS, : GRID[1] * POINTS]
        blocks = points.reshape(GRID[0], POINTS, GRID[1], POINTS)
        blocks.sum((1, 3), np.int16, small[number])
    small >>= deep + 2 * (POINTS.bit_length() - 1)
    return small


def has_cut(before: Colours, after: Colours) -> bool:
    """Tell whether two successive decoded frames belong to different shots; see `is_cut`."""
    changed = (np.abs(before - after) > CHANGED).any(0)
    return bool(changed.sum() > CUT * changed.size)


def thumbnail(pixels: Photo) -> Photo:
    """Return a small copy of a frame, as `is_cut` compares them: means of 9x16 blocks."""
    rows, columns = GRID
    height, width = pixels.shape[:2]
    part = pixels[:: max(1, height // (4 * rows)), :: max(1, width // (4 * columns))]
    down = np.linspace(0, part.shape[0], rows, endpoint=False).astype(int)
    across = np.linspace(0, part.shape[1], columns, endpoint=False).astype(int)
    sums = np.add.reduceat(np.add.reduceat(part.astype(np.float32), down, 0), across, 1)
    high = np.diff([*down, part.shape[0]])[:, None, None]
    wide = np.diff([*across, part.shape[1]])[None, :, None]
    small: Photo = (sums / np.maximum(high * wide, 1)).astype(np.uint8)
    return small


def is_cut(before: Photo, after: Photo) -> bool:
    """Tell whether two successive frames belong to different shots.

    Blocks of the picture change within a shot where something moves; at a cut most of them do.

    Args:
        before, after: of `thumbnail`.
    """
    changed = np.abs(before.astype(np.int16) - after.astype(np.int16)).max(axis=2) > 24
    return float(changed.mean()) > CUT
