"""Reading photos by name, from disks, buckets and the web."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from facegender.archive.buckets import explained, import_extra, is_remote, locate, read_object
from facegender.errors import FaceGenderError, PhotoError, UsageError
from facegender.faces.extraction import Source
from facegender.images.download import DownloadLimits, fetch, is_url

THREADS: Final = 16
"""Photos that a worker requests concurrently from a bucket or the web. A request takes tens of
milliseconds and scoring a few: with one request at a time, a core would mostly wait."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads photos by name, in any process.

    Attributes:
        base: the folder that relative names refer to.
        limits: of downloads from the web; None refuses addresses.
    """

    base: str
    limits: DownloadLimits | None = None

    def whole_name(self, name: str) -> str:
        """Return the full name of a photo, valid in every process."""
        if is_remote(name) or is_url(name):
            return name
        return os.path.join(self.base, local_path(name))

    def read(self, name: str) -> Source:
        """Return a path, the photo's bytes, or the reason why it cannot be read.

        Raises:
            StoreError: a store does not answer, or refuses.
        """
        whole = self.whole_name(name)
        try:
            if is_remote(whole):
                return read_object(whole)
            if not is_url(whole) or os.path.lexists(os.path.join(self.base, whole)):
                return os.path.join(self.base, whole)
            if self.limits is None:
                return PhotoError("refused", "an address, and --allow-url is not given")
            return fetch(whole, self.limits)
        except PhotoError as error:
            return error

    def sources(self, names: Sequence[str]) -> Iterator[Source]:
        """Read photos in order, prefetching remote ones."""
        if not any(is_remote(name) or is_url(name) for name in names):
            yield from map(self.read, names)
            return
        waiting: deque[Future[Source]] = deque()
        left = iter(names)
        with ThreadPoolExecutor(THREADS) as pool:
            try:
                while True:
                    for name in islice(left, 2 * THREADS - len(waiting)):
                        waiting.append(pool.submit(self.read, name))
                    if not waiting:
                        return
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


def local_path(name: str) -> str:
    """Return the path of a name, which may be a ``file://`` address."""
    parts = urlsplit(name) if name.startswith("file://") else None
    if parts is None or parts.netloc not in ("", "localhost"):
        return name
    return unquote(parts.path)


def names_in_parquet(file: str, column: str = "path") -> Iterator[str]:
    """Yield the names in a column of a Parquet file, on a disk or in a bucket, row by row.

    Raises:
        UsageError: it has no such text column.
        FaceGenderError: it is missing or not a Parquet file.
        StoreError: a store does not answer, or refuses.
    """
    arrow, parquet = import_extra("pyarrow"), import_extra("pyarrow.parquet")
    try:
        with explained(file), parquet.ParquetFile(_opened(file)) as table:
            types = {field.name: field.type for field in table.schema_arrow}
            if str(types.get(column)) not in ("string", "large_string"):
                raise UsageError(
                    f"{file} has no column {column!r} of text, but {sorted(types)}",
                    f"Give a Parquet file whose column {column!r} names the photos.",
                )
            for batch in table.iter_batches(columns=[column]):
                yield from (name for name in batch.column(0).to_pylist() if name)
    except FileNotFoundError:
        raise FaceGenderError(f"{file} is missing", "") from None
    except arrow.ArrowException as error:
        raise FaceGenderError(f"{file} cannot be read as Parquet: {error}", "") from None


def _opened(file: str) -> Any:
    if not is_remote(file):
        return local_path(file)
    store, path = locate(file)
    return store.open_input_file(path)
