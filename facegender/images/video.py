"""Video files -> upright RGB frames at a steady rate. The only user of PyAV's decoders.

PyAV is the extra ``video``; it is imported only where a video is opened.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, Self

from facegender.errors import UsageError, VideoError
from facegender.images.clock import clock
from facegender.images.decode import Photo
from facegender.images.shots import SAME_SHOT, Change, Shots
from facegender.images.timeline import JUMP, Timeline
from facegender.images.video_pixels import ToPixels
from facegender.images.video_stream import (
    duration,
    lasts_beyond,
    opened_file,
    opened_stream,
    positive,
    sizes,
)

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.video.stream import VideoStream

LONGEST_SIDE: Final = 1920
"""Larger frames are scaled down to this longer side while they are converted to RGB."""
FEW: Final = 0.8
"""Frames that no other refers to are not decoded if so much of the frames is not wanted at all."""
HOLE: Final = 3.0
"""Where more seconds than this are missing from the stream, who is seen after need not be who was
seen before."""
UNBROKEN: Final = frozenset({"mpegts", "mpeg"})
"""Containers of broadcasts, in which no frame stands for seconds: a step in time is a hole."""
SEEK_BACK: Final = (0.0, 10.0)
"""Seconds before the start to which the file is positioned: some formats land behind the place."""
RECENT: Final = 60.0
"""Seconds after a damaged part within which frames may still depend on it."""
SLACK: Final = (2.0, 0.05)
"""Seconds, or share of the stated duration if that is more, that may be missing at the end."""

INSTALL: Final = "Install it: pip install 'facegender[video]'."


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of a video are looked at.

    Attributes:
        fps: frames a second.
        keyframes: take the keyframes instead, which need no other frame to be decoded.
        start: seconds from the beginning of the video.
        end: seconds, exclusive; None is the end of the video.

    Raises:
        UsageError: a number out of range.
    """

    fps: float = 5.0
    keyframes: bool = False
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 1000:
            raise UsageError(f"{self.fps:g} frames a second", "--fps must be above 0, up to 1000.")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise UsageError(f"the start is {self.start:g} s", "It must be 0 or more.")
        if self.end is not None and not self.end > self.start:
            raise UsageError(
                f"the end, {clock(self.end)}, is not after the start, {clock(self.start)}",
                "Give an --end after --start.",
            )


DEFAULT_SAMPLING: Final = Sampling()


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a video.

    Attributes:
        time: seconds from the beginning of the video.
        pixels: upright uint8 RGB (height, width, 3), its longer side at most `LONGEST_SIDE`.
        change: since the frame before.
    """

    time: float
    pixels: Photo
    change: Change = SAME_SHOT


def installed() -> bool:
    """Whether videos can be read: PyAV is an extra."""
    return importlib.util.find_spec("av") is not None


class Video:
    """An open video file; use it in a ``with`` statement.

    Args:
        path: a regular file.
        sampling: the frames wanted.
        after: frames up to this time are not yielded again: an earlier run had them.
        lost: when that run could not decode a part for the last time, or None.

    Attributes:
        size: upright (width, height) of the video in square pixels.
        scale: the yielded frames are so many times as large, at most 1.
        seconds: duration that the file states, or None.
        rate: the video's own frames a second, or None.
        error: why a part of the video could not be read; known after the last frame.
        read_to: seconds up to which frames were read.
        lost: when parts of the stream could not be decoded, in order.
        cut_after: when the first cut after the last frame that was yielded is; None without one.

    Raises:
        VideoError: PyAV is missing, or the file cannot be opened as a video.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sampling: Sampling,
        after: float | None = None,
        lost: float | None = None,
    ) -> None:
        opened = opened_file(path)
        if not installed():
            opened.close()
            raise VideoError(f"videos need PyAV, which is not installed. {INSTALL}")
        self.sampling = sampling
        self.error: VideoError | None = None
        self.read_to = sampling.start if after is None else after
        self.lost: list[float] = []
        self.cut_after: float | None = None
        self._after = after
        self._at = self._length = self._data_to = 0.0
        self._to_the_end = self._clean = False
        self._shots = Shots()
        self._file = opened
        try:
            self._open()
            self._decoding = self._begin(lost)
            first = next(self._decoding)
            self._decoding = chain([first], self._decoding)
            self.size, flat = sizes(first, self._stream, LONGEST_SIDE)
            self._to_pixels = ToPixels(flat, first.rotation)
        except BaseException:
            self._file.close()
            raise
        self.scale = min(1.0, LONGEST_SIDE / max(self.size))
        self.seconds = duration(self._container, self._stream)

    def _open(self) -> None:
        self._container, self._stream = opened_stream(self._file, keyframes=self.sampling.keyframes)
        self.rate = positive(self._stream.average_rate) or positive(self._stream.base_rate)
        base, origin = float(self._stream.time_base or 0), self._stream.start_time or 0
        self._step = 1 / self.rate if self.rate else 0.04
        self._timeline = Timeline(base, origin, self._step)

    @property
    def steady(self) -> bool:
        """Whether all timestamps made sense so far."""
        return self._timeline.steady

    @property
    def until(self) -> float:
        """Seconds until which the last frame that was read stands, if none follows."""
        end = self.sampling.end
        if end is not None and self._to_the_end:
            return end
        until = self.read_to + self._length
        if not (self.lost and self.lost[-1] >= self.read_to - 1e-6):
            until = max(until, self._data_to)
        if self.seconds is not None and self.read_to < self.seconds:
            until = min(until, self.seconds)
        return until if end is None else min(until, end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self._container.close()
        self._file.close()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames wanted, in order; what cannot be decoded is left out and `error` set."""
        sampling, after = self.sampling, self._after
        number = 0 if after is None else self._next_wanted(after)
        for time, frame in self._timed():
            if sampling.end is not None and time >= sampling.end - 1e-6:
                self._to_the_end = True
                break
            self._see(time, frame)
            if time < sampling.start - 1e-6 or (after is not None and time < after - 1e-6):
                continue
            had = after is not None and time <= after + 1e-6
            if not (sampling.keyframes or had):
                if (time - sampling.start) * sampling.fps < number - 1e-6:
                    continue
                number = self._next_wanted(time)
            pixels = self._to_pixels(frame)
            if pixels is None:
                self.lost.append(time)
                continue
            change = self._shots.take(time, pixels)
            if not had:
                yield Frame(time, pixels, change)
        else:
            self._note_missing_end()
        self.cut_after = self._shots.cut_after()
        self._note_lost()

    def _next_wanted(self, time: float) -> int:
        """The number of the first moment to look at that comes after a time."""
        return math.floor((time - self.sampling.start) * self.sampling.fps + 1e-6) + 1

    def _begin(self, lost: float | None) -> Iterator[VideoFrame]:
        """Decode from a keyframe at or before the start; from the beginning where that fails.

        What follows a damaged part is decoded alike only if what came before it is known.
        """
        start = max(self.sampling.start, self._after or 0.0)
        if lost is not None and 0 <= start - lost < RECENT:
            start = lost
        for back in SEEK_BACK if start and self._timeline.base else ():
            place = self._timeline.ticks(max(0.0, start - back))
            with suppress(Exception):
                self._container.seek(int(place * 1_000_000), backward=True)
                decoded = self._decoded()
                first = next(decoded)
                if first.pts is not None and 0 <= self._timeline.seconds(first.pts) <= start:
                    return chain([first], decoded)
        if start:
            self.lost = []
            self._container.close()
            self._file.seek(0)
            self._open()
        decoded = self._decoded()
        for first in decoded:
            return chain([first], decoded)
        raise VideoError("damaged: no frame of this video can be decoded")

    def _timed(self) -> Iterator[tuple[float, VideoFrame]]:
        """Frames with seconds from the beginning that never decrease."""
        longest = JUMP if self.seconds is None else min(JUMP, self.seconds + 1)
        start = max(self.sampling.start, self._after or 0.0)
        for frame in self._decoding:
            yield self._timeline.place(frame, longest + start), frame
            start = 0.0

    def _see(self, time: float, frame: VideoFrame) -> None:
        """Look at a decoded frame, whether it is wanted or not."""
        if self._is_hole(time):
            self._shots.interrupt(self._at + self._length, time)
        self._shots.see(time, frame)
        self._at, self.read_to = time, max(self.read_to, time)
        if not frame.is_corrupt:
            self._clean = True
        elif self._clean:  # where reading begins, what frames refer to may rightly be missing
            self._note_loss()
        self._length = max(self._step, (frame.duration or 0) * self._timeline.base)

    def _is_hole(self, time: float) -> bool:
        """Whether so much of the stream before a frame is missing that a new shot begins."""
        if not self._length or time - self._at <= max(HOLE, 2.5 * self._length):
            return False
        if self.lost and self.lost[-1] >= self._at - HOLE:
            return True
        if self.sampling.keyframes or self._container.format.name not in UNBROKEN:
            return False
        self._note_loss()
        return True

    def _note_loss(self) -> None:
        """Something is missing after the last decoded frame; an earlier run noted what it met."""
        begin = self.sampling.start if self._after is None else self._after
        if self._at >= begin - 1e-6:
            self.lost.append(self._at)

    def _is_wanted(self, packet: Packet[VideoStream]) -> bool:
        """Whether a packet's frame may be looked at: a moment to look at lies just before it."""
        timeline = self._timeline
        if packet.pts is None or not (timeline.base and timeline.ordered) or self.rate is None:
            return True
        since = timeline.seconds(packet.pts) - self.sampling.start
        length = 1.5 * max(self._step, (packet.duration or 0) * timeline.base)
        moments = (math.floor(t * self.sampling.fps + 1e-6) for t in (since, since - length))
        return since < length or next(moments) > next(moments)

    def _decoded(self) -> Iterator[VideoFrame]:
        """Frames as they are decoded; a packet that cannot be is noted and passed over."""
        packets, codec = self._container.demux(self._stream), self._stream.codec_context
        choosing = not self.sampling.keyframes and self.sampling.fps <= FEW * (self.rate or 0.0)
        whole, failures = True, 0
        while True:
            try:
                packet = next(packets)
                if self._repeats(packet):
                    continue
                if choosing and whole is not self._is_wanted(packet):
                    whole = not whole
                    codec.skip_frame = "DEFAULT" if whole else "NONREF"
                frames = self._stream.decode(packet)
            except StopIteration:
                return
            except MemoryError:
                raise VideoError("too large: out of memory while decoding") from None
            except EOFError:
                return
            except Exception as error:  # noqa: BLE001 - a damaged file makes FFmpeg raise anything
                self._note_loss()
                failures += 1
                if not _goes_on(error, failures):
                    return
                continue
            yield from frames

    def _repeats(self, packet: Packet[VideoStream]) -> bool:
        """Note how far the stream goes; whether a packet is empty: the frame before it stands on.

        Theora and AVI write such ones for a picture that does not change.
        """
        if packet.pts is None or not self._timeline.base:
            return False
        ticks = packet.pts + (packet.duration or 0)
        if self._timeline.ordered:
            self._data_to = max(self._data_to, self._timeline.seconds(ticks))
        return packet.size == 0

    def _note_missing_end(self) -> None:
        """Tell a file that ends long before the duration that it states."""
        if self.seconds is None or (self.sampling.keyframes and not self._data_to):
            return
        end = self.seconds if self.sampling.end is None else min(self.seconds, self.sampling.end)
        slack = max(SLACK[0], SLACK[1] * self.seconds)
        if end - self.until > slack and not lasts_beyond(self._container, self.until + slack):
            self.error = VideoError(
                f"truncated: it breaks off at {clock(self.until)} of {clock(end)}"
            )

    def _note_lost(self) -> None:
        if self.lost and self.error is None:
            count = len(self.lost)
            parts = "a part" if count == 1 else f"{count:,} parts"
            self.error = VideoError(
                f"damaged: {parts} of the stream missing or not to be decoded, the first near "
                f"{clock(self.lost[0])}"
            )


def _goes_on(error: Exception, failures: int) -> bool:
    """Whether reading can go on after an error: yes for damaged data, within bounds."""
    from av.error import InvalidDataError

    return isinstance(error, InvalidDataError) and failures < 10_000
