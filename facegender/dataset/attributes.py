"""Joining attribute columns, such as age and race, to samples by path."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np

from facegender.dataset.samples import SPLITS, Samples
from facegender.dataset.table import HEADER, PATH_WORDS, PhotoFinder, read_rows
from facegender.errors import DataError, UsageError
from facegender.labels import LABELS, parse_label


def join_attributes(samples: Samples, file: Path, roots: list[Path]) -> int:
    """Add the columns of `file` to `samples`, by path; return the number of rows without any.

    Paths in the file are relative to its own folder or to one of `roots`. A column `gender` or
    `label` is checked against the label and not stored; `person` and `split` fill empty cells.

    Raises:
        DataError: no header or path column, no matching path, or a gender that contradicts a label.
    """
    header, rows = read_rows(file, roots)
    if header is None:
        raise DataError(f"{file} has no header with a path column", "Expected path,NAME,NAME…")
    words = [name.casefold() for name in header]
    path_column = next(words.index(word) for word in PATH_WORDS if word in words)
    finder = PhotoFinder(samples.paths, [file.parent, *roots])
    first_of = finder.index.first
    kept = [i for i, word in enumerate(words) if word not in ("gender", *HEADER, *PATH_WORDS)]
    columns = {header[i]: [""] * len(samples) for i in kept}
    shared: dict[str, str] = {}
    named = np.zeros(len(samples), bool)
    for row in rows:
        cells = dict(zip(words, row, strict=False))
        index = finder.find(row[path_column] if path_column < len(row) else "")
        if index is None:
            continue
        named[index] = True
        _check_gender(samples, index, cells, file)
        _fill(samples, index, cells)
        for i in kept:
            value = row[i] if i < len(row) else ""
            columns[header[i]][index] = shared.setdefault(value, value)
    if not named.any():
        raise DataError(
            f"no path in {file} matches a photo; a photo is {samples.paths[0]}",
            "Write paths relative to the attribute file's folder or to the photos' folder.",
        )
    samples.attributes.update(columns)
    for again in np.flatnonzero(first_of != np.arange(len(samples))).tolist():
        first = int(first_of[again])  # the same photo, listed before
        for column in columns.values():
            column[again] = column[first]
        for column in (samples.persons, samples.splits):
            column[again] = column[again] or column[first]
    return int((~named[first_of]).sum())


class ColumnByPath:
    """One column of an attribute table, looked up by a photo's path.

    Args:
        file: a CSV with a column ``path``; its paths are relative to its own folder or the
            current one, or absolute.
        column: name of the column, in any case.

    Raises:
        DataError: the file cannot be read or has no header with a path.
        UsageError: no such column.
    """

    def __init__(self, file: Path, column: str) -> None:
        header, rows = read_rows(file)
        if header is None:
            raise DataError(f"{file} has no header with a path column", "Expected path,NAME,NAME…")
        words = [name.casefold() for name in header]
        if column.casefold() not in words:
            raise UsageError(f"no column {column!r} in {file}", f"It has: {', '.join(header)}.")
        path_at = next(words.index(word) for word in PATH_WORDS if word in words)
        value_at = words.index(column.casefold())
        self._folders = [file.parent, Path()]
        self._values: dict[str, str] = {}
        shared: dict[str, str] = {}
        for row in rows:
            if max(path_at, value_at) < len(row) and row[path_at].strip():
                value = row[value_at].strip()
                for place in self._places(row[path_at].strip().replace("\\", "/")):
                    self._values.setdefault(place, shared.setdefault(value, value))

    def _places(self, path: str) -> list[str]:
        """Return the possible locations of a path, in one Unicode form."""
        places = (os.path.abspath(folder / path) for folder in self._folders)
        return list(dict.fromkeys(unicodedata.normalize("NFC", place) for place in places))

    def value(self, path: str) -> str:
        """Return the value of a photo, "" if the table does not list it."""
        return self._values.get(unicodedata.normalize("NFC", os.path.abspath(path)), "")


def _check_gender(samples: Samples, index: int, cells: dict[str, str], file: Path) -> None:
    for name in ("gender", "label"):
        text = cells.get(name, "")
        if text and parse_label(text) != samples.labels[index]:
            raise DataError(
                f"{file} gives {name} {text!r} for {samples.paths[index]}, whose label is "
                f"{LABELS[samples.labels[index]]}",
                f"Correct one of them, or rename the column {name}.",
            )


def _fill(samples: Samples, index: int, cells: dict[str, str]) -> None:
    if not samples.persons[index]:
        samples.persons[index] = cells.get("person", "")
    split = cells.get("split", "")
    if not samples.splits[index] and split in SPLITS:
        samples.splits[index] = split
