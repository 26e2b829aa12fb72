"""Intervals of 95 % around metrics, for independent photos and for persons with several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.evaluation.metrics import NAMES, RANKING, Floats, Predictions, WeightedMetrics
from facegender.labels import LABELS

PROPORTIONS = (
    "accuracy",
    "recall_female",
    "recall_male",
    "precision_female",
    "precision_male",
)
"""Metrics that are a share of photos: they get Wilson's interval."""
Z = 1.959963984540054
"""97.5th percentile of the normal distribution."""
CONFIDENCE = 0.95
"""Confidence of every interval unless another is asked for."""
_CHUNK = 1_000_000
"""Weights of resamples held at once, 8 MB."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; None where it is undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """Return the form of the JSON contract."""
        return {"value": self.value, "low": self.low, "high": self.high}


def estimate(
    answers: Predictions,
    persons: list[str] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    names: tuple[str, ...] = NAMES,
    confidence: float = CONFIDENCE,
) -> dict[str, Estimate]:
    """Return metrics with their intervals.

    Proportions of independent photos get Wilson's interval. All else is resampled: photos, or
    persons where one has several photos, since these are not independent. How far the resamples
    spread makes the interval: of a proportion, Wilson's for as many independent photos as would
    spread so; of other metrics, values within t standard errors on a scale without ends. t has the
    degrees of freedom of so many persons, fewer where some have most photos (`effective_units`).

    The calibration error gets no interval: a resample's is larger than the truth by construction.
    Nor does a metric, other than a proportion, that is at the end of its range: where all is
    right, every resample is too, and shows nothing.

    Args:
        answers: the photos.
        persons: a name a photo, "" where unknown; None means all unknown.
        resamples: of the bootstrap; 0 for none.
        seed: of the bootstrap.
        names: metrics wanted.
        confidence: of the intervals, between 0 and 1.
    """
    from scipy.special import ndtri

    quantile = (1 + confidence) / 2
    units = number_units(persons, len(answers.labels))
    weighted = WeightedMetrics(answers, units)
    alone = weighted.units == len(units)
    values, tables = weighted.metrics(), weighted.tables()
    drawn = [name for name in names if name != "ece" and not (alone and name in PROPORTIONS)]
    spreads = _spreads(weighted, drawn, resamples, seed)
    result = {}
    for name in names:
        value, ends = values[name], None
        if math.isnan(value):
            result[name] = Estimate(None)
            continue
        photos = _photos_behind(name, tables)
        if alone and name in PROPORTIONS:
            ends = wilson(value, float(photos[0].sum()), float(ndtri(quantile)))
        elif not math.isnan(spreads.get(name, math.nan)):
            ends = _ends(name, value, spreads[name], photos, quantile)
        result[name] = Estimate(value, *(ends or ()))
    return result


def wilson(share: float, total: float, z: float = Z) -> tuple[float, float]:
    """Return Wilson's interval of a proportion.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Args:
        share: of successes, 0 to 1.
        total: trials, above 0.
        z: standard errors on either side.
    """
    middle = share + z**2 / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    low = 0.0 if share == 0 else (middle - spread) / scale
    high = 1.0 if share == 1 else (middle + spread) / scale
    return low, high


def number_units(persons: list[str] | None, count: int) -> NDArray[np.intp]:
    """Number the unit that each photo is resampled with: its person, else itself."""
    if persons is None or not any(persons):
        return np.arange(count)
    known: dict[str, int] = {}
    units, fresh = np.empty(count, np.intp), 0
    for row, person in enumerate(persons):
        units[row] = known.get(person, fresh)
        if units[row] == fresh:
            fresh += 1
            if person:
                known[person] = fresh - 1
    return units


def resampled_weights(
    units: int, resamples: int, seed: int, *, photos: int = 0
) -> Iterator[Floats]:
    """Yield how often each unit is drawn in each resample, float64 (some, units) at a time.

    Args:
        units: how many there are.
        resamples: how many are wanted in all.
        seed: of the draws.
        photos: how many values the caller makes of a resample, where they are more than units;
            fewer resamples then come at a time, and the same ones.
    """
    random = np.random.default_rng(seed)
    step = max(1, _CHUNK // max(units, photos))
    for first in range(0, resamples, step):
        rows = min(step, resamples - first)
        drawn = random.integers(0, units, (rows, units))
        drawn += np.arange(rows)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=rows * units)
        yield counts.reshape(rows, units).astype(np.float64)


def effective_units(photos: NDArray[Any]) -> float:
    """Return how many units with equally many photos would tell as much as these do.

    Source: the degrees of freedom of a sum of unequal variances, Satterthwaite, "An approximate
    distribution of estimates of variance components", 1946, for units that vary as a whole.

    Args:
        photos: (units,), how many each has.
    """
    squares = np.square(photos, dtype=np.float64)
    return float(squares.sum() ** 2 / np.square(squares).sum()) if squares.any() else 0.0


def error_of(spread: float, units: float, quantile: float = 0.975) -> tuple[float, float]:
    """Return the standard error behind a spread over resamples, and how many of it to take.

    With few units resamples spread too little, by the factor undone here, and the normal
    distribution is too narrow. Source: Hesterberg, "What teachers should know about the
    bootstrap", 2015.

    Args:
        spread: standard deviation over resamples.
        units: how many were resampled, above 1.
        quantile: of the t distribution; .975 makes an interval of 95 %.
    """
    from scipy.special import stdtrit

    return spread * math.sqrt(units / (units - 1)), float(stdtrit(units - 1, quantile))


def _spreads(
    weighted: WeightedMetrics, names: list[str], resamples: int, seed: int
) -> dict[str, float]:
    """Return each metric's standard deviation over resamples, NaN where it is often undefined."""
    if not names or not resamples or weighted.units < 2:
        return {}
    ranking = any(name in RANKING for name in names)
    parts = [
        weighted.resampled(weights, ranking=ranking)
        for weights in resampled_weights(weighted.units, resamples, seed, photos=len(weighted))
    ]
    spreads = {}
    for name in names:
        drawn = np.concatenate([part[name] for part in parts])
        drawn = drawn[~np.isnan(drawn)]
        if len(drawn) < 0.95 * resamples:
            spreads[name] = math.nan
        else:  # What differs by rounding alone does not spread.
            spreads[name] = float(drawn.std()) if np.ptp(drawn) > 1e-12 else 0.0
    return spreads


def _photos_behind(name: str, tables: Floats) -> list[Floats]:
    """Photos of each unit that a metric rests on; two lists where it needs both genders.

    Args:
        name: of the metric.
        tables: counts of each unit, see `WeightedMetrics.tables`.
    """
    kind, _, gender = name.rpartition("_")
    if gender in LABELS:
        label = LABELS.index(gender)
        return [(tables[:, :, label] if kind == "precision" else tables[:, label]).sum(axis=1)]
    if name in ("accuracy", "log_loss", "brier", "ece"):
        return [tables.sum(axis=(1, 2))]
    return [tables[:, label].sum(axis=1) for label in range(len(LABELS))]


def _ends(
    name: str, value: float, spread: float, photos: list[Floats], quantile: float
) -> tuple[float, float] | None:
    """Return the interval of a value that spreads so over resamples; None where it cannot be told.

    Proportions get Wilson's interval for the effective number of photos. Source: Franco, Little,
    Louis and Slud, "Comparative study of confidence intervals for proportions in complex sample
    surveys", 2019. For the others the standard error is carried to the scale by the delta method.
    """
    from scipy.special import expit, logit

    units = min(effective_units(counts) for counts in photos)
    if units <= 1:
        return None
    error, t = error_of(spread, units, quantile)
    if name in PROPORTIONS:
        total = float(photos[0].sum())
        if error:
            total = min(total, value * (1 - value) / error**2)
        elif value in (0, 1):
            total = units  # Nothing to learn from: a person's photos may be no more than one.
        return wilson(value, total, t)
    if name == "log_loss":
        factor = math.exp(t * error / value) if value else 1.0
        return (value / factor, value * factor) if error else None
    # Shares by their log odds; the correlation, from -1 to 1, as a share: this is Fisher's z.
    low, wide = (-1.0, 2.0) if name == "mcc" else (0.0, 1.0)
    share, error = (value - low) / wide, error / wide
    if not error or not 0 < share < 1:
        return None
    step = t * error / (share * (1 - share))
    first, last = expit(logit(share) + np.array([-step, step]))
    return float(low + wide * first), float(low + wide * last)
