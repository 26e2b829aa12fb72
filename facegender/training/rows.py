"""The rows of faces.csv that a training uses, checked before anything slow happens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.samples import Samples
from facegender.dataset.sidecar import read_crop, read_sidecar
from facegender.dataset.table import read_table
from facegender.dataset.verify import fingerprint_of, verify_files, verify_splits
from facegender.training.events import OnEvent, Warn


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a faces.csv and what they are used for.

    Attributes:
        csv: the table.
        samples: all of its rows.
        fingerprint: of them.
        train, val: numbers of the rows to learn from and to validate on.
        validated_on: the split of `val`.
        crop: the geometry that the photos were cropped to, None for photos as they came.
    """

    csv: Path
    samples: Samples
    fingerprint: str
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    validated_on: str
    crop: dict[str, Any] | None


def read_rows(csv: Path, on_event: OnEvent) -> Rows:
    """Read and check the table; nothing slow happens before this has passed."""
    # Before the table, since reading a sidecar takes memory for a while.
    sidecar, crop = read_sidecar(csv), read_crop(csv)
    samples = read_table(csv)
    like_article = sidecar is not None and sidecar.settings.get("split") == "article"
    validated_on = "test" if like_article else "val"
    verify_splits(samples, ("train", validated_on))
    verify_files(samples, sidecar)
    if like_article:
        on_event(
            Warn(
                "the article's split has no val rows: the test rows choose the best epoch here, as "
                "they did in the article, so the test accuracy will flatter the model"
            )
        )
    return Rows(
        csv=csv,
        samples=samples,
        fingerprint=fingerprint_of(samples, csv.parent),
        train=np.array(samples.rows_of("train"), np.int64),
        val=np.array(samples.rows_of(validated_on), np.int64),
        validated_on=validated_on,
        crop=crop,
    )
