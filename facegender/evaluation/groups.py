"""Metrics by group, and under the conditions of `eval --stress`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.samples import Samples
from facegender.evaluation.gaps import GROUP_METRICS, SMALL, Extremes, find_extremes
from facegender.evaluation.intervals import Estimate, estimate
from facegender.evaluation.metrics import Predictions
from facegender.evaluation.robustness import CONDITIONS, degraded_crops
from facegender.labels import LABELS, MALE
from facegender.prediction.predictor import Predictor
from facegender.runtime.parallel import ordered_map


def estimate_all(
    samples: Samples, predictions: Predictions, seed: int
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Return every metric twice: over all rows, and over photos with an answer."""
    every = estimate(predictions, samples.persons, seed=seed)
    if predictions.answered.all():
        return every, every
    rows = np.flatnonzero(predictions.answered)
    persons = [samples.persons[row] for row in rows]
    return every, estimate(predictions.take(rows), persons, seed=seed)


def estimate_robustness(
    predictor: Predictor,
    samples: Samples,
    predictions: Predictions,
    cropped: bool,
    seed: int,
    on_progress: Callable[[int, int], None] | None,
) -> dict[str, dict[str, Any]]:
    """Repeat an evaluation under every condition of `robustness.CONDITIONS`.

    Returns:
        condition -> what it is, ``accuracy`` (an `Estimate`; every row counts), and ``flips``: the
        number of photos whose label differs from the original one.
    """
    geometry = predictor.bundle.geometry
    detector = predictor.detector_of(cropped=cropped)
    crops_of = partial(degraded_crops, geometry=geometry, detector=detector)
    p_male = np.full((len(CONDITIONS), len(samples)), np.nan)
    stressed = ordered_map(
        crops_of, samples.paths, workers=predictor.workers, chunk=8, on_death=lambda _path: None
    )
    for row, crops in enumerate(stressed):
        if crops is not None:
            p_male[:, row] = np.clip(predictor.classify(crops)[:, MALE], 0, 1)
        if on_progress is not None:
            on_progress(row + 1, len(samples))
    plain = predictions.p_male >= 0.5
    found: dict[str, dict[str, Any]] = {}
    for condition, changed in zip(CONDITIONS, p_male, strict=True):
        under = Predictions(samples.labels, changed)
        flips = under.answered & predictions.answered & ((changed >= 0.5) != plain)
        found[condition.name.value] = {
            "what": condition.what,
            "flips": int(flips.sum()),
            **estimate(under, samples.persons, seed=seed, names=("accuracy",)),
        }
    return found


def group_by(
    samples: Samples, predictions: Predictions, values: list[str], seed: int
) -> tuple[dict[str, dict[str, Any]], Extremes]:
    """Evaluate each group of rows with the same value, in order of the values, and their gaps.

    Returns:
        value -> ``photos``, ``labels`` (photos of each gender), whether it is ``too_small``
        to report, and an `Estimate` of each of `GROUP_METRICS`; and the extremes of these.
    """
    rows_of: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows_of.setdefault(value, []).append(row)
    rows = {value: np.array(rows_of[value]) for value in sorted(rows_of, key=natural_key)}
    groups = {value: _evaluated(samples, predictions, found, seed) for value, found in rows.items()}
    return groups, find_extremes(groups, rows, predictions, samples.persons, seed)


def _evaluated(
    samples: Samples, predictions: Predictions, rows: NDArray[np.intp], seed: int
) -> dict[str, Any]:
    persons = [samples.persons[row] for row in rows]
    counts = np.bincount(samples.labels[rows], minlength=len(LABELS))
    return {
        "photos": len(rows),
        "labels": {name: int(count) for name, count in zip(LABELS, counts, strict=True)},
        "too_small": len(rows) < SMALL,
        **estimate(predictions.take(rows), persons, seed=seed, names=GROUP_METRICS),
    }


def natural_key(text: str) -> tuple[tuple[int, int | str], ...]:
    """Return a sort key that puts 3-9 before 10-19, and words after numbers."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)
