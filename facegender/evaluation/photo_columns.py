"""What photos are grouped by: folders, years, and columns of a table, as numbers of values."""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.table import PATH_WORDS, read_rows
from facegender.errors import DataError


@dataclass(slots=True)
class Column:
    """A value a photo: its number in `values`, or -1 where it is unknown."""

    codes: NDArray[np.int32]
    values: list[str]


class AttributeTable:
    """A CSV of attributes: a row's path as hashes, its cells as numbers of distinct values.

    Args:
        file: a table with a path column and others.
        answers_folder: what its paths may be relative to, beside its own folder and the current.

    Raises:
        DataError: it cannot be read or has no path column.
    """

    def __init__(self, file: Path, answers_folder: Path) -> None:
        header, rows = read_rows(file)
        if header is None:
            raise DataError(f"{file} has no header with a path column", "Expected path,NAME,NAME…")
        words = [name.casefold() for name in header]
        path_at = next(words.index(word) for word in PATH_WORDS if word in words)
        self._file = file
        self._names = {word: i for i, word in enumerate(words) if i != path_at and word}
        self.shown = [header[i] for i in self._names.values()]
        places = (file.parent, Path(), answers_folder)
        roots = list(dict.fromkeys(os.path.abspath(place) for place in places))
        keys = [array("q") for _ in roots]
        self._codes = {word: array("i") for word in self._names}
        self._values: dict[str, dict[str, int]] = {word: {} for word in self._names}
        for row in rows:
            if path_at >= len(row) or not row[path_at]:
                continue
            for root, column in zip(roots, keys, strict=True):
                column.append(hash(os.path.normpath(os.path.join(root, row[path_at]))))
            for word, i in self._names.items():
                known = self._values[word]
                cell = row[i].strip() if i < len(row) else ""
                self._codes[word].append(known.setdefault(cell, len(known)))
        self._keys = [np.array(column, np.int64) for column in keys]

    def has(self, name: str) -> bool:
        """Tell whether there is such a column, upper and lower case alike."""
        return name.casefold() in self._names

    def rows_of(self, photos: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each photo, -1 where it has none.

        Raises:
            DataError: no photo has one.
        """
        rows = np.full(len(photos), -1, np.int64)
        for keys in self._keys:
            if not len(keys):
                continue
            order = np.argsort(keys, kind="stable")
            place = np.minimum(np.searchsorted(keys[order], photos), len(keys) - 1)
            fits = keys[order][place] == photos
            rows = np.where((rows < 0) & fits, order[place], rows)
        if not (rows >= 0).any():
            raise DataError(
                f"no path in {self._file} matches a photo that was answered",
                "Write paths relative to that file's folder, or run from where predict ran.",
            )
        return rows

    def column(self, name: str, rows: NDArray[np.int64]) -> Column:
        """Return a column's values for photos.

        Args:
            name: of a column that there is.
            rows: of each photo, from `rows_of`.
        """
        word = name.casefold()
        codes = np.array(self._codes[word], np.int32)
        return make_column(np.where(rows >= 0, codes[rows], -1), list(self._values[word]))


def make_column(codes: NDArray[Any], values: list[str]) -> Column:
    """Return a column; the empty value is unknown."""
    codes = codes.astype(np.int32)
    if "" in values:
        codes[codes == values.index("")] = -1
    return Column(codes, values)


def crossed(columns: list[Column]) -> Column:
    """Return the combinations of columns as one; unknown where one of them is."""
    if len(columns) == 1:
        return columns[0]
    table = np.stack([column.codes for column in columns], axis=1)
    known = (table >= 0).all(axis=1)
    pairs, codes = np.unique(table[known], axis=0, return_inverse=True)
    values = [
        ", ".join(column.values[code] for column, code in zip(columns, row, strict=True))
        for row in pairs.tolist()
    ]
    out = np.full(len(table), -1, np.int32)
    out[known] = codes.reshape(-1)
    return Column(out, values)


def below_common(folders: list[str]) -> list[str]:
    """Shorten folders to what differs; the common one itself is ``.``."""
    try:
        common = os.path.commonpath(folders)
    except ValueError:  # on several drives, or absolute and relative ones
        common = ""
    if not common:
        return [folder or "." for folder in folders]
    return [os.path.relpath(folder, common).replace(os.sep, "/") for folder in folders]
