"""Metrics of a classifier, for a data set and for many resamples of it at once.

Each metric takes weights, so that the same formula gives the value and its bootstrap resamples.
The values equal scikit-learn's (tests check this to 1e-9), which computes one resample at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegender.errors import DataError
from facegender.labels import LABELS, MALE

Floats = NDArray[np.float64]

NAMES = (
    "accuracy",
    "balanced_accuracy",
    "recall_female",
    "recall_male",
    "precision_female",
    "precision_male",
    "f1_female",
    "f1_male",
    "mcc",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "ece",
)
RANKING = ("roc_auc", "average_precision")
BINS = 15


@dataclass(frozen=True, slots=True)
class Predictions:
    """Labels and predicted probabilities of photos.

    Attributes:
        labels: int8 (n,), 0 = female, 1 = male.
        p_male: float64 (n,), probability of male; NaN without an answer.
    """

    labels: NDArray[np.int8]
    p_male: Floats

    def __post_init__(self) -> None:
        """Check labels and probabilities.

        Raises:
            DataError: labels other than 0 and 1, probabilities out of range, or unequal lengths.
        """
        if self.labels.shape != self.p_male.shape or self.labels.ndim != 1:
            raise DataError(
                f"{self.labels.shape} labels and {self.p_male.shape} probabilities do not match"
            )
        for values, what in ((self.labels, "label"), (self.p_male, "probability")):
            allowed = (values == 0) | (values == 1)
            if what == "probability":
                allowed = np.isnan(values) | ((values >= 0) & (values <= 1))
            if not allowed.all():
                raise DataError(f"{values[~allowed][0]} is no {what}", "Labels are 0 and 1.")

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Return which photos have an answer."""
        return ~np.isnan(self.p_male)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Predictions:
        """Return a subset of the photos."""
        return Predictions(self.labels[rows], self.p_male[rows])


class WeightedMetrics:
    """Computes metrics of predictions for any weights of their resampling units.

    A photo without an answer counts as an error in accuracy, recall and F1. Precision, MCC and
    the metrics of probabilities are over photos with one.

    Args:
        predictions: labels and probabilities.
        units: int (n,), the unit (0, 1, …) of each photo, such as its person; None means that
            each photo is a unit.
    """

    def __init__(self, predictions: Predictions, units: NDArray[np.intp] | None = None) -> None:
        labels, p_male, found = predictions.labels, predictions.p_male, predictions.answered
        self._of = np.arange(len(labels)) if units is None else units
        self.units = int(self._of.max(initial=-1)) + 1
        male = p_male >= 0.5
        # 0..5: (label, answer), where the answer is female, male or missing.
        cell = np.where(found, 3 * labels + male, 3 * labels + 2)
        right = np.where(labels == MALE, p_male, 1 - p_male)
        loss = np.where(found, -np.log(np.clip(right, 1e-15, 1.0)), 0.0)
        brier = np.where(found, (p_male - (labels == MALE)) ** 2, 0.0)
        # float64 (units, 8): photos per cell, and the sums of both losses.
        self._sums = np.empty((self.units, 8))
        for column, values in enumerate((*(cell == i for i in range(6)), loss, brier)):
            self._sums[:, column] = np.bincount(self._of, values, self.units)
        ranked = np.flatnonzero(found)[np.argsort(-p_male[found], kind="stable")]
        scores = p_male[ranked]
        self._ranked = self._of[ranked]
        self._male = labels[ranked] == MALE
        # The last photo of each group of tied probabilities.
        self._ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], len(scores) > 0))
        sure = np.nan_to_num(np.where(male, p_male, 1 - p_male))
        self._bin = bins_of(sure)
        self._excess = np.where(found, (male == (labels == MALE)) - sure, 0.0)

    def __len__(self) -> int:
        return len(self._of)

    def confusion(self, weights: Floats | None = None) -> Floats:
        """Return counts (2, 3): rows are labels; columns are female, male, no answer."""
        table: Floats = self._tables(self._rows(weights))[0]
        return table

    def tables(self) -> Floats:
        """Return the counts of each unit, (units, 2, 3)."""
        return self._sums[:, :6].reshape(-1, 2, 3)

    def metrics(self, weights: Floats | None = None) -> dict[str, float]:
        """Return every metric of `NAMES`; NaN where it is undefined.

        Args:
            weights: float64 (units,), weight of each unit; None means 1.
        """
        rows = self._rows(weights)
        values = {name: float(value[0]) for name, value in self.resampled(rows).items()}
        values["ece"] = self._ece(rows[0])
        return {name: values[name] for name in NAMES}

    def resampled(self, weights: Floats, *, ranking: bool = True) -> dict[str, Floats]:
        """Return all metrics except the calibration error, for many weights at once.

        Args:
            weights: float64 (r, units), one resample per row.
            ranking: whether to include `RANKING`, which costs far more than the rest.

        Returns:
            name -> float64 (r,), NaN where it is undefined.
        """
        table = self._tables(weights)
        losses = weights @ self._sums[:, 6:]
        answered = table[:, :, :2].sum(axis=(1, 2))
        values = _from_counts(table)
        values["log_loss"] = _ratio(losses[:, 0], answered)
        values["brier"] = _ratio(losses[:, 1], answered)
        if ranking:
            values |= zip(RANKING, self._ranking(weights), strict=True)
        return values

    def _rows(self, weights: Floats | None) -> Floats:
        return np.ones((1, self.units)) if weights is None else weights[None]

    def _tables(self, weights: Floats) -> Floats:
        return (weights @ self._sums[:, :6]).reshape(-1, 2, 3)

    def _ranking(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return ROC AUC (ties count half) and average precision, male being the positive class."""
        if not len(self._ends):
            return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
        ranked = weights[:, self._ranked]
        called = ranked.cumsum(axis=1)[:, self._ends]
        true = np.cumsum(ranked * self._male, axis=1)[:, self._ends]
        false = called - true
        hits = np.diff(true, axis=1, prepend=0.0)
        misses = np.diff(false, axis=1, prepend=0.0)
        above = np.einsum("ij,ij->i", misses, true - hits / 2)
        precision = np.einsum("ij,ij->i", hits, true / np.maximum(called, 1e-300))
        positives, negatives = true[:, -1], false[:, -1]
        return _ratio(above, positives * negatives), _ratio(precision, positives)

    def _ece(self, weights: Floats) -> float:
        """Expected calibration error over equal bins of the larger probability.

        Source: Guo et al., "On calibration of modern neural networks", 2017.
        """
        gaps = np.bincount(self._bin, weights[self._of] * self._excess, minlength=BINS)
        answered = weights @ self._sums[:, [0, 1, 3, 4]].sum(axis=1)
        return float(np.abs(gaps).sum() / answered) if answered > 0 else math.nan


def bins_of(sure: Floats) -> NDArray[np.intp]:
    """Return the bin of each larger probability: `BINS` equal bins, closed on the right."""
    bins: NDArray[np.intp] = np.clip(np.ceil(sure * BINS) - 1, 0, BINS - 1).astype(np.intp)
    return bins


def _from_counts(table: Floats) -> dict[str, Floats]:
    """Return metrics of confusion tables (r, 2, 3): label by female, male, no answer."""
    totals, called = table.sum(axis=2), table[:, :, :2].sum(axis=1)
    values = {"accuracy": _ratio(table[:, 0, 0] + table[:, 1, 1], totals.sum(axis=1))}
    for label, name in enumerate(LABELS):
        hits = table[:, label, label]
        values[f"recall_{name}"] = _ratio(hits, totals[:, label])
        values[f"precision_{name}"] = _ratio(hits, called[:, label])
        values[f"f1_{name}"] = _ratio(2 * hits, totals[:, label] + called[:, label])
    values["balanced_accuracy"] = (values["recall_female"] + values["recall_male"]) / 2
    (ff, fm), (mf, mm) = np.moveaxis(table[:, :, :2], 0, 2)
    product = (ff + fm) * (mf + mm) * (ff + mf) * (fm + mm)
    values["mcc"] = _ratio(ff * mm - fm * mf, np.sqrt(product))
    return values


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
    return ratio
