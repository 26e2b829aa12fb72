"""What the user names on the command line -> paths of photos."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from facegender.errors import UsageError

SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".mpo",
    ".png",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".ppm",
    ".pgm",
)
"""Files that are taken from a folder; files that are named are always tried."""


def expand(
    arguments: Iterable[str], *, recursive: bool, nul: bool, on_empty: Callable[[str, str], None]
) -> Iterator[str]:
    """Yield the photos meant by files, folders, globs, and ``-`` for a list on stdin.

    Args:
        arguments: as given; none means ``-`` when `nul` is set.
        recursive: take folders inside folders too.
        nul: names on stdin end in NUL bytes instead of newlines.
        on_empty: told of a folder or pattern without photos, and why.

    Raises:
        UsageError: nothing named, or ``-`` twice.
    """
    names = list(arguments) or (["-"] if nul else [])
    if not names:
        raise UsageError("no photo given", "Name photos or folders, or - for a list on stdin.")
    if names.count("-") > 1:
        raise UsageError("- (stdin) is given twice", "Give it once.")
    for name in names:
        if name == "-":
            yield from _listed(nul)
        elif Path(name).is_dir():
            yield from _in_folder(name, recursive, on_empty)
        elif any(mark in name for mark in "*?[") and not os.path.lexists(name):
            yield from _matching(name, recursive, on_empty)
        else:
            yield name


def _listed(nul: bool) -> Iterator[str]:
    """Names from stdin, read as they come."""
    stream = sys.stdin.buffer
    if not nul:
        for line in stream:
            name = os.fsdecode(line.rstrip(b"\r\n"))
            if name:
                yield name
        return
    rest = b""
    while chunk := os.read(stream.fileno(), 65536):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from (os.fsdecode(name) for name in whole if name)
    if rest:
        yield os.fsdecode(rest)


def _in_folder(folder: str, recursive: bool, on_empty: Callable[[str, str], None]) -> Iterator[str]:
    found = False

    def unreadable(error: OSError) -> None:
        on_empty(error.filename, f"cannot be read: {error.strerror}")

    for place, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if recursive else []
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                found = True
                yield os.path.join(place, name)
    if not found:
        where = "" if recursive else "; --recursive looks in the folders inside it"
        on_empty(folder, f"no photos in this folder{where}")


def _matching(pattern: str, recursive: bool, on_empty: Callable[[str, str], None]) -> Iterator[str]:
    import glob

    names = sorted(glob.glob(pattern, recursive=recursive))
    photos = [name for name in names if Path(name).is_file()]
    if not photos:
        on_empty(pattern, "nothing matches this pattern")
    yield from photos
