"""Opening a file as a video: its container, its stream, its sizes and its duration."""

from __future__ import annotations

import errno
import math
import os
import stat
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from facegender.errors import VideoError
from facegender.images.decode import MIN_SIDE
from facegender.runtime.parallel import cores

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_PIXELS: Final = 1 << 26
"""Videos of more pixels a frame are refused; 8K has half as many."""
FORMATS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,h264,hevc,mxf"
)
"""Containers that are opened. Playlists are not: FFmpeg would open what they name."""


def opened_file(path: str | os.PathLike[str]) -> Any:
    """Open a regular file; FFmpeg never sees its name, which it might take for an address."""
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise VideoError("not a regular file")
        if facts.st_size == 0:
            raise VideoError("empty file (0 bytes)")
        return open(path, "rb")
    except (FileNotFoundError, NotADirectoryError):
        raise VideoError(VideoError.MISSING) from None
    except (OSError, ValueError) as error:
        raise VideoError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def opened_stream(file: Any, *, keyframes: bool) -> tuple[InputContainer, VideoStream]:
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
        if keyframes:
            codec.skip_frame = "NONKEY"
    except VideoError:
        raise
    except MemoryError:
        raise VideoError("too large: out of memory while opening") from None
    except Exception as error:  # noqa: BLE001 - a damaged file makes FFmpeg raise anything
        raise VideoError(f"not a video that can be read: {_why(file, error)}") from None
    return container, stream


def _why(file: Any, error: Exception) -> str:
    """What keeps a file from being opened, in words."""
    from av.error import InvalidDataError

    if not (isinstance(error, InvalidDataError) or getattr(error, "errno", None) == errno.EINVAL):
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
    file.seek(0)
    if file.read(8)[4:] == b"ftyp":
        return "its index is missing, as where a recording or a copy was cut off"
    return "it has the form of none, or is damaged"


def _video_stream(container: InputContainer) -> VideoStream:
    """Return the first video stream, ignoring cover art of audio files."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise VideoError("not a video: the file has no video stream")


def sizes(
    frame: VideoFrame, stream: VideoStream, longest: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The upright size in square pixels, and the size to convert to before turning."""
    width, height = frame.width, frame.height
    aspect = positive(stream.sample_aspect_ratio) or 1.0
    if 0.1 < aspect < 10:
        width = max(1, round(width * aspect))
    if min(width, height) < MIN_SIDE:
        raise VideoError(f"{width}x{height} pixels: the shorter side is below {MIN_SIDE}")
    if width * height > MAX_PIXELS:
        raise VideoError(f"too large: {width}x{height} pixels a frame")
    scale = min(1.0, longest / max(width, height))
    flat = max(1, round(width * scale)), max(1, round(height * scale))
    turned = round(frame.rotation / 90) % 2 == 1
    return ((height, width) if turned else (width, height)), flat


def duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the duration stated by the stream, else the container; None if missing or absurd."""
    seconds = None
    if stream.duration and stream.time_base:
        seconds = positive(stream.duration * stream.time_base)
    if seconds is None and container.duration:
        seconds = positive(container.duration / 1_000_000)
    return seconds if seconds is not None and seconds < 1e7 else None


def lasts_beyond(container: InputContainer, seconds: float) -> bool:
    """Tell whether anything but the video goes on: sound may rightly outlast the picture.

    Args:
        container: of which the video was read to its end.
        seconds: on the clock of the video.
    """
    others = [stream for stream in container.streams if stream.type in ("audio", "subtitle")]
    try:
        container.seek(int(seconds * 1_000_000), backward=True)
        for packet in islice(container.demux(others), 10_000 if others else 0):
            if packet.pts is not None and packet.pts * (packet.time_base or 0) > seconds:
                return True
    except Exception:  # noqa: BLE001 - a damaged file makes FFmpeg raise anything
        return False
    return False


def positive(value: Any) -> float | None:
    """A number above zero as a float, else None."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
