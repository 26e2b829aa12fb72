"""The rows of faces.csv that a training uses, checked before anything slow happens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facegender.dataset.samples import Samples
from facegender.dataset.sidecar import Sidecar, read_sidecar
from facegender.dataset.table import read_table
from facegender.dataset.verify import fingerprint_of, verify_files, verify_splits
from facegender.errors import DataError
from facegender.training.events import OnEvent, Warn


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a faces.csv and what they are used for."""

    csv: Path
    samples: Samples
    fingerprint: str
    train: list[int]
    val: list[int]
    validated_on: str


def read_rows(csv: Path, on_event: OnEvent) -> Rows:
    """Read and check the table; nothing slow happens before this has passed."""
    samples, sidecar = read_table(csv), read_sidecar(csv)
    like_article = sidecar is not None and sidecar.settings.get("split") == "article"
    validated_on = "test" if like_article else "val"
    verify_splits(samples, ("train", validated_on))
    verify_files(samples, sidecar)
    _check_crop(csv, sidecar)
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
        train=samples.rows_of("train"),
        val=samples.rows_of(validated_on),
        validated_on=validated_on,
    )


def _check_crop(csv: Path, sidecar: Sidecar | None) -> None:
    if sidecar is not None and sidecar.crop is not None:
        raise DataError(
            f"the photos of {csv} were cropped to {sidecar.crop}, which no network here takes",
            "Prepare the original photos.",
        )
