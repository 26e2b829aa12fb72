"""Decoded frames -> upright 8-bit RGB in square pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from facegender.errors import VideoError
from facegender.images.decode import Photo

if TYPE_CHECKING:
    from av import VideoFrame

HDR: Final = (16, 18)
"""Transfer functions of high dynamic range, as H.273 numbers them: PQ and HLG."""


class ToPixels:
    """Converts the frames of one video.

    Args:
        size: (width, height) to convert to before turning: square pixels.
        rotation: degrees by which FFmpeg says that frames are to be turned, counterclockwise.
    """

    def __init__(self, size: tuple[int, int], rotation: int) -> None:
        from av.video.reformatter import VideoReformatter

        self._size, self._turns = size, round(rotation / 90) % 4
        # One for all frames: it keeps its tables. Threads would be started anew for each frame.
        self._reformatter = VideoReformatter()
        self._graph: Any = None
        self._form: tuple[int, int, str] | None = None  # of the frames that the graph takes

    def __call__(self, frame: VideoFrame) -> Photo | None:
        """Return uint8 RGB (height, width, 3); None where the frame is damaged."""
        width, height = self._size
        try:
            pixels = self._tone_mapped(frame) if int(frame.color_trc) in HDR else None
            if pixels is None:
                small = self._reformatter.reformat(
                    frame, width, height, "rgb24", interpolation="BILINEAR", threads=1
                )
                pixels = np.asarray(small.to_ndarray(), np.uint8)
        except MemoryError:
            raise VideoError("too large: out of memory while converting a frame") from None
        except Exception:  # noqa: BLE001 - a damaged file makes FFmpeg raise anything
            return None
        if frame.interlaced_frame:  # the other field was taken at another moment
            field = Image.fromarray(np.ascontiguousarray(pixels[::2]))
            pixels = np.asarray(field.resize((width, height), Image.Resampling.BILINEAR))
        return np.ascontiguousarray(np.rot90(pixels, self._turns)) if self._turns else pixels

    def _tone_mapped(self, frame: VideoFrame) -> Photo | None:
        """Convert high dynamic range to BT.709; None where this FFmpeg cannot.

        FFmpeg 8 and later can: reference white becomes white, and what is brighter is clipped.
        """
        form = (frame.width, frame.height, frame.format.name)
        if form != self._form:
            self._form, self._graph = form, _tone_mapping(frame, self._size)
        if self._graph is None:
            return None
        self._graph.push(frame)
        return np.asarray(self._graph.pull().to_ndarray(), np.uint8)


def _tone_mapping(frame: VideoFrame, size: tuple[int, int]) -> Any:
    """Return a filter graph from such frames to BT.709 RGB of a size, or None."""
    from av.error import FFmpegError
    from av.filter import Graph

    graph = Graph()
    try:
        source = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base="1/1000",
            pixel_aspect="1/1",
            colorspace=str(int(frame.colorspace)),
            range=str(int(frame.color_range)),
        )
        scale = graph.add("scale", f"{size[0]}:{size[1]}:out_transfer=bt709:out_primaries=bt709")
        target, sink = graph.add("format", "rgb24"), graph.add("buffersink")
        source.link_to(scale)
        scale.link_to(target)
        target.link_to(sink)
        graph.configure()
    except (FFmpegError, ValueError):
        return None
    return graph
