"""Writing pictures of our own, never over anybody else's."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Final

from PIL import Image, PngImagePlugin

from facegender.errors import FaceGenderError
from facegender.files import write_bytes

MARK: Final = b"made by facegender"
"""In a comment of every picture written here: only such files are ever written over."""
JPEG: Final = (".jpg", ".jpeg")
_MARK_WITHIN: Final = 4096


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a JPEG or PNG, by the path's suffix, atomically; its folder is made if missing.

    Raises:
        FaceGenderError: a file that was not written here is in the way, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FaceGenderError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    if os.path.lexists(path) and not _is_ours(path):
        raise FaceGenderError(f"{path} is in the way: it was not made by facegender", "")
    content = io.BytesIO()
    if path.suffix.lower() in JPEG:
        image.save(content, "JPEG", quality=95, subsampling=0, comment=MARK)
    else:
        notes = PngImagePlugin.PngInfo()
        notes.add_text("Comment", MARK.decode())
        image.save(content, "PNG", pnginfo=notes)
    write_bytes(path, content.getvalue())


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return MARK in file.read(_MARK_WITHIN)
