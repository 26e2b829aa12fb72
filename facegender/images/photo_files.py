"""Which files in a folder are photos, and which folders never hold any.

One rule for every command: a file is a photo by its suffix or, where that says nothing, by its
first bytes. Imports nothing heavy.
"""

from __future__ import annotations

import os
import stat
from typing import Final

SUFFIXES: Final = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".pjpeg", ".pjp", ".mpo"),
    *(".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".heic", ".heif", ".hif", ".avif"),
    *(".jp2", ".jpx", ".jpf", ".j2k", ".j2c", ".jpc"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""A file with one of these suffixes is a photo, even a damaged one, which is then reported."""

OTHER_SUFFIXES: Final = (
    *(".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".dng", ".pef", ".orf", ".rw2"),
    *(".raf", ".raw", ".rwl", ".3fr", ".iiq", ".x3f"),
    *(".thm", ".lrv"),
    *(".bak", ".tmp", ".part", ".partial", ".crdownload", ".download", "_original", "~"),
)
"""A file with one of these is no photo, even if it begins like one: raw data of cameras (their
JPEG lies beside them), previews of videos, backups, and downloads that are not complete."""

SYSTEM_FILES: Final = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")
"""What systems leave in folders, in lower case. Names that begin with a dot are hidden anyway."""

SYSTEM_FOLDERS: Final = frozenset(
    {
        *("@eadir", "#recycle", "#snapshot", "@tmp"),  # Synology
        *("@recycle", "@recently-snapshot"),  # QNAP
        *("$recycle.bin", "recycler", "system volume information"),  # Windows
        *("__macosx", "network trash folder", "temporary items"),  # macOS
        *("lost+found",),  # Linux
    }
)
"""Folders that never hold photos of the user's choice, in lower case: previews that a system made,
and what was deleted."""

_HEAD: Final = 16
_MAGIC: Final = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
)
_BRANDS: Final = (
    *(b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
)


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder of this name is passed over without a word."""
    return name.startswith(".") or name.casefold() in SYSTEM_FILES


def is_system_folder(name: str) -> bool:
    """Tell whether a folder of this name is never entered: hidden, or one of `SYSTEM_FOLDERS`."""
    return name.startswith(".") or name.casefold() in SYSTEM_FOLDERS


def is_photo_name(name: str) -> bool:
    """Tell whether a file of this name is a photo where nothing else is known, as in a bucket."""
    return not is_hidden(name) and name.lower().endswith(SUFFIXES)


def is_photo_file(path: str) -> bool:
    """Tell whether a file found in a folder is taken as a photo.

    A file with an unknown suffix, or none, is opened to see how it begins. One that cannot be
    opened is taken, so that whoever reads it says why.
    """
    name = os.path.basename(path)
    if is_hidden(name):
        return False
    if name.lower().endswith(SUFFIXES):
        return True
    if name.lower().endswith(OTHER_SUFFIXES):
        return False
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False  # opening a pipe would wait for ever
        with open(path, "rb") as file:
            return begins_like_a_photo(file.read(_HEAD))
    except OSError:
        return True


def begins_like_a_photo(head: bytes) -> bool:
    """Tell whether a file that begins with these bytes (16 or more) has a format that is read."""
    if head.startswith(_MAGIC):
        return True
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return True
    if head[4:8] == b"ftyp":
        return head[8:12] in _BRANDS
    if head.startswith(b"BM"):
        return head[6:10] == bytes(4) and head[14:16] in (
            b"\x0c\0",
            b"\x28\0",
            b"\x6c\0",
            b"\x7c\0",
        )
    number = head[3:4].isdigit() or head[3:4] == b"#"
    return head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace() and number
