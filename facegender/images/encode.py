"""Writing pictures, without ever replacing a file that facegender did not write."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Final

from PIL import Image, PngImagePlugin

from facegender.errors import FaceGenderError
from facegender.runtime.files import make_folder, write_bytes
from facegender.runtime.own_files import MARK

JPEG: Final = (".jpg", ".jpeg")
_MARK_WITHIN: Final = 4096


def mark_of(source: str | os.PathLike[str] | bytes, what: str) -> str:
    """Return the comment that marks a picture as made by facegender from a source.

    A picture is only overwritten by one with the same mark: of the same photo and kind.

    Args:
        source: the path of the photo, or its bytes.
        what: what was made from it, such as a marked copy.
    """
    if not isinstance(source, bytes):
        source = os.path.realpath(source).encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(source, digest_size=8, person=b"facegender").hexdigest()
    return f"{MARK}: {what} of {digest}"


def save_picture(image: Image.Image, path: Path, mark: str) -> None:
    """Write a JPEG or PNG, by the path's suffix, atomically; the folder is created if missing.

    Args:
        image: the picture.
        path: the file; an existing one is replaced only if it carries the same mark.
        mark: see `mark_of`; written as a comment.

    Raises:
        FaceGenderError: another file exists at `path`, or it cannot be written.
    """
    make_folder(path.parent)
    if os.path.lexists(path) and not carries_mark(path, mark):
        raise FaceGenderError(
            f"{path} is in the way: facegender did not write it",
            "Choose another name or folder, or move that file away.",
        )
    content = io.BytesIO()
    if path.suffix.lower() in JPEG:
        image.save(content, "JPEG", quality=95, subsampling=0, comment=mark.encode())
    else:
        notes = PngImagePlugin.PngInfo()
        notes.add_text("Comment", mark)
        image.save(content, "PNG", pnginfo=notes)
    write_bytes(path, content.getvalue())


def carries_mark(path: Path, mark: str) -> bool:
    """Return whether a file was written by facegender from the source of this mark."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return mark.encode() in file.read(_MARK_WITHIN)
