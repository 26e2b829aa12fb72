"""Detecting the text encoding of a table."""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

BOM: Final = "\ufeff"
"""Byte order mark, by which Excel recognises UTF-8 instead of assuming Windows' encoding."""
UTF8: Final = "utf-8-sig"
"""With or without a byte order mark; invalid bytes are kept as surrogates."""
WINDOWS: Final = "cp1252"
"""The encoding of Excel's CSV in Western Europe and the Americas."""
UTF16: Final = "utf-16"
"""The encoding of Excel's Unicode text."""
_BLOCK: Final = 1 << 20
_LINES: Final = 200
"""Maximum number of lines with non-ASCII bytes that are examined."""


def encoding_of(file: Path, exists: Callable[[str], bool]) -> str:
    """Return the encoding of a table: `UTF8`, `UTF16`, or `WINDOWS` if it finds more files.

    Text that is not UTF-8 is either in a Windows encoding or contains file names with arbitrary
    bytes. Which of the two is decided by the files that exist.

    Args:
        file: the table.
        exists: returns whether a cell is the path of a file.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        head = stream.read(2)
    if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return UTF16
    if _is_utf8(file):
        return UTF8
    found = {name: _found(file, name, exists) for name in (UTF8, WINDOWS)}
    return WINDOWS if found[WINDOWS] > found[UTF8] else UTF8


def _is_utf8(file: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _found(file: Path, encoding: str, exists: Callable[[str], bool]) -> int:
    """Count the non-ASCII lines in which a cell is the path of a file."""
    count = 0
    for line in _odd_lines(file):
        try:
            text = line.decode(encoding, "surrogateescape")
            delimiter = next((mark for mark in ",;\t" if mark in text), ",")
            cells = next(csv.reader([text], delimiter=delimiter), [])
        except (UnicodeDecodeError, csv.Error):
            continue
        count += any(cell and exists(cell) for cell in cells)
    return count


def _odd_lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        odd = (line.rstrip(b"\r\n") for line in stream if not line.isascii())
        for _, line in zip(range(_LINES), odd, strict=False):
            yield line


def exists_below(folders: Sequence[Path]) -> Callable[[str], bool]:
    """Return a function that returns whether a path exists in one of the folders."""
    bases = [str(folder) for folder in folders]

    def exists(text: str) -> bool:
        plain = text.strip().replace("\\", "/")
        try:
            return any(os.path.lexists(os.path.join(base, plain)) for base in bases)
        except ValueError:  # a NUL character
            return False

    return exists
