"""Predictions under conditions and by groups."""

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
    samples: Samples, answers: Predictions, seed: int
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Return every metric twice: every row counted, and over photos with an answer."""
    every = estimate(answers, samples.persons, seed=seed)
    if answers.answered.all():
        return every, every
    rows = np.flatnonzero(answers.answered)
    persons = [samples.persons[row] for row in rows]
    return every, estimate(answers.take(rows), persons, seed=seed)


def estimate_robustness(
    predictor: Predictor,
    samples: Samples,
    answers: Predictions,
    cropped: bool,
    seed: int,
    on_progress: Callable[[int, int], None] | None,
) -> dict[str, dict[str, Any]]:
    """Repeat an evaluation under every condition of `robustness.CONDITIONS`.

    Returns:
        condition -> what it is, ``accuracy`` (an `Estimate`; every row counts), and ``flips``: the
        photos whose answer differs from the one without it.
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
    plain = answers.p_male >= 0.5
    found: dict[str, dict[str, Any]] = {}
    for condition, changed in zip(CONDITIONS, p_male, strict=True):
        under = Predictions(samples.labels, changed)
        flips = under.answered & answers.answered & ((changed >= 0.5) != plain)
        found[condition.name.value] = {
            "what": condition.what,
            "flips": int(flips.sum()),
            **estimate(under, samples.persons, seed=seed, names=("accuracy",)),
        }
    return found


def group_by(
    samples: Samples, answers: Predictions, values: list[str], seed: int
) -> tuple[dict[str, dict[str, Any]], Extremes]:
    """Judge each group of rows that share a value, in the values' order, and the gaps between them.

    Returns:
        value -> ``photos``, ``labels`` (photos of each gender), whether it is ``too_small`` to
        say anything, and an `Estimate` of each of `GROUP_METRICS`; and the extremes of these.
    """
    rows_of: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows_of.setdefault(value, []).append(row)
    rows = {value: np.array(rows_of[value]) for value in sorted(rows_of, key=natural_key)}
    groups = {value: _judged(samples, answers, found, seed) for value, found in rows.items()}
    return groups, find_extremes(groups, rows, answers, samples.persons, seed)


def _judged(
    samples: Samples, answers: Predictions, rows: NDArray[np.intp], seed: int
) -> dict[str, Any]:
    persons = [samples.persons[row] for row in rows]
    counts = np.bincount(samples.labels[rows], minlength=len(LABELS))
    return {
        "photos": len(rows),
        "labels": {name: int(count) for name, count in zip(LABELS, counts, strict=True)},
        "too_small": len(rows) < SMALL,
        **estimate(answers.take(rows), persons, seed=seed, names=GROUP_METRICS),
    }


def natural_key(text: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key that puts 3-9 before 10-19 and words after numbers."""
    parts = re.findall(r"\d+|\D+", text)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)
