"""The rows of faces.csv that a training uses, checked before anything slow happens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.open_table import Table, open_table
from facegender.dataset.samples import Samples
from facegender.dataset.verify import Changes, find_changes, table_fingerprint, verify_splits
from facegender.errors import DataError, UsageError
from facegender.training.events import Checking, OnEvent, Warn

REFUSE: Final = "refuse"
SKIP: Final = "skip"


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a faces.csv and what they are used for.

    Attributes:
        csv: the table.
        samples: its rows, without those left out.
        fingerprint: of all its rows.
        learned: fingerprint of `samples`; the same where none was left out.
        skipped: rows left out, since their photo vanished or changed.
        train, val: numbers of the rows to learn from and to validate on.
        validated_on: the split of `val`.
        crop: the geometry that the photos were cropped to, None for photos as they came.
    """

    csv: Path
    samples: Samples
    fingerprint: str
    learned: str
    skipped: int
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    validated_on: str
    crop: dict[str, Any] | None


def read_rows(
    csv: str | os.PathLike[str] | Table,
    on_event: OnEvent,
    *,
    on_change: str = REFUSE,
    workers: int | None = None,
) -> Rows:
    """Read and check the table; nothing slow happens before this has passed.

    Args:
        csv: the table, or what `open_table` made of it.
        on_event: told of progress, and of what is left out.
        on_change: `REFUSE` photos that vanished or changed since `prepare`, or `SKIP` their rows.
        workers: processes that read; None means one a core.
    """
    if on_change not in (REFUSE, SKIP):
        raise UsageError(f"unknown --on-change {on_change!r}", f"Choose {REFUSE} or {SKIP}.")
    table = open_table(csv)
    samples, sidecar = table.samples, table.sidecar
    like_article = sidecar is not None and sidecar.settings.get("split") == "article"
    validated_on = "test" if like_article else "val"
    verify_splits(samples, ("train", validated_on))
    learned = table.fingerprint
    changes = find_changes(
        samples,
        sidecar,
        workers=workers,
        on_progress=lambda done, total: on_event(Checking(done, total)),
    )
    if changes.rows:
        samples = _without(samples, changes, on_change, on_event)
        verify_splits(samples, ("train", validated_on))
        learned = table_fingerprint(samples, table.folder)
    if like_article:
        on_event(
            Warn(
                "the article's split has no val rows: the test rows choose the best epoch here, as "
                "they did in the article, so the test accuracy will flatter the model"
            )
        )
    return Rows(
        csv=table.csv,
        samples=samples,
        fingerprint=table.fingerprint,
        learned=learned,
        skipped=len(changes.rows),
        train=np.array(samples.rows_of("train"), np.int64),
        val=np.array(samples.rows_of(validated_on), np.int64),
        validated_on=validated_on,
        crop=table.crop,
    )


def _without(samples: Samples, changes: Changes, on_change: str, on_event: OnEvent) -> Samples:
    """Leave out the rows whose photo is not what it was.

    Raises:
        DataError: they are not to be left out.
    """
    what = changes.sentence(samples)
    if on_change == REFUSE:
        raise DataError(
            what,
            "Put them back, run facegender prepare again, or leave them out: --on-change skip",
        )
    on_event(Warn(f"{what}; these rows are left out"))
    gone = set(changes.rows)
    return samples.take([row for row in range(len(samples)) if row not in gone])
