"""Video files -> upright RGB frames at a steady rate. The only user of PyAV's decoders.

PyAV is the extra ``video``; it is imported only where a video is opened.
"""

from __future__ import annotations

import importlib.util
import math
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from PIL import Image

from facegender.errors import UsageError, VideoError
from facegender.images.clock import clock
from facegender.images.decode import MIN_SIDE, Photo
from facegender.runtime.parallel import cores

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_PIXELS: Final = 1 << 26
"""Videos of more pixels a frame are refused; 8K has half as many."""
LONGEST_SIDE: Final = 1920
"""Larger frames are scaled down to this longer side while they are converted to RGB."""
SPARSE: Final = 2.0
"""Up to so many frames a second, frames that no other frame refers to are not decoded."""
JUMP: Final = 3600.0
"""A step in the timestamps by more seconds than this is an error of the stream."""
SEEK_BACK: Final = (0.0, 10.0)
"""Seconds before the start to which the file is positioned: some formats land behind the place."""
SLACK: Final = (2.0, 0.05)
"""Seconds, or share of the stated duration if that is more, that may be missing at the end."""

FORMATS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,h264,hevc,mxf"
)
"""Containers that are opened. Playlists are not: FFmpeg would open what they name."""

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


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a video.

    Attributes:
        time: seconds from the beginning of the video.
        pixels: upright uint8 RGB (height, width, 3), its longer side at most `LONGEST_SIDE`.
    """

    time: float
    pixels: Photo


def installed() -> bool:
    """Whether videos can be read: PyAV is an extra."""
    return importlib.util.find_spec("av") is not None


class Video:
    """An open video file; use it in a ``with`` statement.

    Args:
        path: a regular file.
        sampling: the frames wanted.

    Attributes:
        size: upright (width, height) of the video in square pixels.
        scale: the yielded frames are so many times as large, at most 1.
        seconds: duration that the file states, or None.
        rate: the video's own frames a second, or None.
        error: why a part of the video could not be read; known after the last frame.
        read_to: seconds up to which frames were read.

    Raises:
        VideoError: PyAV is missing, or the file cannot be opened as a video.
    """

    def __init__(self, path: str | os.PathLike[str], sampling: Sampling) -> None:
        if not installed():
            raise VideoError(f"videos need PyAV, which is not installed. {INSTALL}")
        self.sampling = sampling
        self.error: VideoError | None = None
        self.read_to = sampling.start
        self._lost: list[float] = []
        self._file = _opened_file(path)
        try:
            self._container, self._stream = _opened_stream(self._file, sampling)
            self._decoding = self._begin()
            first = next(self._decoding)
            self._decoding = chain([first], self._decoding)
            self.rotation = first.rotation
            self.size, self._flat = _sizes(first, self._stream)
        except BaseException:
            self._file.close()
            raise
        self.scale = min(1.0, LONGEST_SIDE / max(self.size))
        self.rate = _positive(self._stream.average_rate) or _positive(self._stream.base_rate)
        self.seconds = _duration(self._container, self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self._container.close()
        self._file.close()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames wanted, in order; what cannot be decoded is left out and `error` set."""
        sampling, number = self.sampling, 0
        for time, frame in self._timed():
            self.read_to = max(self.read_to, time)
            if sampling.end is not None and time >= sampling.end - 1e-6:
                break
            since = time - sampling.start
            if since < -1e-6:
                continue
            if not sampling.keyframes:
                if since * sampling.fps < number - 1e-6:
                    continue
                number = math.floor(since * sampling.fps + 1e-6) + 1
            pixels = self._pixels(frame)
            if pixels is None:
                self._lost.append(time)
                continue
            yield Frame(time, pixels)
        else:
            self._note_missing_end()
        self._note_lost()

    def _begin(self) -> Iterator[VideoFrame]:
        """Decode from a keyframe at or before the start; from the beginning where that fails."""
        start = self.sampling.start
        base = float(self._stream.time_base or 0)
        zero = float(self._stream.start_time or 0) * base
        for back in SEEK_BACK if start and base else ():
            place = zero + max(0.0, start - back)
            with suppress(Exception):
                self._container.seek(int(place * 1_000_000), backward=True)
                decoded = self._decoded()
                first = next(decoded)
                if first.pts is not None and 0 <= first.pts * base - zero <= start:
                    return chain([first], decoded)
        if start:
            self._lost = []
            self._container.close()
            self._file.seek(0)
            self._container, self._stream = _opened_stream(self._file, self.sampling)
        decoded = self._decoded()
        for first in decoded:
            return chain([first], decoded)
        raise VideoError("damaged: no frame of this video can be decoded")

    def _timed(self) -> Iterator[tuple[float, VideoFrame]]:
        """Frames with seconds from the beginning that never decrease."""
        first = self._stream.start_time
        base = float(self._stream.time_base or 0)
        shift = -float(first or 0) * base
        step = 1 / self.rate if self.rate else 0.04
        longest = JUMP if self.seconds is None else min(JUMP, self.seconds + 1)
        last: float | None = None
        for frame in self._decoding:
            if frame.pts is None or not base:
                time = 0.0 if last is None else last + step
            else:
                time = frame.pts * base + shift
                if last is None:
                    if not 0 <= time <= self.sampling.start + longest:
                        shift -= time
                        time = 0.0
                elif not 0 <= time - last <= longest:
                    shift += last + step - time
                    time = last + step
            last = time
            yield time, frame

    def _decoded(self) -> Iterator[VideoFrame]:
        """Frames as they are decoded; a packet that cannot be is noted and passed over."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                frames = self._stream.decode(packet)
            except StopIteration:
                return
            except MemoryError:
                raise VideoError("too large: out of memory while decoding") from None
            except EOFError:
                return
            except Exception as error:  # noqa: BLE001 - a damaged file makes FFmpeg raise anything
                self._lost.append(self.read_to)
                if not _goes_on(error, len(self._lost)):
                    return
                continue
            yield from frames

    def _pixels(self, frame: VideoFrame) -> Photo | None:
        """Convert a frame to upright RGB in square pixels; None where it is damaged."""
        width, height = self._flat
        try:
            small = frame.reformat(width, height, "rgb24", interpolation="BILINEAR")
            pixels = np.asarray(small.to_ndarray(), np.uint8)
        except MemoryError:
            raise VideoError("too large: out of memory while converting a frame") from None
        except Exception:  # noqa: BLE001 - as for decoding
            return None
        if frame.interlaced_frame:  # the other field was taken at another moment
            field = Image.fromarray(np.ascontiguousarray(pixels[::2]))
            pixels = np.asarray(field.resize((width, height), Image.Resampling.BILINEAR))
        turns = round(self.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels

    def _note_missing_end(self) -> None:
        """Tell a file that ends long before the duration that it states."""
        if self.seconds is None or self.sampling.keyframes:
            return
        end = self.seconds if self.sampling.end is None else min(self.seconds, self.sampling.end)
        if end - self.read_to > max(SLACK[0], SLACK[1] * self.seconds):
            self.error = VideoError(
                f"truncated: the last frame is at {clock(self.read_to)} of {clock(end)}"
            )

    def _note_lost(self) -> None:
        if self._lost and self.error is None:
            self.error = VideoError(
                f"damaged: {len(self._lost):,} parts of the stream could not be decoded, "
                f"the first near {clock(self._lost[0])}"
            )


def _goes_on(error: Exception, lost: int) -> bool:
    """Whether reading can go on after an error: yes for damaged data, within bounds."""
    from av.error import InvalidDataError

    return isinstance(error, InvalidDataError) and lost < 10_000


def _opened_file(path: str | os.PathLike[str]) -> Any:
    """Open a regular file; FFmpeg never sees its name, which it might take for an address."""
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise VideoError("not a regular file")
        if facts.st_size == 0:
            raise VideoError("empty file (0 bytes)")
        return open(path, "rb")
    except (FileNotFoundError, NotADirectoryError):
        raise VideoError("no such file") from None
    except (OSError, ValueError) as error:
        raise VideoError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _opened_stream(file: Any, sampling: Sampling) -> tuple[InputContainer, VideoStream]:
    """Open a container and prepare the decoder of its first video stream."""
    import av

    av.logging.set_level(None)
    try:
        container = av.open(
            file,
            metadata_errors="replace",
            container_options={"format_whitelist": FORMATS},
            buffer_size=1 << 18,
        )
        stream = _video_stream(container)
        codec = stream.codec_context
        if codec.width * codec.height > MAX_PIXELS:
            raise VideoError(f"too large: {codec.width}x{codec.height} pixels a frame")
        codec.options = {"max_pixels": str(MAX_PIXELS)}
        codec.thread_type = "AUTO"
        codec.thread_count = min(cores(), 8)
        if sampling.keyframes:
            codec.skip_frame = "NONKEY"
        elif sampling.fps <= SPARSE:
            codec.skip_frame = "NONREF"
    except VideoError:
        raise
    except MemoryError:
        raise VideoError("too large: out of memory while opening") from None
    except Exception as error:  # noqa: BLE001 - a damaged file makes FFmpeg raise anything
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise VideoError(f"not a video that can be read: {words}") from None
    return container, stream


def _video_stream(container: InputContainer) -> VideoStream:
    """Return the first video stream, ignoring cover art of audio files."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise VideoError("not a video: the file has no video stream")


def _sizes(frame: VideoFrame, stream: VideoStream) -> tuple[tuple[int, int], tuple[int, int]]:
    """The upright size in square pixels, and the size to convert to before turning."""
    width, height = frame.width, frame.height
    aspect = _positive(stream.sample_aspect_ratio) or 1.0
    if 0.1 < aspect < 10:
        width = max(1, round(width * aspect))
    if min(width, height) < MIN_SIDE:
        raise VideoError(f"{width}x{height} pixels: the shorter side is below {MIN_SIDE}")
    if width * height > MAX_PIXELS:
        raise VideoError(f"too large: {width}x{height} pixels a frame")
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    flat = max(1, round(width * scale)), max(1, round(height * scale))
    turned = round(frame.rotation / 90) % 2 == 1
    return ((height, width) if turned else (width, height)), flat


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the duration stated by the stream, else the container; None if missing or absurd."""
    seconds = None
    if stream.duration and stream.time_base:
        seconds = _positive(stream.duration * stream.time_base)
    if seconds is None and container.duration:
        seconds = _positive(container.duration / 1_000_000)
    return seconds if seconds is not None and seconds < 1e7 else None


def _positive(value: Any) -> float | None:
    """A number above zero as a float, else None."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
