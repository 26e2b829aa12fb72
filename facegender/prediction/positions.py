"""Where each track's face is at any moment, between the frames that were looked at too."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from facegender.prediction.tracks import Box

SPAN: Final = 10.0
"""Seconds of video in a bucket: a moment is looked up among the tracks of its bucket only."""
BRIDGED: Final = 2
"""A face is drawn through a gap if it is found again so many frames later, of those looked at."""


@dataclass(slots=True)
class _Path:
    """Numbers of the frames in which a track was found, its boxes there, and its start and end."""

    frames: array[int] = field(default_factory=lambda: array("I"))
    sides: array[float] = field(default_factory=lambda: array("f"))
    start: float = 0.0
    end: float = 0.0

    def box(self, index: int) -> Box:
        x, y, width, height = self.sides[4 * index : 4 * index + 4]
        return x, y, width, height

    def is_hidden_after(self, index: int) -> bool:
        """Whether the track is not followed to its next box; it has one."""
        return self.frames[index + 1] - self.frames[index] > BRIDGED


class Positions:
    """The boxes of all tracks of a video: 20 bytes a face and frame, 8 a frame.

    A box is drawn until the next frame that was looked at, and never outside its track's time: a
    cut may come between two such frames.
    """

    def __init__(self) -> None:
        self._times: array[float] = array("d")
        self._paths: dict[int, _Path] = defaultdict(_Path)
        self._buckets: dict[int, list[int]] = defaultdict(list)

    def add_frame(self, time: float, boxes: Sequence[tuple[int, Box]]) -> None:
        """Take the tracks and boxes of a frame later than the last."""
        number = len(self._times)
        self._times.append(time)
        for track, box in boxes:
            path = self._paths[track]
            path.frames.append(number)
            path.sides.extend(box)

    def finish(self, spans: Sequence[tuple[float, float]]) -> None:
        """Take start and end of all tracks, in seconds; of track 1 first."""
        self._buckets.clear()
        for track, (start, end) in enumerate(spans, start=1):
            path = self._paths[track]
            path.start, path.end = start, end
            for bucket in range(int(start // SPAN), int(end // SPAN) + 1):
                self._buckets[bucket].append(track)

    def at(self, time: float) -> list[tuple[int, Box]]:
        """Return the tracks that are seen at a time, with their boxes there."""
        seen = ((track, self.of(track, time)) for track in self._buckets.get(int(time // SPAN), ()))
        return [(track, box) for track, box in seen if box is not None]

    def of(self, track: int, time: float) -> Box | None:
        """Return a track's box at a time, or None where it is not seen."""
        path = self._paths[track]
        if not path.start - 1e-6 <= time < path.end - 1e-6:
            return None
        frame = bisect_right(self._times, time + 1e-6) - 1
        i = bisect_right(path.frames, frame) - 1
        if i < 0:  # between the cut at which it begins and the first frame looked at
            return self._moved_on(path, 0, 1, time)
        if i + 1 < len(path.frames) and not path.is_hidden_after(i):
            begin, end = (self._times[path.frames[n]] for n in (i, i + 1))
            part = min(max((time - begin) / (end - begin), 0.0), 1.0)
            ends = zip(path.box(i), path.box(i + 1), strict=True)
            x, y, width, height = (a + part * (b - a) for a, b in ends)
            return x, y, width, height
        return self._moved_on(path, i, i - 1, time) if frame == path.frames[i] else None

    def pieces(self, track: int, seconds: float) -> Iterator[tuple[float, float, Box, Box]]:
        """Yield a track in pieces of at most `seconds`: begin, end, and the box at both.

        A piece ends where the track is hidden. One between two frames may be longer, and so may one
        up to the first frame, and from the last.
        """
        path = self._paths[track]
        times = [self._times[frame] for frame in path.frames]
        first = 0
        if times and times[0] > path.start:
            before = self._moved_on(path, 0, 1, path.start)
            yield path.start, times[0], before, path.box(0)
        for i, time in enumerate(times):
            ends = i + 1 == len(times) or path.is_hidden_after(i)
            if i > first and (ends or time - times[first] >= seconds - 1e-6):
                yield times[first], time, path.box(first), path.box(i)
                first = i
            if ends:
                until = self._stands_until(path, path.frames[i])
                if until > time:
                    yield time, until, path.box(i), self._moved_on(path, i, i - 1, until)
                first = i + 1

    def _moved_on(self, path: _Path, index: int, other: int, time: float) -> Box:
        """A track's box before its first frame or after its last: it moves as between two frames.

        Args:
            path: of the track.
            index: of its box that is nearest in time.
            other: of the one beside it, which need not be there.
            time: in seconds.
        """
        x, y, width, height = path.box(index)
        near = 0 <= other < len(path.frames) and not path.is_hidden_after(min(index, other))
        if not near:
            return x, y, width, height
        u, v, wide, high = path.box(other)
        here, there = self._times[path.frames[index]], self._times[path.frames[other]]
        part = min(abs(time - here) / abs(here - there), 1.0)
        across, down = x + width / 2 - u - wide / 2, y + height / 2 - v - high / 2
        return x + part * across, y + part * down, width, height

    def _stands_until(self, path: _Path, frame: int) -> float:
        """Until when a box of a frame stands that is not followed to the next one."""
        later = self._times[frame + 1] if frame + 1 < len(self._times) else path.end
        return min(later, path.end)
