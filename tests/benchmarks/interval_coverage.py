"""Do intervals of 95 % hold the truth 95 % of the time?

    python tests/benchmarks/interval_coverage.py [--sets 2000] [--photos 500] [--resamples 1000]

Draws data sets from a known model that is right on 90 % of the photos and counts how often each
metric's interval holds the truth: the metric on 4 million photos of the same model. Photos are
independent; or persons have ten each, or 1 to 60, and a person's photos share half of what makes
an answer right or wrong.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
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
