"""Where each track's face is at any moment, between the frames that were looked at too."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from facegender.prediction.tracks import Box

SPAN: Final = 10.0
"""Seconds of video in a bucket: a moment is looked up among the tracks of its bucket only."""
BRIDGED: Final = 2.5
"""A face is drawn through a gap of so many sampled frames."""


@dataclass(slots=True)
class _Path:
    times: array[float] = field(default_factory=lambda: array("d"))
    sides: array[float] = field(default_factory=lambda: array("f"))

    def box(self, index: int) -> Box:
        x, y, width, height = self.sides[4 * index : 4 * index + 4]
        return x, y, width, height


class Positions:
    """The boxes of all tracks of a video: 24 bytes a face and frame.

    Args:
        step: seconds between two frames that are looked at.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._paths: dict[int, _Path] = defaultdict(_Path)
        self._buckets: dict[int, set[int]] = defaultdict(set)

    def add(self, track: int, time: float, box: Box) -> None:
        """Take the box of a track at a time later than its last."""
        path = self._paths[track]
        path.times.append(time)
        path.sides.extend(box)
        for moment in (time, time + BRIDGED * self._step):
            self._buckets[int(moment // SPAN)].add(track)

    def at(self, time: float) -> list[tuple[int, Box]]:
        """Return the tracks that are seen at a time, with their boxes there."""
        found = []
        for track in sorted(self._buckets.get(int(time // SPAN), ())):
            box = self.of(track, time)
            if box is not None:
                found.append((track, box))
        return found

    def of(self, track: int, time: float) -> Box | None:
        """Return a track's box at a time, or None where it is not seen."""
        path = self._paths[track]
        i = bisect_right(path.times, time + 1e-6) - 1
        if i < 0:
            return None
        since = time - path.times[i]
        if i + 1 < len(path.times):
            gap = path.times[i + 1] - path.times[i]
            if gap <= BRIDGED * self._step:
                part = min(max(since / gap, 0.0), 1.0)
                ends = zip(path.box(i), path.box(i + 1), strict=True)
                x, y, width, height = (a + part * (b - a) for a, b in ends)
                return x, y, width, height
        return path.box(i) if since < self._step else None

    def pieces(self, track: int, seconds: float) -> Iterator[tuple[float, float, Box, Box]]:
        """Yield a track in pieces of at most `seconds`: begin, end, and the box at both.

        A piece ends where the track is hidden.
        """
        path = self._paths[track]
        begin = 0
        for i, time in enumerate(path.times):
            last = i + 1 == len(path.times)
            hidden = not last and path.times[i + 1] - time > BRIDGED * self._step
            if last or hidden:
                yield path.times[begin], time + self._step, path.box(begin), path.box(i)
                begin = i + 1
            elif time - path.times[begin] >= seconds - 1e-6:
                yield path.times[begin], time, path.box(begin), path.box(i)
                begin = i
