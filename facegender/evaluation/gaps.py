"""The worst group and the largest gaps between groups, with simultaneous intervals.

The largest of many differences is partly large by chance. Its interval is therefore simultaneous:
with 95 % confidence the intervals of all pairwise differences contain their true values, so the
one that was picked does too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.evaluation.intervals import CONFIDENCE, Estimate, estimate
from facegender.evaluation.metrics import Predictions
from facegender.labels import FEMALE, LABELS

SMALL = 30
"""Minimum number of photos of a cell that is compared."""
GROUP_METRICS = ("accuracy", "balanced_accuracy", "recall_female", "recall_male")


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference of a metric between two groups.

    Attributes:
        low, high: the groups with the lowest and the highest value.
        difference: high minus low, 0 to 1, with its simultaneous interval.
        groups: number of groups compared, of which the two extremes were picked.
    """

    low: str
    high: str
    difference: Estimate
    groups: int

    def to_json(self) -> dict[str, Any]:
        """Return the form of the JSON contract."""
        interval = {"low": self.difference.low, "high": self.difference.high}
        return {
            "gap": self.difference.value,
            "low": self.low,
            "high": self.high,
            "interval": interval,
            "groups": self.groups,
        }


@dataclass(frozen=True, slots=True)
class Extremes:
    """The worst group and the largest gaps of one grouping.

    Attributes:
        worst: the group with the lowest accuracy, None if no group is large enough.
        worst_accuracy: its accuracy, with a simultaneous interval.
        gaps: metric of `GROUP_METRICS` -> the largest gap, if two groups can be compared.
        demographic_parity: the largest difference of the share that is called female, or None.
    """

    worst: str | None = None
    worst_accuracy: Estimate = field(default_factory=lambda: Estimate(None))
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    demographic_parity: float | None = None

    @property
    def equal_opportunity(self) -> dict[str, float | None]:
        """Largest difference between groups in the recall of each gender.

        Source: Hardt, Price and Srebro, "Equality of opportunity in supervised learning", 2016,
        with each gender in turn as the positive class.
        """
        gaps = {name: self.gaps.get(f"recall_{name}") for name in LABELS}
        return {name: gap.difference.value if gap else None for name, gap in gaps.items()}

    @property
    def equalized_odds(self) -> float | None:
        """The larger one: with two classes, a false positive rate is 1 - the other class's recall.

        Source: as `equal_opportunity`.
        """
        both = list(self.equal_opportunity.values())
        return None if None in both else max(value for value in both if value is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the form of the JSON contract."""
        return {
            "worst": self.worst,
            "worst_interval": {"low": self.worst_accuracy.low, "high": self.worst_accuracy.high},
            "gaps": {metric: gap.to_json() for metric, gap in self.gaps.items()},
            "fairness": {
                "equal_opportunity_difference": self.equal_opportunity,
                "equalized_odds_difference": self.equalized_odds,
                "demographic_parity_difference": self.demographic_parity,
            },
        }


def find_extremes(
    groups: Mapping[str, Mapping[str, Any]],
    rows: Mapping[str, NDArray[np.intp]],
    predictions: Predictions,
    persons: list[str],
    seed: int,
) -> Extremes:
    """Return the worst group and the largest gaps among groups with large enough cells.

    Args:
        groups: value -> group, see `groups.group_by`.
        rows: value -> the rows of `predictions` in it.
        predictions: of all rows.
        persons: a name per row, "" if unknown.
        seed: of the bootstrap.
    """
    large = [value for value in groups if is_large(groups[value], "accuracy")]
    if not large:
        return Extremes()
    worst = min(large, key=lambda value: groups[value]["accuracy"].value)
    gaps = {
        metric: gap
        for metric in GROUP_METRICS
        if (gap := _gap(metric, groups, rows, predictions, persons, seed)) is not None
    }
    level = CONFIDENCE ** (1 / len(large))  # Šidák's: the groups are independent
    accuracy = _estimated("accuracy", rows[worst], predictions, persons, seed, level)
    return Extremes(worst, accuracy, gaps, _demographic_parity(large, rows, predictions))


def is_large(group: Mapping[str, Any], metric: str) -> bool:
    """Return whether the cell of a group that a metric is computed on has enough photos."""
    counts = group["labels"]
    if metric == "balanced_accuracy":
        return all(count >= SMALL for count in counts.values())
    gender = metric.rpartition("_")[2]
    count: int = counts[gender] if gender in LABELS else group["photos"]
    return count >= SMALL


@cache
def pairwise_confidence(groups: int) -> float:
    """Return the confidence of each group's interval that makes differences simultaneous.

    Tukey's studentized range replaces the normal distribution, so that the intervals of all
    pairwise differences contain the true values with `CONFIDENCE`. Source: Agresti, Bini,
    Bertaccini and Ryu, "Simultaneous confidence intervals for comparing binomial parameters", 2008.

    Args:
        groups: number of groups, 2 or more.
    """
    from scipy.stats import norm, studentized_range

    z = float(studentized_range.ppf(CONFIDENCE, groups, np.inf)) / math.sqrt(2)
    return float(2 * norm.cdf(z) - 1)


def difference_of(high: Estimate, low: Estimate) -> Estimate:
    """Return the difference of two independent estimates, with an interval from theirs.

    Source: Zou and Donner, "Construction of confidence limits about effect measures: a general
    approach", 2008 (MOVER); for Wilson's intervals this is Newcombe's hybrid score interval, 1998.
    """
    a, b = high.value, low.value
    if a is None or b is None:
        return Estimate(None)
    if high.low is None or high.high is None or low.low is None or low.high is None:
        return Estimate(a - b)
    down = math.hypot(a - high.low, low.high - b)
    up = math.hypot(high.high - a, b - low.low)
    return Estimate(a - b, max(-1.0, a - b - down), min(1.0, a - b + up))


def _gap(
    metric: str,
    groups: Mapping[str, Mapping[str, Any]],
    rows: Mapping[str, NDArray[np.intp]],
    predictions: Predictions,
    persons: list[str],
    seed: int,
) -> Gap | None:
    values = {
        value: group[metric].value
        for value, group in groups.items()
        if is_large(group, metric) and group[metric].value is not None
    }
    if len(values) < 2:
        return None
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    level = pairwise_confidence(len(values))
    ends = [_estimated(metric, rows[v], predictions, persons, seed, level) for v in (high, low)]
    return Gap(low, high, difference_of(*ends), len(values))


def _estimated(
    metric: str,
    rows: NDArray[np.intp],
    predictions: Predictions,
    persons: list[str],
    seed: int,
    confidence: float,
) -> Estimate:
    chosen = [persons[row] for row in rows]
    found = estimate(
        predictions.take(rows), chosen, seed=seed, names=(metric,), confidence=confidence
    )
    return found[metric]


def _demographic_parity(
    values: list[str], rows: Mapping[str, NDArray[np.intp]], predictions: Predictions
) -> float | None:
    """Return the largest difference between groups in the share of answers that are female."""
    shares = []
    for value in values:
        found = predictions.take(rows[value])
        if found.answered.any():
            called = (found.p_male[found.answered] >= 0.5).astype(int)
            shares.append(float((called == FEMALE).mean()))
    return max(shares) - min(shares) if len(shares) > 1 else None
