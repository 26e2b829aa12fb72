"""Writing pictures of our own, never over anybody else's."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Final

from PIL import Image, PngImagePlugin

from facegender.errors import FaceGenderError
from facegender.runtime.files import make_folder, write_bytes

JPEG: Final = (".jpg", ".jpeg")
_MARK_WITHIN: Final = 4096


def mark_of(source: str | os.PathLike[str] | bytes, what: str) -> str:
    """Return the comment of a picture made from a source: a file's path, or an image's bytes.

    A picture is only ever written over by one with the same mark: of the same photo and kind.

    Args:
        source: where it comes from.
        what: what was made of it, such as a crop's geometry.
    """
    if not isinstance(source, bytes):
        source = os.path.realpath(source).encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(source, digest_size=8, person=b"facegender").hexdigest()
    return f"made by facegender: {what} of {digest}"


def save_picture(image: Image.Image, path: Path, mark: str) -> None:
    """Write a JPEG or PNG, by the path's suffix, atomically; its folder is made if missing.

    Args:
        image: what to write.
        path: where; a file there is replaced only if it carries the mark.
        mark: see `mark_of`; written as a comment.

    Raises:
        FaceGenderError: another file is in the way, or it cannot be written.
    """
    make_folder(path.parent)
    if os.path.lexists(path) and not carries_mark(path, mark):
        raise FaceGenderError(
            f"{path} is in the way: it is another picture", "Choose another folder."
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
    """Tell whether a file was written here from the same source."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return mark.encode() in file.read(_MARK_WITHIN)
