"""Do intervals of 95 % hold the truth 95 % of the time?

    python tests/benchmarks/interval_coverage.py [--sets 2000] [--photos 500] [--resamples 1000]

Draws data sets from a known model that is right on 90 % of the photos, once with independent
photos and once with persons of ten photos that share an error, and counts how often each metric's
interval holds the truth (the metric on 4 million photos of the same model).
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from facegender.metrics import Answers, Judge, estimate

NAMES = ("accuracy", "recall_female", "recall_male", "roc_auc", "log_loss", "brier")
SKILL = 1.2816
"""With unit noise the sign of skill + noise is right 90 % of the time."""
SHARE = 0.5
"""Share of the noise's variance that a person's photos have in common, where they cluster."""
PER_PERSON = 10


def drawn(photos: int, clustered: bool, seed: list[int]) -> tuple[Answers, list[str] | None]:
    random = np.random.default_rng(seed)
    if clustered:
        persons = photos // PER_PERSON
        labels = np.repeat(random.integers(0, 2, persons), PER_PERSON)
        common = np.repeat(random.normal(size=persons), PER_PERSON)
        noise = SHARE**0.5 * common + (1 - SHARE) ** 0.5 * random.normal(size=photos)
    else:
        labels, noise = random.integers(0, 2, photos), random.normal(size=photos)
    margin = (SKILL + noise) * (labels * 2 - 1)
    answers = Answers(labels.astype(np.int8), 1 / (1 + np.exp(-2 * margin)))
    names = [str(i // PER_PERSON) for i in range(photos)] if clustered else None
    return answers, names


def held(
    number: int, photos: int, resamples: int, clustered: bool, truth: dict[str, float]
) -> list[bool]:
    answers, names = drawn(photos, clustered, [number, int(clustered)])
    found = estimate(answers, names, resamples=resamples, seed=number, names=NAMES)
    return [(found[n].low or 0.0) <= truth[n] <= (found[n].high or 0.0) for n in NAMES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    print("| | " + " | ".join(NAMES) + " |")
    for clustered in (False, True):
        truth = Judge(drawn(4_000_000, clustered, [1 << 30])[0]).metrics()
        one = partial(
            held,
            photos=options.photos,
            resamples=options.resamples,
            clustered=clustered,
            truth=truth,
        )
        with ProcessPoolExecutor() as pool:
            rows = np.array(list(pool.map(one, range(options.sets), chunksize=20)))
        cells = " | ".join(f"{100 * share:.1f} %" for share in rows.mean(axis=0))
        print(f"| {'persons of ten' if clustered else 'independent'} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
