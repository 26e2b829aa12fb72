"""A disk cache for millions of crops, which the system frees when the process ends."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facegender.runtime.files import cannot_write

Crops = NDArray[np.uint8]
"""Crops: uint8, shape (number, height, width, 3)."""

Rows = slice | NDArray[np.integer[Any]]


class CropSource(Protocol):
    """Crops that are read by their numbers: an array, a `CropCache`, or some rows of one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(number, height, width, 3)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Crops: ...


class CropCache:
    """Crops on disk, written once and read in any order.

    The file is read, not mapped: mapped pages count as memory of the process, and a full disk would
    kill it. The system caches the file in free memory, so reading is cheap while it fits.

    Args:
        count: number of crops.
        shape: (height, width, 3) of each.
        folder: the folder of the file, which has no name.

    Raises:
        FaceGenderError: the folder cannot be written, or the disk is too full.
    """

    def __init__(self, count: int, shape: tuple[int, ...], folder: Path) -> None:
        self.shape = (count, *shape)
        self._size = int(np.prod(shape, dtype=np.int64))
        self._place = folder / "the cache of crops"
        self._turn = threading.Lock()
        try:
            file: Any = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
            self._file = file
            if count and hasattr(os, "posix_fallocate"):
                # A full disk is reported now, not after hours of reading photos.
                os.posix_fallocate(file.fileno(), 0, count * self._size)
        except OSError as error:
            raise cannot_write(self._place, error) from error

    def __len__(self) -> int:
        return self.shape[0]

    def __setitem__(self, row: int, crop: NDArray[np.uint8]) -> None:
        rest = np.ascontiguousarray(crop).reshape(-1).data
        try:
            with self._turn:
                self._file.seek(row * self._size)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise cannot_write(self._place, error) from error

    def __getitem__(self, rows: Rows) -> Crops:
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        places = [int(row) * self._size for row in rows]
        if hasattr(os, "posix_fadvise"):
            for place in places:  # the disk then fetches them together instead of one by one
                os.posix_fadvise(self._file.fileno(), place, self._size, os.POSIX_FADV_WILLNEED)
        crops = np.zeros((len(places), *self.shape[1:]), np.uint8)
        whole = crops.reshape(-1).data
        with self._turn:
            for i, place in enumerate(places):
                self._file.seek(place)
                rest = whole[i * self._size : (i + 1) * self._size]
                while rest and (read := self._file.readinto(rest)):
                    rest = rest[read:]
        return crops

    def take(self, rows: NDArray[np.integer[Any]]) -> CropRows:
        """Return some rows, in the given order, without reading them."""
        return CropRows(self, rows)


class CropRows:
    """A subset of the rows of a `CropCache`, read on demand.

    Args:
        cache: all crops.
        rows: indices of the subset.
    """

    def __init__(self, cache: CropCache, rows: NDArray[np.integer[Any]]) -> None:
        self._cache, self._rows = cache, rows
        self.shape = (len(rows), *cache.shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Rows) -> Crops:
        return self._cache[self._rows[rows]]
