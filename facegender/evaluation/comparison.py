"""Paired comparison of two models on the same photos."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.given_answers import read_given_answers
from facegender.dataset.samples import Samples
from facegender.evaluation.intervals import (
    Estimate,
    Z,
    effective_units,
    error_of,
    estimate,
    number_units,
    resampled_weights,
)
from facegender.evaluation.metrics import Floats, Predictions
from facegender.labels import MALE

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class OtherPredictions:
    """Another model's predictions for the same photos.

    Attributes:
        name: the model folder, or the file with another tool's answers.
        predictions: of every row; NaN without an answer.
        listed: bool (n,), rows that the other model was run on. The others are not compared.
    """

    name: str
    predictions: Predictions
    listed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison.

    Attributes:
        other: name of the second model.
        first, second: accuracy of each on the photos compared.
        coverage: share of the photos compared to which the second has an answer, 0 to 1.
        missing: rows that the second was not run on, left out of the comparison.
        difference: accuracy of the first minus that of the second, every compared row counted.
        only_first: photos that only the first classifies correctly.
        only_second: photos that only the second classifies correctly.
        p_value: of McNemar's exact test that both have the same error rate.
        differing: rows that exactly one of them classifies correctly.
    """

    other: str
    first: Estimate
    second: Estimate
    coverage: float
    missing: NDArray[np.intp]
    difference: Estimate
    only_first: int
    only_second: int
    p_value: float
    differing: NDArray[np.intp]

    def to_json(self, samples: Samples) -> dict[str, Any]:
        """Return plain JSON types, the photos by their paths."""
        return {
            "other": self.other,
            "accuracy": {"this": self.first.to_json(), "other": self.second.to_json()},
            "coverage": self.coverage,
            "missing": [os.fspath(samples.paths[row]) for row in self.missing],
            "difference": self.difference.to_json(),
            "only_first": self.only_first,
            "only_second": self.only_second,
            "p_value": self.p_value,
            "photos": [os.fspath(samples.paths[row]) for row in self.differing],
        }


def compare_predictions(
    first: Predictions,
    other: OtherPredictions,
    persons: list[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare the predictions of two models for the same photos.

    If persons have several photos, the interval of the difference is a bootstrap over persons.

    Args:
        first: predictions of the evaluated model; a missing one counts as an error.
        other: those of the other model. Rows that are not listed are left out for both.
        persons: a name per photo, "" if unknown; None means all unknown.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    rows = np.flatnonzero(other.listed)
    one, two = first.take(rows), other.predictions.take(rows)
    names = None if persons is None else [persons[row] for row in rows]
    accuracies = [
        estimate(each, names, seed=seed, resamples=resamples, names=("accuracy",))["accuracy"]
        for each in (one, two)
    ]
    right = _right(one).astype(int) - _right(two).astype(int)
    only_first, only_second = int((right == 1).sum()), int((right == -1).sum())
    total, z = _photos_and_z(right, number_units(names, len(right)), resamples, seed)
    low, high = matched_interval(only_first / len(right), only_second / len(right), total, z)
    return Comparison(
        other=other.name,
        first=accuracies[0],
        second=accuracies[1],
        coverage=float(two.answered.mean()),
        missing=np.flatnonzero(~other.listed),
        difference=Estimate(float(right.mean()), low, high),
        only_first=only_first,
        only_second=only_second,
        p_value=mcnemar(only_first, only_second),
        differing=rows[np.flatnonzero(right)],
    )


def matched_interval(
    only_first: float, only_second: float, total: float, z: float = Z
) -> tuple[float, float]:
    """Return the 95 % interval of a difference of two matched proportions.

    Source: Agresti and Min, "Simple improved confidence intervals for comparing matched
    proportions", 2005: half a photo is added to each of the four cells.

    Args:
        only_first, only_second: shares of the photos that only one classifies correctly.
        total: number of photos.
        z: half-width in standard errors.
    """
    wide = total + 2
    difference = (only_first - only_second) * total / wide
    apart = ((only_first + only_second) * total + 1) / wide - difference**2
    spread = z * math.sqrt(apart / wide)
    return max(-1.0, difference - spread), min(1.0, difference + spread)


def _photos_and_z(
    right: NDArray[np.int_], units: NDArray[np.intp], resamples: int, seed: int
) -> tuple[float, float]:
    """Return the effective number of independent photos, and the half-width in standard errors."""
    sums, counts = np.bincount(units, right), np.bincount(units).astype(np.float64)
    if len(sums) == len(right):
        return float(len(right)), Z
    persons = effective_units(counts)
    if persons <= 1:
        return 1.0, Z
    drawn = [(w @ sums) / (w @ counts) for w in resampled_weights(len(sums), resamples, seed)]
    error, z = error_of(float(np.concatenate(drawn).std()), persons)
    if not error:
        return persons, z
    return min(float(len(right)), float(right.var()) / error**2), z


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p value of McNemar's exact test.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions
    or percentages", 1947; exact by the binomial distribution.
    """
    from scipy.stats import binomtest

    total = only_first + only_second
    return float(binomtest(only_first, total).pvalue) if total else 1.0


def read_predictions(file: Path, samples: Samples) -> OtherPredictions:
    """Read another tool's answers from a CSV, as `read_given_answers` does.

    A photo without an answer counts as an error; one that the file does not list is not compared.

    Raises:
        DataError: as `read_given_answers`.
    """
    given = read_given_answers(file, samples)
    return OtherPredictions(
        os.fspath(file), Predictions(samples.labels, given.p_male), given.listed
    )


def _right(predictions: Predictions) -> NDArray[np.bool_]:
    p_male: Floats = predictions.p_male
    right: NDArray[np.bool_] = predictions.answered & (
        (p_male >= 0.5) == (predictions.labels == MALE)
    )
    return right
