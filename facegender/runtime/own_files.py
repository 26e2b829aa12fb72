"""Recognising files that facegender wrote: outputs replace no others."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from facegender.errors import UsageError

MARK = "made by facegender"
"""Stands in the comment of every picture and in the head of every page that is written."""
_HEAD = 8192
_BOM = b"\xef\xbb\xbf"
_SIGNS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb'\{\s*"schema": 1\b',  # --json of every command
        rb'\{"path": (".*?"|null), "error": (".*?"|null), ',  # a line of --jsonl
        rb"path,error,face,x,y,width,height,",  # predict --csv
        rb"path,error,track,start,end,",  # predict --csv of videos
        rb"path,label,p_male\b",  # eval --predictions
        rb"column,value,faces,",  # count --csv
        rb"path,box,label\b",  # review
        rb"\s*photo\s+face\s+where\s+gender\s",  # predict's table
        rb".*" + MARK.encode(),
    )
)
"""How each kind of file begins."""


def is_own(path: Path) -> bool:
    """Return whether a file looks as if facegender wrote it; true for an empty file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD).removeprefix(_BOM)
    return not head or any(sign.match(head) for sign in _SIGNS)


def refuse_foreign(target: Path, *, force: bool = False) -> None:
    """Refuse to overwrite a file that facegender did not write.

    Devices and pipes, such as /dev/null, are allowed.

    Args:
        target: where an output is about to be written; it need not exist.
        force: replace whatever is there.

    Raises:
        UsageError: another file, or a folder, is there.
    """
    try:
        mode = target.stat().st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        raise UsageError(f"{target} is a folder", "Give the name of a file.")
    if force or not stat.S_ISREG(mode):
        return
    try:
        own = is_own(target)
    except OSError as error:
        raise UsageError(
            f"{target} exists and cannot be read: {error.strerror}", "Choose another name."
        ) from None
    if not own:
        raise UsageError(
            f"{target} exists, and facegender did not write it",
            "Choose another name, or replace it with --force.",
        )
