"""What the probabilities are worth: reliability, the error of chance alone, thresholds."""

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
"""Random numbers drawn at once, 32 MB."""
LEVELS = tuple(round(0.5 + 0.01 * i, 2) for i in range(50))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The photos whose larger probability lies in (low, high].

    Attributes:
        low, high: borders.
        photos: how many.
        confidence: their mean larger probability, None without photos.
        accuracy: share of right answers among them, None without photos.
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
    """What remains when faces below a threshold are not answered.

    Attributes:
        threshold: least larger probability.
        answered: photos that reach it.
        coverage: their share of all photos, those without a face included.
        accuracy: share of right answers among them, None without any.
    """

    threshold: float
    answered: int
    coverage: float
    accuracy: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def describe_calibration(
    answers: Predictions, threshold: float, target: float | None = None, *, seed: int = 0
) -> dict[str, Any]:
    """Return all that this module says of some answers, in plain JSON types.

    Args:
        answers: the photos.
        threshold: below which a face is called uncertain.
        target: accuracy to look for a threshold for, or None.
        seed: of the draws by chance.
    """
    wanted = None if target is None else threshold_for(answers, target)
    return {
        "chance_ece": chance_ece(answers, seed=seed),
        "reliability": [row.to_json() for row in reliability(answers)],
        "coverage": [level.to_json() for level in coverage_curve(answers)],
        "uncertain": coverage_curve(answers, (threshold,))[0].to_json(),
        "target": None
        if target is None
        else {"accuracy": target, "level": None if wanted is None else wanted.to_json()},
    }


def reliability(answers: Predictions) -> list[ReliabilityBin]:
    """Return `BINS` equal bins of the larger probability; those below one half are empty."""
    sure, right = _sure_and_right(answers)
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


def chance_ece(answers: Predictions, *, draws: int = CHANCE_DRAWS, seed: int = 0) -> float | None:
    """Return the calibration error that a perfectly calibrated model would exceed one time in 20.

    With few photos even perfect probabilities give an error above zero. Each draw makes every
    answer right with just the probability that it claims.

    Source: the consistency resampling of Bröcker and Smith, "Increasing the reliability of
    reliability diagrams", 2007.

    Returns:
        the 95th percentile over draws; None without answers.
    """
    sure, _ = _sure_and_right(answers)
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


def coverage_curve(answers: Predictions, levels: tuple[float, ...] = LEVELS) -> list[Level]:
    """Return accuracy and coverage for each threshold."""
    sure, right = _sure_and_right(answers)
    return [_level(sure, right, len(answers.labels), threshold) for threshold in levels]


def check_target(accuracy: float | None) -> None:
    """Refuse an accuracy that no threshold can be looked for.

    Raises:
        UsageError: an accuracy out of range; None asks for no threshold.
    """
    if accuracy is not None and not 0 < accuracy <= 1:
        raise UsageError(f"--target-accuracy is {accuracy}", "It must be above 0, to 1.")


def threshold_for(answers: Predictions, accuracy: float) -> Level | None:
    """Return the least threshold from which on the answers reach an accuracy.

    It is chosen on the photos given: use others to judge what it is worth.

    Args:
        answers: the photos.
        accuracy: wanted, above 0 to 1.

    Returns:
        the level; None where no threshold reaches it.

    Raises:
        UsageError: an accuracy out of range.
    """
    check_target(accuracy)
    sure, right = _sure_and_right(answers)
    order = np.argsort(-sure, kind="stable")
    ranked = sure[order]
    reached = np.cumsum(right[order]) / np.arange(1, len(sure) + 1) >= accuracy
    # A threshold takes all photos that are equally sure.
    last = np.r_[ranked[1:] != ranked[:-1], True] if len(ranked) else np.zeros(0, bool)
    rows = np.flatnonzero(reached & last)
    if not len(rows):
        return None
    return _level(sure, right, len(answers.labels), float(ranked[rows[-1]]))


def _level(sure: Floats, right: NDArray[np.bool_], photos: int, threshold: float) -> Level:
    kept = sure >= threshold
    count = int(kept.sum())
    return Level(
        threshold=threshold,
        answered=count,
        coverage=count / photos if photos else 0.0,
        accuracy=float(right[kept].mean()) if count else None,
    )


def _sure_and_right(answers: Predictions) -> tuple[Floats, NDArray[np.bool_]]:
    """The larger probability of each photo with an answer, and whether the answer is right."""
    found = answers.take(answers.answered)
    male = found.p_male >= 0.5
    return np.where(male, found.p_male, 1 - found.p_male), male == (found.labels == MALE)
