"""Calibration of probabilities: reliability, expected error by chance, thresholds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.errors import UsageError
from facegender.evaluation.metrics import BINS, Floats, Predictions, bins_of
from facegender.labels import MALE

CHANCE_DRAWS = 1000
_CHUNK = 4_000_000
"""Random numbers drawn at a time, 32 MB."""
LEVELS = tuple(round(0.5 + 0.01 * i, 2) for i in range(50))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The photos whose larger probability lies in (low, high].

    Attributes:
        low, high: edges of the bin.
        photos: number of photos.
        confidence: their mean larger probability, None without photos.
        accuracy: share of correct answers, None without photos.
    """

    low: float
    high: float
    photos: int
    confidence: float | None
    accuracy: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Level:
    """Accuracy and coverage if faces below a threshold get no answer.

    Attributes:
        threshold: minimum of the larger probability.
        answered: photos that reach it.
        coverage: their share of all photos, including those without a face.
        accuracy: share of correct answers among them, None without any.
    """

    threshold: float
    answered: int
    coverage: float
    accuracy: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def describe_calibration(
    predictions: Predictions, threshold: float, target: float | None = None, *, seed: int = 0
) -> dict[str, Any]:
    """Return reliability, expected error by chance, coverage and threshold, in plain JSON types.

    Args:
        predictions: the photos.
        threshold: below it a face is called uncertain.
        target: accuracy to find a threshold for, or None.
        seed: of the simulation.
    """
    wanted = None if target is None else threshold_for(predictions, target)
    return {
        "chance_ece": chance_ece(predictions, seed=seed),
        "reliability": [row.to_json() for row in reliability(predictions)],
        "coverage": [level.to_json() for level in coverage_curve(predictions)],
        "uncertain": coverage_curve(predictions, (threshold,))[0].to_json(),
        "target": None
        if target is None
        else {"accuracy": target, "level": None if wanted is None else wanted.to_json()},
    }


def reliability(predictions: Predictions) -> list[ReliabilityBin]:
    """Return `BINS` equal bins of the larger probability; those below one half are empty."""
    sure, right = _sure_and_right(predictions)
    bins = bins_of(sure)
    photos = np.bincount(bins, minlength=BINS)
    sums = np.bincount(bins, sure, minlength=BINS), np.bincount(bins, right, minlength=BINS)
    return [
        ReliabilityBin(
            low=i / BINS,
            high=(i + 1) / BINS,
            photos=int(photos[i]),
            confidence=float(sums[0][i] / photos[i]) if photos[i] else None,
            accuracy=float(sums[1][i] / photos[i]) if photos[i] else None,
        )
        for i in range(BINS)
    ]


def chance_ece(
    predictions: Predictions, *, draws: int = CHANCE_DRAWS, seed: int = 0
) -> float | None:
    """Return the calibration error that a perfectly calibrated model would exceed one time in 20.

    With few photos even perfect probabilities give an error above zero. In each draw, every answer
    is correct with its predicted probability.

    Source: the consistency resampling of Bröcker and Smith, "Increasing the reliability of
    reliability diagrams", 2007.

    Returns:
        the 95th percentile over draws; None without answers.
    """
    sure, _ = _sure_and_right(predictions)
    if not len(sure):
        return None
    order = np.argsort(bins_of(sure), kind="stable")
    sure = sure[order]
    starts = np.flatnonzero(np.r_[True, np.diff(bins_of(sure)) > 0])
    expected = np.add.reduceat(sure, starts)
    random = np.random.default_rng(seed)
    errors: list[Floats] = []
    step = max(1, _CHUNK // len(sure))
    for first in range(0, draws, step):
        drawn = random.random((min(step, draws - first), len(sure)), dtype=np.float32) < sure
        right = np.add.reduceat(drawn, starts, axis=1, dtype=np.float64)
        errors.append(np.abs(right - expected).sum(axis=1) / len(sure))
    return float(np.percentile(np.concatenate(errors), 95))


def coverage_curve(predictions: Predictions, levels: tuple[float, ...] = LEVELS) -> list[Level]:
    """Return accuracy and coverage for each threshold."""
    sure, right = _sure_and_right(predictions)
    return [_level(sure, right, len(predictions.labels), threshold) for threshold in levels]


def check_target(accuracy: float | None) -> None:
    """Refuse an accuracy that no threshold can be looked for.

    Raises:
        UsageError: an accuracy out of range; None asks for no threshold.
    """
    if accuracy is not None and not 0 < accuracy <= 1:
        raise UsageError(f"--target-accuracy is {accuracy}", "It must be above 0, to 1.")


def threshold_for(predictions: Predictions, accuracy: float) -> Level | None:
    """Return the lowest threshold at which the answers reach an accuracy.

    It is chosen on the photos given: evaluate it on others.

    Args:
        predictions: the photos.
        accuracy: the accuracy to reach, above 0 and at most 1.

    Returns:
        the level; None if no threshold reaches it.

    Raises:
        UsageError: an accuracy out of range.
    """
    check_target(accuracy)
    sure, right = _sure_and_right(predictions)
    order = np.argsort(-sure, kind="stable")
    ranked = sure[order]
    reached = np.cumsum(right[order]) / np.arange(1, len(sure) + 1) >= accuracy
    # Photos with equal probability are all above the threshold or all below it.
    last = np.r_[ranked[1:] != ranked[:-1], True] if len(ranked) else np.zeros(0, bool)
    rows = np.flatnonzero(reached & last)
    if not len(rows):
        return None
    return _level(sure, right, len(predictions.labels), float(ranked[rows[-1]]))


def _level(sure: Floats, right: NDArray[np.bool_], photos: int, threshold: float) -> Level:
    kept = sure >= threshold
    count = int(kept.sum())
    return Level(
        threshold=threshold,
        answered=count,
        coverage=count / photos if photos else 0.0,
        accuracy=float(right[kept].mean()) if count else None,
    )


def _sure_and_right(predictions: Predictions) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the larger probability of each photo with an answer, and whether it is correct."""
    found = predictions.take(predictions.answered)
    male = found.p_male >= 0.5
    return np.where(male, found.p_male, 1 - found.p_male), male == (found.labels == MALE)
