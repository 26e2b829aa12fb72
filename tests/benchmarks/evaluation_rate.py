"""What numbers cost: 100,000 predictions judged, against scikit-learn's `classification_report`.

    python tests/benchmarks/evaluation_rate.py [--photos 100000] [--resamples 1000] [--seed 0]

Draws predictions with persons, ages and races, and times the metrics alone, all intervals, the
groups of ``--by age --by race,gender``, what the probabilities are worth, and the HTML of the
report without a gallery. Independent photos come first, then persons of five.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import classification_report

from facegender import Predictor
from facegender.dataset.samples import Samples
from facegender.evaluation.calibration import describe_calibration
from facegender.evaluation.evaluation import Evaluation
from facegender.evaluation.groups import group_by
from facegender.evaluation.intervals import estimate
from facegender.evaluation.metrics import Predictions, WeightedMetrics
from facegender.report.report import render_report

AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
RACES = ("Black", "East Asian", "Indian", "Latino", "Middle Eastern", "Southeast Asian", "White")


def drawn(photos: int, seed: int) -> tuple[Samples, Predictions]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, photos).astype(np.int8)
    margin = (1.6 + random.normal(size=photos)) * (labels * 2 - 1)
    persons = [f"person {row // 5}" for row in range(photos)]
    attributes = {
        "age": [AGES[i] for i in random.integers(0, len(AGES), photos)],
        "race": [RACES[i] for i in random.integers(0, len(RACES), photos)],
    }
    paths = [f"photos/{row}.jpg" for row in range(photos)]
    samples = Samples(paths, labels, persons, ["test"] * photos, attributes)
    return samples, Predictions(labels, 1 / (1 + np.exp(-2 * margin)))


def best(run: Callable[[], Any], times: int) -> float:
    """The least seconds of several runs: what else the machine does only adds to them."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return min(found)


def timed(seconds: dict[str, float], name: str, run: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = run()
    seconds[name] = time.perf_counter() - began
    return result


def judged(samples: Samples, answers: Predictions, resamples: int, seed: int) -> dict[str, float]:
    """Return the seconds of each part of an evaluation and of its report."""
    predictor, seconds = Predictor(), {}
    gender = samples.column("gender") or []
    crossed = [f"{a}, {b}" for a, b in zip(samples.attributes["race"], gender, strict=True)]
    columns = {"age": samples.attributes["age"], "race,gender": crossed}
    intervals = partial(estimate, answers, samples.persons, resamples=resamples, seed=seed)
    metrics = timed(seconds, "all intervals", intervals)
    groups = timed(
        seconds,
        "groups",
        lambda: {name: group_by(samples, answers, cells, seed) for name, cells in columns.items()},
    )
    certainty = timed(
        seconds, "certainty", partial(describe_calibration, answers, predictor.threshold, seed=seed)
    )
    result = Evaluation(
        csv=Path("faces.csv"),
        split="test",
        where=[],
        model=None,
        samples=samples,
        answers=answers,
        no_face=0,
        unreadable=0,
        metrics=metrics,
        of_faces_found=metrics,
        groups={name: found for name, (found, _) in groups.items()},
        group_values=columns,
        extremes={name: extremes for name, (_, extremes) in groups.items()},
        calibration=certainty,
    )
    timed(seconds, "report", lambda: render_report(result, predictor, shown=0))
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    samples, answers = drawn(options.photos, options.seed)
    called = (answers.p_male >= 0.5).astype(np.int8)
    theirs = best(lambda: classification_report(samples.labels, called), 9)
    ours = best(lambda: WeightedMetrics(answers).metrics(), 9)
    print(f"point metrics: {ours:.3f} s, {ours / theirs:.2f} times classification_report")
    for persons in ([""] * options.photos, samples.persons):
        samples.persons = persons
        seconds = judged(samples, answers, options.resamples, options.seed)
        parts = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
        whose = "persons of five" if any(persons) else "independent photos"
        print(f"{whose}: {parts}; together {sum(seconds.values()):.1f} s", flush=True)


if __name__ == "__main__":
    main()
