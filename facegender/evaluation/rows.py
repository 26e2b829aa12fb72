"""The rows that an evaluation judges, and the model's answers to them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.choices import EvalSplit, Split
from facegender.dataset.open_table import Table, open_table
from facegender.dataset.reviewed import Reviewed
from facegender.dataset.samples import Samples
from facegender.dataset.where import parse_condition
from facegender.errors import BundleError, DataError
from facegender.evaluation.reviewed import describe_reviewed, predict_reviewed, read_framed
from facegender.labels import MALE
from facegender.prediction.predictor import Predictor

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows to judge.

    Attributes:
        table: the whole table.
        samples: the rows.
        split: one of `choices.EvalSplit`.
        where: the conditions that they satisfy.
        faces: what people said, where the rows are single faces of a labels.csv.
    """

    table: Table
    samples: Samples
    split: str
    where: list[str]
    faces: Reviewed | None


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's answers to rows.

    Attributes:
        p_male: float64 (n,), 0 to 1, NaN for a photo without an answer.
        no_face, unreadable: photos without an answer.
        reviewed: see `describe_reviewed`; None for a table of photos.
        seconds: time of reading and predicting.
    """

    p_male: NDArray[np.float64]
    no_face: int
    unreadable: int
    reviewed: dict[str, Any] | None
    seconds: float


def select_rows(
    csv: str | os.PathLike[str] | Table, split: str, where: list[str], *, stress: bool
) -> Rows:
    """Open a table, or a labels.csv, and select the rows to judge.

    Raises:
        DataError: no such rows.
        UsageError: something was asked for that a labels.csv does not have.
    """
    framed = read_framed(csv, split, stress)
    table = open_table(csv) if framed is None else framed.table
    split = split if framed is None else EvalSplit.ALL
    samples = _select(table.csv, table.samples, split, where)
    return Rows(table, samples, split, where, None if framed is None else framed.labels)


def answer_rows(
    predictor: Predictor, rows: Rows, cropped: bool, on_progress: OnProgress | None
) -> Answers:
    """Predict the rows as `predict` does.

    Args:
        predictor: the model.
        rows: the rows.
        cropped: whether their photos were already cropped to the model's geometry.
        on_progress: called with (photos done, photos in all).

    Raises:
        BundleError: an answer is not a number.
        DataError: no photo can be read.
    """
    start = time.perf_counter()
    samples, reviewed = rows.samples, None
    if rows.faces is None:
        p_male, no_face, unreadable = _predict(predictor, samples, cropped, on_progress)
    else:
        found = predict_reviewed(predictor, samples, rows.faces.not_faces, on_progress)
        p_male, no_face, unreadable = found.p_male, found.no_face, found.unreadable
        reviewed = describe_reviewed(rows.faces, found.false_faces, len(set(samples.paths)))
    if unreadable == len(samples):
        raise DataError(
            f"none of the {len(samples):,} photos can be read, the first is {samples.paths[0]}",
            "Were they moved? Run prepare again where they are now.",
        )
    return Answers(p_male, no_face, unreadable, reviewed, time.perf_counter() - start)


def p_male_of(
    predictor: Predictor, rows: Rows, cropped: bool, on_progress: OnProgress | None
) -> NDArray[np.float64]:
    """Return another model's probabilities for the rows, NaN where it has no answer."""
    if rows.faces is not None:
        return predict_reviewed(predictor, rows.samples, [], on_progress).p_male
    return _predict(predictor, rows.samples, cropped, on_progress)[0]


def _select(csv: Path, table: Samples, split: str, where: list[str]) -> Samples:
    samples = table if split == EvalSplit.ALL else table.take(table.rows_of(split))
    if not len(samples):
        counts = {name: len(table.rows_of(name)) for name in map(str, Split)}
        has = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise DataError(
            f"{csv} has no rows in the split {split!r} ({has})", "Choose another with --split."
        )
    kept = np.ones(len(samples), dtype=bool)
    for text in where:
        kept &= parse_condition(text).rows(samples)
    samples = samples.take(np.flatnonzero(kept))
    if not len(samples):
        raise DataError(f"no rows of the split {split!r} satisfy {' and '.join(where)}", "")
    return samples


def _predict(
    predictor: Predictor,
    samples: Samples,
    cropped: bool,
    on_progress: OnProgress | None,
) -> tuple[NDArray[np.float64], int, int]:
    """Return p(male) of each row's largest face, and the counts without a face or photo."""
    p_male = np.full(len(samples), np.nan)
    no_face = unreadable = 0
    for row, prediction in enumerate(predictor.stream(samples.paths, cropped=cropped)):
        if prediction.faces:
            p_male[row] = prediction.faces[0].probabilities[MALE]
            if np.isnan(p_male[row]):  # It would be taken for a photo without an answer.
                raise BundleError(
                    f"the model's answer to {prediction.path} is not a number",
                    "Check the model's files with: facegender info",
                )
        elif prediction.error is None:
            no_face += 1
        else:
            unreadable += 1
        if on_progress is not None:
            on_progress(row + 1, len(samples))
    # In single precision a probability may exceed 1 by rounding.
    return np.clip(p_male, 0, 1), no_face, unreadable
