"""What is starting from the bundled model worth on your own photos?

    python examples/fine_tuning.py faces.csv OUT [--photos 200 --photos 1000]

faces.csv is split by person, as `prepare` does. Trains on some and on all of its train rows, from
scratch and from the bundled model, and judges each on the test rows: people that neither saw.
"""

import argparse
from pathlib import Path

import numpy as np

from facegender import Predictor, TrainSettings, evaluate, train
from facegender.dataset.samples import Samples
from facegender.dataset.table import read_table, write_table


def part_of(table: Samples, photos: int) -> Samples:
    """Return a table with some of the train rows, the same for every call, and all others."""
    rows = np.array(table.rows_of("train"))
    chosen = np.random.default_rng(0).permutation(rows)[:photos].tolist()
    others = [row for row, split in enumerate(table.splits) if split != "train"]
    return table.take(sorted(chosen + others))


def main() -> None:
    """Train and judge, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=int, action="append")
    options = parser.parse_args()
    table = read_table(options.csv)
    options.out.mkdir(parents=True, exist_ok=True)
    print("| training photos | start | accuracy on strangers | 95 % interval | seconds |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for photos in [*(options.photos or [200, 1000]), len(table.rows_of("train"))]:
        csv = options.out / f"{photos}.csv"
        write_table(csv, part_of(table, photos))
        for init in ("none", "bundled"):
            model = options.out / f"{photos}_{init}"
            bundle = train(csv, model, TrainSettings(init=init, seed=0))
            found = evaluate(csv, Predictor(model), leaks=False).metrics["accuracy"]
            low, high = 100 * (found.low or 0), 100 * (found.high or 0)
            print(
                f"| {photos:,} | {init} | {100 * (found.value or 0):.1f} % | "
                f"{low:.1f} to {high:.1f} | {bundle.manifest['training']['seconds']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
