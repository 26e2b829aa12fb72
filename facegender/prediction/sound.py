"""The sound of a video, copied beside its marked frames as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, Self

from facegender.errors import VideoError
from facegender.images.video_stream import opened_file, opened_stream

CARRIED: Final = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")
"""Codecs that an MP4 file may hold. Sound of another is left out: it would have to be encoded."""


class Sound:
    """The first audio stream of a video; use it in a ``with`` statement.

    Args:
        source: the video.
        end: seconds from its beginning at which the sound ends, or None.
    """

    def __init__(self, source: str | os.PathLike[str], end: float | None = None) -> None:
        self._source, self._end = source, end
        self._file: Any = None
        self._packets: Iterator[Any] = iter(())
        self._next: Any = None

    def begin(self, container: Any, start: float) -> None:
        """Add a stream to an MP4 to which nothing was written yet.

        Args:
            container: the MP4.
            start: seconds from the video's beginning from which on there is sound.
        """
        from av.error import FFmpegError

        self._target, self._start = container, start
        with suppress(VideoError, FFmpegError, ValueError):  # it may be an animated picture
            self._file = opened_file(self._source)
            opened, video = opened_stream(self._file, keyframes=False)
            self._zero = float(video.start_time or 0) * float(video.time_base or 0)
            streams = opened.streams.audio
            if streams and streams[0].codec_context.codec.canonical_name in CARRIED:
                self._stream = container.add_stream_from_template(streams[0])
                self._packets = opened.demux(streams[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write_until(self, time: float) -> None:
        """Write what sounds before a time, later than the last one."""
        while (packet := self._waiting()) is not None:
            base = packet.time_base
            sounds = float(packet.pts * base) - self._zero
            if sounds >= time:
                return
            self._next = None
            if sounds >= self._start and (self._end is None or sounds < self._end):
                shift = round((self._start + self._zero) / float(base))
                packet.pts -= shift
                packet.dts = packet.pts if packet.dts is None else packet.dts - shift
                packet.stream = self._stream
                self._target.mux(packet)

    def _waiting(self) -> Any:
        """Return the next packet that was not written; None where there is none."""
        from av.error import FFmpegError

        try:
            while self._next is None or self._next.pts is None:
                self._next = next(self._packets)
        except (StopIteration, FFmpegError):  # damaged: the rest is silent
            self._next, self._packets = None, iter(())
        return self._next
