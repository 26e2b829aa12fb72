"""The rows of faces.csv that a training uses, checked before any slow work."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.choices import OnChange, Split, SplitMethod
from facegender.dataset.open_table import Table, open_table
from facegender.dataset.samples import Samples
from facegender.dataset.sidecar import Sidecar
from facegender.dataset.verify import Changes, find_changes, table_fingerprint, verify_splits
from facegender.errors import DataError
from facegender.training.events import Checking, OnEvent, Warn


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a faces.csv and their use.

    Attributes:
        csv: the table.
        samples: its rows, without those left out.
        fingerprint: of all its rows.
        learned: fingerprint of `samples`; the same if none was left out.
        skipped: number of rows left out because their photo vanished or changed.
        train, val: indices of the training and validation rows.
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


def read_rows(csv: str | os.PathLike[str] | Table) -> tuple[Rows, Sidecar | None]:
    """Read and check the table, without reading photos.

    Args:
        csv: the table, or what `open_table` made of it.

    Returns:
        the rows, and the table's sidecar for `check_photos`.

    Raises:
        DataError: a table that cannot be read, or without rows to learn from or to validate on.
    """
    table = open_table(csv)
    samples, sidecar = table.samples, table.sidecar
    like_article = sidecar is not None and sidecar.settings.get("split") == SplitMethod.ARTICLE
    validated_on = Split.TEST.value if like_article else Split.VAL.value
    verify_splits(samples, (Split.TRAIN, validated_on))
    rows = Rows(
        csv=table.csv,
        samples=samples,
        fingerprint=table.fingerprint,
        learned=table.fingerprint,
        skipped=0,
        train=np.array(samples.rows_of(Split.TRAIN), np.int64),
        val=np.array(samples.rows_of(validated_on), np.int64),
        validated_on=validated_on,
        crop=table.crop,
    )
    return rows, sidecar


def check_photos(
    rows: Rows,
    sidecar: Sidecar | None,
    on_event: OnEvent,
    *,
    on_change: str = OnChange.REFUSE,
    workers: int | None = None,
) -> Rows:
    """Compare the photos with what `prepare` read, by their size and digest.

    Args:
        rows: of the table.
        sidecar: of the table; without one only missing photos are found.
        on_event: called with progress and with a warning for rows left out.
        on_change: one of `choices.OnChange`.
        workers: processes that read; None means one per core.

    Returns:
        the rows, without those whose photo vanished or changed.

    Raises:
        DataError: there are such rows, and `on_change` is not to skip them.
    """
    samples = rows.samples
    changes = find_changes(
        samples,
        sidecar,
        workers=workers,
        on_progress=lambda done, total: on_event(Checking(done, total)),
    )
    if changes.rows:
        samples = _without(samples, changes, on_change, on_event)
        verify_splits(samples, (Split.TRAIN, rows.validated_on))
        rows = replace(
            rows,
            samples=samples,
            learned=table_fingerprint(samples, rows.csv.parent),
            skipped=len(changes.rows),
            train=np.array(samples.rows_of(Split.TRAIN), np.int64),
            val=np.array(samples.rows_of(rows.validated_on), np.int64),
        )
    if rows.validated_on == Split.TEST:
        on_event(
            Warn(
                "the article's split has no val rows: the test rows choose the best epoch here, as "
                "they did in the article, so the test accuracy will overestimate the model"
            )
        )
    return rows


def _without(samples: Samples, changes: Changes, on_change: str, on_event: OnEvent) -> Samples:
    """Leave out the rows whose photo changed.

    Raises:
        DataError: they are not to be left out.
    """
    what = changes.sentence(samples)
    if on_change == OnChange.REFUSE:
        raise DataError(
            what,
            "Put them back, run facegender prepare again, or leave them out: --on-change skip",
        )
    on_event(Warn(f"{what}; these rows are left out"))
    gone = set(changes.rows)
    return samples.take([row for row in range(len(samples)) if row not in gone])
