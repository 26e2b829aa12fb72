"""A compact list of paths, for millions of photos: each folder is stored once."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


class Paths(MutableSequence[str]):
    """A list of paths in about 16 bytes each and the length of the photo's name.

    A list of strings takes 60 bytes and the length of the whole path each. Folders and names are
    only appended to, so lists made by `take` share them.
    """

    __slots__ = ("_ends", "_folder", "_folders", "_known", "_names", "_starts")

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._folders: list[str] = []
        self._known: dict[str, int] = {}
        self._names = bytearray()
        self._folder, self._starts, self._ends = array("i"), array("q"), array("q")
        self.extend(paths)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> Paths:
        """Return the paths of some rows, in the given order."""
        chosen = np.asarray(rows, dtype=np.intp)
        taken = Paths()
        taken._folders, taken._known, taken._names = self._folders, self._known, self._names
        for name in ("_folder", "_starts", "_ends"):
            column = getattr(self, name)
            # frombuffer raises for an empty buffer
            kept = np.frombuffer(column, column.typecode)[chosen].tobytes() if len(chosen) else b""
            setattr(taken, name, array(column.typecode, kept))
        return taken

    def __len__(self) -> int:
        return len(self._folder)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Paths: ...
    def __getitem__(self, row: int | slice) -> str | Paths:
        if isinstance(row, slice):
            return self.take(range(len(self))[row])
        name = self._names[self._starts[row] : self._ends[row]]
        return self._folders[self._folder[row]] + name.decode("utf-8", "surrogatepass")

    def __setitem__(self, row: int | slice, path: Any) -> None:
        if isinstance(row, slice):
            raise TypeError("set one path at a time")
        self._folder[row], self._starts[row], self._ends[row] = self._kept(path)

    def __delitem__(self, row: int | slice) -> None:
        for column in (self._folder, self._starts, self._ends):
            del column[row]

    def insert(self, row: int, path: str) -> None:
        """Insert a path before a row."""
        columns = self._folder, self._starts, self._ends
        for column, value in zip(columns, self._kept(path), strict=True):
            column.insert(row, value)

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, tuple, Paths)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"Paths([{shown}{', …' if len(self) > 3 else ''}])"

    def _kept(self, path: str) -> tuple[int, int, int]:
        """Store a path: the number of its folder, and start and end of its name."""
        cut = max(path.rfind("/"), path.rfind(os.sep)) + 1
        folder = self._known.setdefault(path[:cut], len(self._folders))
        if folder == len(self._folders):
            self._folders.append(path[:cut])
        start = len(self._names)
        self._names += path[cut:].encode("utf-8", "surrogatepass")
        return folder, start, len(self._names)


class PathIndex:
    """Finds rows by their path, in 32 bytes a row.

    Args:
        paths: the rows' paths.
        key: normalises paths, such as `os.path.abspath`.

    Attributes:
        first: int64 (n,), for each row the first row of the same path.
    """

    def __init__(self, paths: Sequence[str], key: Callable[[str], str]) -> None:
        self._paths, self._key = paths, key
        hashes = np.fromiter((hash(key(path)) for path in paths), np.int64, len(paths))
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]
        self.first = np.arange(len(paths))
        again = np.flatnonzero(self._hashes[1:] == self._hashes[:-1]) + 1
        for row in self._order[again]:
            self.first[row] = self._find(key(paths[row]))

    def find(self, path: str) -> int | None:
        """Return the first row of a path, None if there is none.

        Args:
            path: a normalised path.
        """
        row = self._find(path)
        return None if row < 0 else row

    def _find(self, path: str) -> int:
        code = hash(path)
        place = int(np.searchsorted(self._hashes, code))
        while place < len(self._hashes) and self._hashes[place] == code:
            row = int(self._order[place])
            if self._key(self._paths[row]) == path:
                return row
            place += 1
        return -1
