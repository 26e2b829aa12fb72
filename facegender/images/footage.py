"""Footage: a video, or an animated picture, opened by what it is; and which files are videos."""

from __future__ import annotations

import os
from typing import Final

from facegender.images.animation import Animation, is_animation
from facegender.images.video import Sampling, Video

VIDEO_SUFFIXES: Final = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts"),
    *(".mpg", ".mpeg", ".mxf", ".flv", ".wmv", ".ogv"),
)
"""Files that are taken for videos by their name."""

Footage = Video | Animation

_HEAD: Final = 400
_BEGINNINGS: Final = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\0\0\1\xba",  # MPEG program stream
    b"\0\0\1\xb3",  # MPEG video
    b"FLV\1",
    b"OggS",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
)
_STILLS: Final = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1")


def open_footage(
    path: str | os.PathLike[str],
    sampling: Sampling,
    after: float | None = None,
    lost: float | None = None,
) -> Footage:
    """Open a video or an animated picture.

    Args:
        path: of the file.
        sampling: the frames wanted.
        after: of a video, only frames after this time; an earlier run had the others.
        lost: when that run could not decode a part for the last time, or None.

    Raises:
        VideoError: it cannot be opened.
    """
    return Animation(path, sampling) if is_animation(path) else Video(path, sampling, after, lost)


def is_video_name(name: str) -> bool:
    """Tell whether a file is a video by its suffix."""
    return name.lower().endswith(VIDEO_SUFFIXES)


def begins_as_video(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is a video by its first bytes; False where it cannot be read."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError):
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] not in (*_STILLS, b"msf1", b"M4A ", b"jpx ", b"jp2 ")
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    transport = len(head) > 376 and all(head[i] == 0x47 for i in (0, 188, 376))
    return transport or head.startswith(_BEGINNINGS)
