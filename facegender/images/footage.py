"""Footage: a video, or an animated picture, opened by what it is; and which files are videos."""

from __future__ import annotations

import os
from typing import Final

from facegender.images.animation import Animation, is_animation
from facegender.images.video import Sampling, Video
from facegender.images.video_heads import HEAD, begins_like_a_video

VIDEO_SUFFIXES: Final = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts"),
    *(".mpg", ".mpeg", ".mxf", ".flv", ".wmv", ".ogv"),
)
"""Files that are taken for videos by their name."""

Footage = Video | Animation


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
            return begins_like_a_video(file.read(HEAD))
    except (OSError, ValueError):
        return False
