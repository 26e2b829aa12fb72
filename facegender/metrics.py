"""Numbers that judge a classifier, for whole data sets and for resamples of them.

One formula serves the point value and every bootstrap resample: each metric takes a weight a row.
scikit-learn's metrics give the same values (the tests hold them to 1e-9) but take one resample at
a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegender.labels import FEMALE, LABELS, MALE

Floats = NDArray[np.float64]

PROPORTIONS = (
    "accuracy",
    "recall_female",
    "recall_male",
    "precision_female",
    "precision_male",
)
"""Metrics that are a share of photos: their interval is Wilson's where photos are independent."""

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
BINS = 15
Z = 1.959963984540054
"""97.5th percentile of the normal distribution: intervals are of 95 %."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; None where it is undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """Return the form of the JSON contract."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Answers:
    """Labels and answers of photos.

    Attributes:
        labels: int8 (n,), 0 = female, 1 = male.
        p_male: float64 (n,), probability of male; NaN where there was no answer.
    """

    labels: NDArray[np.int8]
    p_male: Floats

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which photos have an answer."""
        return ~np.isnan(self.p_male)

    def take(self, rows: NDArray[np.bool_]) -> Answers:
        """Return some of the photos."""
        return Answers(self.labels[rows], self.p_male[rows])


class Judge:
    """Computes every metric of some answers under any weights.

    A photo without an answer counts as an error in accuracy, recall and F1. Precision, MCC and
    the metrics of probabilities are over photos with one.
    """

    def __init__(self, answers: Answers) -> None:
        found = answers.answered
        labels, p_male = answers.labels, answers.p_male
        male = p_male >= 0.5
        # 0..3: (label, answer); 4, 5: no answer, by label.
        self._cell = np.where(found, 2 * labels + male, 4 + labels).astype(np.intp)
        right = np.where(labels == MALE, p_male, 1 - p_male)
        self._loss = np.where(found, -np.log(np.clip(right, 1e-15, 1.0)), 0.0)
        self._brier = np.where(found, (p_male - (labels == MALE)) ** 2, 0.0)
        order = np.argsort(-p_male[found], kind="stable")
        self._ranked = np.flatnonzero(found)[order]
        scores = p_male[self._ranked]
        self._starts = (
            np.flatnonzero(np.r_[True, scores[1:] != scores[:-1]]) if len(scores) else None
        )
        self._positive = labels[self._ranked] == MALE
        sure = np.where(male, p_male, 1 - p_male)
        bins = np.clip(np.ceil(np.nan_to_num(sure) * BINS) - 1, 0, BINS - 1)
        self._bin = np.where(found, bins, BINS).astype(np.intp)
        self._sure = np.nan_to_num(sure)
        self._right = found & (male == labels)

    def confusion(self, weights: Floats | None = None) -> NDArray[np.float64]:
        """Return counts (2, 3): rows are labels; columns are female, male, no answer."""
        counts = np.bincount(self._cell, weights, minlength=6)
        return np.column_stack([counts[:4].reshape(2, 2), counts[4:]])

    def metrics(self, weights: Floats | None = None) -> dict[str, float]:
        """Return every metric of `NAMES`; NaN where it is undefined.

        Args:
            weights: float64 (n,), how often each photo counts; None means once.
        """
        weights = np.ones(len(self._cell)) if weights is None else weights
        table = self.confusion(weights)
        values = _from_counts(table)
        answered = table[:, :2].sum()
        values["log_loss"] = _ratio(float(weights @ self._loss), answered)
        values["brier"] = _ratio(float(weights @ self._brier), answered)
        values["roc_auc"], values["average_precision"] = self._ranking(weights)
        values["ece"] = self._ece(weights, answered)
        return {name: values[name] for name in NAMES}

    def _ranking(self, weights: Floats) -> tuple[float, float]:
        """ROC AUC (ties count half) and average precision, male as the positive class."""
        if self._starts is None:
            return math.nan, math.nan
        ranked = weights[self._ranked]
        positive = np.add.reduceat(ranked * self._positive, self._starts)
        negative = np.add.reduceat(ranked * ~self._positive, self._starts)
        positives, negatives = positive.sum(), negative.sum()
        true, false = positive.cumsum(), negative.cumsum()
        above = float(negative @ (true - positive / 2))
        called = np.maximum(true + false, 1e-300)
        precision = float(positive @ (true / called))
        return _ratio(above, positives * negatives), _ratio(precision, positives)

    def _ece(self, weights: Floats, answered: float) -> float:
        """Expected calibration error over equal bins of the larger probability.

        Source: Guo et al., "On calibration of modern neural networks", 2017.
        """
        right = np.bincount(self._bin, weights * self._right, minlength=BINS + 1)[:BINS]
        sure = np.bincount(self._bin, weights * self._sure, minlength=BINS + 1)[:BINS]
        return _ratio(float(np.abs(right - sure).sum()), answered)


def _from_counts(table: NDArray[np.float64]) -> dict[str, float]:
    """Metrics of a confusion table (2, 3) of labels by female, male, no answer."""
    totals, called = table.sum(axis=1), table[:, :2].sum(axis=0)
    values = {"accuracy": _ratio(table[0, 0] + table[1, 1], totals.sum())}
    for label, name in enumerate(LABELS):
        hits = table[label, label]
        values[f"recall_{name}"] = _ratio(hits, totals[label])
        values[f"precision_{name}"] = _ratio(hits, called[label])
        values[f"f1_{name}"] = _ratio(2 * hits, totals[label] + called[label])
    values["balanced_accuracy"] = (values["recall_female"] + values["recall_male"]) / 2
    (ff, fm), (mf, mm) = table[:, :2]
    product = (ff + fm) * (mf + mm) * (ff + mf) * (fm + mm)
    values["mcc"] = _ratio(ff * mm - fm * mf, math.sqrt(product))
    return values


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else math.nan


def wilson(hits: float, total: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Args:
        hits: successes, 0 to `total`.
        total: trials, above 0.
    """
    share = hits / total
    middle = share + Z**2 / (2 * total)
    spread = Z * math.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    scale = 1 + Z**2 / total
    low = 0.0 if hits == 0 else (middle - spread) / scale
    high = 1.0 if hits == total else (middle + spread) / scale
    return low, high


def estimate(
    answers: Answers,
    persons: list[str] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    names: tuple[str, ...] = NAMES,
) -> dict[str, Estimate]:
    """Return metrics with 95 % intervals.

    Where a person has several photos these are not independent, and every interval comes from a
    bootstrap that resamples persons; else proportions get Wilson's interval and the rest a
    bootstrap over photos (percentile method). The calibration error gets none: a resample's is
    larger than the truth by construction.

    Args:
        answers: the photos.
        persons: a name a photo, "" where unknown; None means all unknown.
        resamples: of the bootstrap; 0 for none.
        seed: of the bootstrap.
        names: metrics wanted.
    """
    judge = Judge(answers)
    values = judge.metrics()
    units, repeated = _units(persons, len(answers.labels))
    low, high = _bootstrap(judge, units, resamples, seed, names)
    table = judge.confusion()
    result = {}
    for name in names:
        value = None if math.isnan(values[name]) else values[name]
        interval = (low[name], high[name])
        if value is None or name == "ece":
            interval = (None, None)
        elif name in PROPORTIONS and not repeated:
            interval = wilson(*_hits_and_total(name, table))
        result[name] = Estimate(value, *interval)
    return result


def _hits_and_total(name: str, table: NDArray[np.float64]) -> tuple[float, float]:
    if name == "accuracy":
        return float(table[0, 0] + table[1, 1]), float(table.sum())
    kind, _, gender = name.partition("_")
    label = FEMALE if gender == LABELS[FEMALE] else MALE
    total = table[label].sum() if kind == "recall" else table[:, label].sum()
    return float(table[label, label]), float(total)


def _units(persons: list[str] | None, count: int) -> tuple[NDArray[np.intp], bool]:
    """Number the unit that each photo is resampled with: its person, else itself."""
    if persons is None or not any(persons):
        return np.arange(count), False
    keys = [person or f"\0{row}" for row, person in enumerate(persons)]
    _, units = np.unique(keys, return_inverse=True)
    return units.astype(np.intp), int(units.max(initial=-1)) + 1 < count


def _bootstrap(
    judge: Judge, units: NDArray[np.intp], resamples: int, seed: int, names: tuple[str, ...]
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Return expanded percentiles of each metric over resamples of units.

    The plain 2.5th and 97.5th percentiles are too narrow where units are few. Source: Hesterberg,
    "What teachers should know about the bootstrap", 2015, section 4.3.
    """
    count = int(units.max(initial=-1)) + 1
    nothing: dict[str, float | None] = dict.fromkeys(names)
    if not resamples or count < 2:
        return nothing, nothing
    random = np.random.default_rng(seed)
    drawn = np.empty((resamples, len(names)))
    for i in range(resamples):
        picked = np.bincount(random.integers(0, count, count), minlength=count)
        values = judge.metrics(picked[units].astype(np.float64))
        drawn[i] = [values[name] for name in names]
    low, high = dict(nothing), dict(nothing)
    tail = _expanded_tail(count)
    for column, name in enumerate(names):
        defined = drawn[:, column][~np.isnan(drawn[:, column])]
        if len(defined) >= 0.95 * resamples:
            low[name], high[name] = (float(x) for x in np.percentile(defined, [tail, 100 - tail]))
    return low, high


def _expanded_tail(units: int) -> float:
    """The percentile to take instead of the 2.5th, for a number of units."""
    from scipy.stats import norm, t

    wide = t.ppf(0.975, units - 1) * math.sqrt(units / (units - 1))
    return float(100 * norm.cdf(-wide))
