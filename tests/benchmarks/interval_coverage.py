"""Do intervals of 95 % hold the truth 95 % of the time?

    python tests/benchmarks/interval_coverage.py [--sets 2000] [--photos 500] [--resamples 1000]
    python tests/benchmarks/interval_coverage.py --gaps [--sets 2000]

Draws data sets from a known model that is right on 90 % of the photos and counts how often each
metric's interval holds the truth: the metric on 4 million photos of the same model. Photos are
independent; or persons have ten each, or 1 to 60, and a person's photos share half of what makes
an answer right or wrong.

With --gaps, the simultaneous intervals of all differences between groups: how often do all of them
hold, and how often does that of the two groups that came out furthest apart?
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from facegender.evaluation.gaps import difference_of, pairwise_confidence
from facegender.evaluation.intervals import estimate
from facegender.evaluation.metrics import Predictions, WeightedMetrics

NAMES = ("accuracy", "recall_female", "recall_male", "roc_auc", "log_loss", "brier")
SKILL = 1.2816
"""With unit noise the sign of skill + noise is right 90 % of the time."""
SHARE = 0.5
"""Share of the noise's variance that a person's photos have in common."""
SETTINGS = ("independent", "persons of ten", "persons of 1 to 60")


def drawn(photos: int, setting: str, seed: list[int]) -> tuple[Predictions, list[str] | None]:
    random = np.random.default_rng(seed)
    if setting == "independent":
        of, share = np.arange(photos), 0.0
    elif setting == "persons of ten":
        of, share = np.arange(photos) // 10, SHARE
    else:
        sizes = np.minimum(random.geometric(1 / 8, photos), 60)
        of, share = np.repeat(np.arange(photos), sizes)[:photos], SHARE
    labels = random.integers(0, 2, photos)[of]
    common = random.normal(size=photos)[of]
    noise = share**0.5 * common + (1 - share) ** 0.5 * random.normal(size=photos)
    margin = (SKILL + noise) * (labels * 2 - 1)
    answers = Predictions(labels.astype(np.int8), 1 / (1 + np.exp(-2 * margin)))
    return answers, [str(person) for person in of] if share else None


def held(
    number: int, photos: int, resamples: int, setting: str, truth: dict[str, float]
) -> list[bool]:
    answers, names = drawn(photos, setting, [number, SETTINGS.index(setting)])
    found = estimate(answers, names, resamples=resamples, seed=number, names=NAMES)
    ends = [(found[name].low, found[name].high) for name in NAMES]
    return [
        low is not None and high is not None and low <= truth[name] <= high
        for name, (low, high) in zip(NAMES, ends, strict=True)
    ]


GROUPS = {
    "7 equal groups of 300": ([0.92] * 7, [300] * 7),
    "7 groups of 60 to 600, .88 to .97": (
        [0.97, 0.95, 0.94, 0.93, 0.92, 0.9, 0.88],
        [600, 60, 400, 150, 300, 90, 200],
    ),
    "14 groups of 300, .89 to .98": (list(np.linspace(0.89, 0.98, 14)), [300] * 14),
    "3 groups of 40, .8": ([0.8] * 3, [40] * 3),
}
"""Accuracies and photos of the groups."""


def gaps_held(number: int, setting: str) -> tuple[bool, bool, bool]:
    """Whether all differences hold, the largest seen does, and the worst group's accuracy does."""
    truth, photos = (np.array(values) for values in GROUPS[setting])
    random = np.random.default_rng([number, len(truth)])
    labels = np.concatenate([np.arange(count) % 2 for count in photos]).astype(np.int8)
    values = np.repeat(np.arange(len(truth)), photos)
    right = random.random(len(labels)) < truth[values]
    p_male = np.where(right == (labels == 1), 0.9, 0.1)
    rows = {str(i): np.flatnonzero(values == i) for i in range(len(truth))}
    answers = Predictions(labels, p_male)
    level = pairwise_confidence(len(truth))
    found = [
        estimate(answers.take(r), names=("accuracy",), confidence=level)["accuracy"]
        for r in rows.values()
    ]
    holds = [
        d.low <= truth[i] - truth[j] <= d.high
        for i, a in enumerate(found)
        for j, b in enumerate(found)
        if i < j and (d := difference_of(a, b)).low is not None and d.high is not None
    ]
    shares = [one.value for one in found]
    top, low = int(np.argmax(shares)), int(np.argmin(shares))
    seen = difference_of(found[top], found[low])
    sidak = estimate(
        answers.take(rows[str(low)]), names=("accuracy",), confidence=0.95 ** (1 / len(truth))
    )["accuracy"]
    return (
        all(holds),
        seen.low <= truth[top] - truth[low] <= seen.high,
        sidak.low <= truth[low] <= sidak.high,
    )


def check_gaps(sets: int) -> None:
    print("| | all differences | the largest seen | the worst group |")
    print("| --- | ---: | ---: | ---: |")
    for setting in GROUPS:
        with ProcessPoolExecutor(2) as pool:
            rows = list(pool.map(partial(gaps_held, setting=setting), range(sets), chunksize=50))
        cells = " | ".join(f"{100 * share:.1f} %" for share in np.mean(rows, axis=0))
        print(f"| {setting} | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--gaps", action="store_true", help="differences between groups instead")
    options = parser.parse_args()
    if options.gaps:
        check_gaps(options.sets)
        return
    print("| | " + " | ".join(NAMES) + " |")
    print("| --- |" + " ---: |" * len(NAMES))
    # What persons share does not change how a single photo is distributed.
    truth = WeightedMetrics(drawn(4_000_000, "independent", [1 << 30])[0]).metrics()
    for setting in SETTINGS:
        one = partial(
            held,
            photos=options.photos,
            resamples=options.resamples,
            setting=setting,
            truth=truth,
        )
        with ProcessPoolExecutor(2) as pool:
            rows = np.array(list(pool.map(one, range(options.sets), chunksize=20)))
        cells = " | ".join(f"{100 * share:.1f} %" for share in rows.mean(axis=0))
        print(f"| {setting} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
