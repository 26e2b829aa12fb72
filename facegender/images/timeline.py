"""Timestamps of decoded frames -> seconds from the beginning of the video that never decrease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from av import VideoFrame

JUMP: Final = 3600.0
"""A step in the timestamps by more seconds than this is an error of the stream."""
BACK: Final = 1.0
"""A step back by fewer seconds than this is an order of frames that the file tells wrongly; by more
the stream begins anew, as joined recordings do."""


class Timeline:
    """Where each frame of a stream stands.

    Args:
        base: seconds of a tick of the stream's clock, 0 where it has none.
        origin: timestamp of the stream's beginning, in ticks.
        step: seconds between two frames, for those without a timestamp.

    Attributes:
        steady: whether all timestamps made sense so far.
        ordered: whether presentation timestamps do; else those of decoding are taken.
    """

    def __init__(self, base: float, origin: int, step: float) -> None:
        self.base, self._step = base, step
        self._shift = -origin * base
        self.steady = self.ordered = True
        self._last: float | None = None
        self._ticks: dict[str, int] = {}
        self._backward = {"pts": 0, "dts": 0}

    def seconds(self, ticks: int) -> float:
        """Return the seconds from the beginning at which a timestamp lies."""
        return ticks * self.base + self._shift

    def ticks(self, seconds: float) -> float:
        """Return the seconds on the stream's own clock, which need not begin at 0."""
        return seconds - self._shift

    def place(self, frame: VideoFrame, longest: float) -> float:
        """Return the seconds of the next decoded frame, not before the last one's.

        Args:
            frame: in the order in which frames are decoded.
            longest: a step forward by more seconds is an error of the stream.
        """
        stamp = self._stamp(frame)
        last, expected = self._last, 0.0 if self._last is None else self._last + self._step
        if stamp is None or not self.base:
            time, self.steady = expected if last is not None else 0.0, False
        else:
            time = self.seconds(stamp)
            since = time if last is None else time - last
            if last is not None and -BACK < since < 0:
                time, self.steady = last, False
            elif not 0 <= since <= longest:
                self._shift += expected - time
                time, self.steady = expected, False
        self._last = time
        return time

    def _stamp(self, frame: VideoFrame) -> int | None:
        """The timestamp to believe: that of presentation, unless it goes back more often.

        AVI and ASF have timestamps of decoding only, and what FFmpeg makes of them goes back and
        forth where frames refer to later ones. The rule is FFmpeg's own (`guess_correct_pts` in
        libavcodec/decode.c).
        """
        for name, ticks in (("pts", frame.pts), ("dts", frame.dts)):
            if ticks is not None:
                self._backward[name] += ticks <= self._ticks.get(name, ticks - 1)
                self._ticks[name] = ticks
        if frame.dts is None or frame.pts is None:
            return frame.pts if frame.pts is not None else frame.dts
        self.ordered = self._backward["pts"] <= self._backward["dts"]
        return frame.pts if self.ordered else frame.dts
