"""Checking before a training that faces.csv still describes the photos on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from facegender.dataset.paths import PathIndex
from facegender.dataset.samples import SPLITS, Samples
from facegender.dataset.sidecar import Sidecar
from facegender.dataset.table import relative_path
from facegender.errors import DataError
from facegender.labels import LABELS
from facegender.runtime.parallel import ordered_map

CHUNK = 128
"""Photos sent to a process at a time."""

MISSING: Final = "no longer there"
UNREADABLE: Final = "no longer readable"
CHANGED: Final = "changed since prepare"


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows whose photo differs from what `prepare` read.

    Attributes:
        found: `MISSING`, `UNREADABLE` or `CHANGED` -> rows; kinds without rows are omitted.
        total: number of rows checked.
    """

    found: dict[str, list[int]]
    total: int

    @property
    def rows(self) -> list[int]:
        """All of them, in order."""
        return sorted(row for rows in self.found.values() for row in rows)

    def sentence(self, samples: Samples) -> str:
        """Return a sentence with the count and the first photo of each kind."""
        return "; ".join(
            f"{len(rows):,} of {self.total:,} photos are {what}, the first is "
            f"{samples.paths[rows[0]]}"
            for what, rows in self.found.items()
        )


def find_changes(
    samples: Samples,
    sidecar: Sidecar | None,
    *,
    table: Samples | None = None,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Changes:
    """Compare the photos of rows with what `prepare` read: their size, then their digest.

    Args:
        samples: the rows.
        sidecar: sidecar of the table; without one, only missing photos are found.
        table: all rows of the table, if `samples` are a subset.
        workers: processes that read; None means one per core.
        on_progress: called with (photos done, photos in all).
    """
    jobs = _jobs(samples, sidecar, samples if table is None else table)
    found: dict[str, list[int]] = {}
    for row, what in enumerate(ordered_map(_compare, jobs, workers=workers, chunk=CHUNK)):
        if what:
            found.setdefault(what, []).append(row)
        if on_progress is not None:
            on_progress(row + 1, len(samples))
    return Changes(found, len(samples))


def _jobs(
    samples: Samples, sidecar: Sidecar | None, table: Samples
) -> Iterator[tuple[str, tuple[int, str] | None]]:
    """Yield each row's path, with its size and digest from the sidecar of the table."""
    if sidecar is None:
        yield from ((path, None) for path in samples.paths)
        return
    index = None if samples is table else PathIndex(table.paths, str)
    for row, path in enumerate(samples.paths):
        place = row if index is None else index.find(path)
        known = None if place is None else (int(sidecar.sizes[place]), sidecar.digests[place])
        yield path, known


def _compare(job: tuple[str, tuple[int, str] | None]) -> str:
    path, known = job
    try:
        size = os.stat(path).st_size
    except OSError:
        return MISSING
    if known is None:
        return ""
    if size != known[0]:
        return CHANGED
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=16))
    except OSError:
        return UNREADABLE
    return "" if digest.hexdigest() == known[1] else CHANGED


def verify_splits(samples: Samples, wanted: tuple[str, ...]) -> None:
    """Refuse rows without a split, empty splits, and splits that lack a gender.

    Raises:
        DataError: it names the split.
    """
    unsplit = sum(split not in SPLITS for split in samples.splits)
    if unsplit:
        raise DataError(
            f"{unsplit:,} of {len(samples):,} rows have no split",
            "Make a faces.csv with splits: facegender prepare --labels FILE",
        )
    for split in wanted:
        rows = samples.rows_of(split)
        counts = np.bincount(samples.labels[rows].astype(np.intp), minlength=len(LABELS))
        if not rows:
            raise DataError(
                f"the {split} split is empty",
                "Run facegender prepare again; --val and --test give the shares.",
            )
        for label, name in enumerate(LABELS):
            if not counts[label]:
                raise DataError(
                    f"the {split} split has one gender only: no photo of the label {name}",
                    "A classifier needs photos of both.",
                )


def table_fingerprint(samples: Samples, folder: Path) -> str:
    """Return 16 hexadecimal digits that depend on the path, label and split of every row.

    Paths are taken relative to `folder`, the table's, so that both can be moved together.
    """
    state = hashlib.sha256()
    base = os.path.abspath(folder)
    for path, label, split in zip(samples.paths, samples.labels, samples.splits, strict=True):
        text = f"{relative_path(path, base)}\0{label}\0{split}\n"
        state.update(text.encode("utf-8", "surrogateescape"))
    return state.hexdigest()[:16]
