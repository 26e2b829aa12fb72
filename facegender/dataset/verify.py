"""Checking that faces.csv still describes the photos on disk, before hours are spent on them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from facegender.dataset.samples import SPLITS, Samples
from facegender.dataset.sidecar import Sidecar
from facegender.dataset.table import relative_path
from facegender.errors import DataError
from facegender.labels import LABELS


def verify_files(samples: Samples, sidecar: Sidecar | None) -> None:
    """Refuse rows whose photo vanished or, where the sidecar knows its size, changed.

    Raises:
        DataError: it names how many and the first.
    """
    missing, changed = [], []
    for row, path in enumerate(samples.paths):
        try:
            size = os.stat(path).st_size
        except OSError:
            missing.append(path)
            continue
        if sidecar is not None and size != sidecar.sizes[row]:
            changed.append(path)
    for paths, what in ((missing, "no longer there"), (changed, "changed since prepare")):
        if paths:
            raise DataError(
                f"{len(paths):,} of {len(samples):,} photos are {what}, the first is {paths[0]}",
                "Run facegender prepare again, or put them back.",
            )


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


def fingerprint_of(samples: Samples, folder: Path) -> str:
    """Return 16 hexadecimal digits that change with any row's path, label or split.

    Paths count relative to `folder`, the table's, so that both may move together.
    """
    state = hashlib.sha256()
    base = os.path.abspath(folder)
    for path, label, split in zip(samples.paths, samples.labels, samples.splits, strict=True):
        text = f"{relative_path(path, base)}\0{label}\0{split}\n"
        state.update(text.encode("utf-8", "surrogateescape"))
    return state.hexdigest()[:16]
