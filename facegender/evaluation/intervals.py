"""95 % intervals of metrics, for independent photos and for persons with several photos."""

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
"""Metrics that are proportions of photos: they get Wilson's interval."""
Z = 1.959963984540054
"""97.5th percentile of the normal distribution."""
CONFIDENCE = 0.95
"""Default confidence of intervals."""
_CHUNK = 1_000_000
"""Number of resampling weights held at a time, 8 MB."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; None if undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """Return the form of the JSON contract."""
        return {"value": self.value, "low": self.low, "high": self.high}


def estimate(
    predictions: Predictions,
    persons: list[str] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
    names: tuple[str, ...] = NAMES,
    confidence: float = CONFIDENCE,
) -> dict[str, Estimate]:
    """Return metrics with their intervals.

    Proportions of independent photos get Wilson's interval. Everything else is bootstrapped: over
    photos, or over persons if any has several photos, because these are not independent. The
    interval follows from the standard deviation over resamples. For a proportion it is Wilson's,
    with the effective number of independent photos. For other metrics it is a t interval on an
    unbounded scale, with degrees of freedom from the number of persons, reduced if some have many
    more photos than others (`effective_units`).

    The calibration error gets no interval, because that of a resample is biased upwards. A metric
    other than a proportion gets none at the end of its range: if all answers are correct, every
    resample is too.

    Args:
        predictions: the photos.
        persons: a name per photo, "" if unknown; None means all unknown.
        resamples: of the bootstrap; 0 for none.
        seed: of the bootstrap.
        names: the metrics to return.
        confidence: of the intervals, between 0 and 1.
    """
    from scipy.special import ndtri

    quantile = (1 + confidence) / 2
    units = number_units(persons, len(predictions.labels))
    weighted = WeightedMetrics(predictions, units)
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
        share: proportion of successes, 0 to 1.
        total: number of trials, above 0.
        z: half-width in standard errors.
    """
    middle = share + z**2 / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    low = 0.0 if share == 0 else (middle - spread) / scale
    high = 1.0 if share == 1 else (middle + spread) / scale
    return low, high


def number_units(persons: list[str] | None, count: int) -> NDArray[np.intp]:
    """Return the number of the resampling unit of each photo: its person, else the photo itself."""
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
    """Yield how often each unit is drawn in each resample, as float64 (resamples, units) chunks.

    Args:
        units: number of units.
        resamples: total number of resamples.
        seed: of the random numbers.
        photos: number of values that the caller computes per resample, if larger than `units`;
            it makes chunks smaller, not different.
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
    """Return the effective number of units: that of equally large units with the same variance.

    Source: the degrees of freedom of a sum of unequal variances, Satterthwaite, "An approximate
    distribution of estimates of variance components", 1946, for fully correlated photos
    of a unit.

    Args:
        photos: (units,), number of photos of each unit.
    """
    squares = np.square(photos, dtype=np.float64)
    return float(squares.sum() ** 2 / np.square(squares).sum()) if squares.any() else 0.0


def error_of(spread: float, units: float, quantile: float = 0.975) -> tuple[float, float]:
    """Return the standard error of a metric, and the half-width of its interval in standard errors.

    With few units the standard deviation over resamples is too small by a factor that is corrected
    here, and the t distribution replaces the normal one. Source: Hesterberg, "What teachers should
    know about the bootstrap", 2015.

    Args:
        spread: standard deviation over resamples.
        units: number of units resampled, above 1.
        quantile: of the t distribution; .975 makes an interval of 95 %.
    """
    from scipy.special import stdtrit

    return spread * math.sqrt(units / (units - 1)), float(stdtrit(units - 1, quantile))


def _spreads(
    weighted: WeightedMetrics, names: list[str], resamples: int, seed: int
) -> dict[str, float]:
    """Return each metric's standard deviation over resamples, NaN if it is often undefined."""
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
        else:  # Differences by rounding alone count as no variation.
            spreads[name] = float(drawn.std()) if np.ptp(drawn) > 1e-12 else 0.0
    return spreads


def _photos_behind(name: str, tables: Floats) -> list[Floats]:
    """Return the photos of each unit that a metric uses; two arrays if it needs both genders.

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
    """Return the interval of a value from its variation over resamples; None if undefined.

    Proportions get Wilson's interval for the effective number of photos. Source: Franco, Little,
    Louis and Slud, "Comparative study of confidence intervals for proportions in complex sample
    surveys", 2019. For other metrics the standard error is transformed by the delta method.
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
            total = units  # the effective number of photos is unknown: assume one per person
        return wilson(value, total, t)
    if name == "log_loss":
        factor = math.exp(t * error / value) if value else 1.0
        return (value / factor, value * factor) if error else None
    # Log odds for proportions; for the correlation, mapped from (-1, 1), this is Fisher's z.
    low, wide = (-1.0, 2.0) if name == "mcc" else (0.0, 1.0)
    share, error = (value - low) / wide, error / wide
    if not error or not 0 < share < 1:
        return None
    step = t * error / (share * (1 - share))
    first, last = expit(logit(share) + np.array([-step, step]))
    return float(low + wide * first), float(low + wide * last)
