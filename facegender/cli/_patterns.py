"""Patterns such as ``holiday/**/*.jpg`` -> the files that match, where no shell expanded them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import PurePath
from typing import Final

from facegender.images.photo_files import is_system_folder

MARKS: Final = "*?["
_SEPARATORS: Final = re.compile("[" + re.escape(os.sep + (os.altsep or "")) + "]+")


def is_pattern(name: str) -> bool:
    """Tell whether a name holds marks of a pattern."""
    return any(mark in name for mark in MARKS)


def matching_files(pattern: str) -> list[str]:
    """Return the files that a pattern matches, sorted, each once.

    ``*`` and ``?`` stand for characters of a name, ``[ab]`` for one of those characters, ``**``
    for any number of folders. A part that exists as it is written is taken as it is written:
    folders may have brackets in their names. Hidden files and the folders of
    `photo_files.SYSTEM_FOLDERS` match only where they are written out; a linked folder that leads
    back is entered once.
    """
    anchor = PurePath(pattern).anchor
    parts = [part for part in _SEPARATORS.split(pattern[len(anchor) :]) if part]
    return sorted({path for path in _expanded(anchor, parts) if os.path.isfile(path)})


def _expanded(base: str, parts: list[str]) -> Iterator[str]:
    if not parts:
        yield base
        return
    part, rest = parts[0], parts[1:]
    whole = os.path.join(base, part)
    if part == "**":
        for folder in _folders(base, set()):
            yield from _expanded(folder, rest or ["*"])
    elif not is_pattern(part) or os.path.lexists(whole):
        yield from _expanded(whole, rest)
    else:
        for name in _names(base):
            shown = not name.startswith(".") or part.startswith(".")
            if shown and fnmatch(name, part) and not (rest and is_system_folder(name)):
                yield from _expanded(os.path.join(base, name), rest)


def _folders(base: str, seen: set[str]) -> Iterator[str]:
    """A folder and those below it, each once."""
    real = os.path.realpath(base or os.curdir)
    if real in seen or not os.path.isdir(real):
        return
    seen.add(real)
    yield base
    for name in _names(base):
        if not is_system_folder(name):
            yield from _folders(os.path.join(base, name), seen)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder or os.curdir))
    except OSError:  # a file, or a folder that may not be read, holds nothing that matches
        return []
