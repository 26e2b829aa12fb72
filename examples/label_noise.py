"""Find labels that are probably wrong: photos that models which never saw them contradict.

    python examples/label_noise.py faces.csv doubtful.csv [--init START] [--folds 2] [--epochs 10]
        [--sure .95] [--drop kept.csv]

The train rows are parted into folds; each fold is judged by a model trained on the others, which
is the cross-validated confidence of Northcutt et al., "Confident learning", 2021. They learn from
scratch, or from a model that has not seen these photos either, such as imagenet_start.py's. Prints
how many labels the models contradict and with what certainty, and writes path,label,p_male of the
contradicted rows, the surest first. With --drop, also writes the table without the train rows
that are contradicted with at least --sure: the one rule by which rows are left out.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from facegender import Predictor, TrainSettings, evaluate, train
from facegender.dataset.samples import Samples
from facegender.dataset.table import read_table, write_table
from facegender.runtime.files import write_csv_row


def cross_validated(table: Samples, init: str, folds: int, epochs: int) -> np.ndarray:
    """Return p(male) of every train row, NaN for the other rows, by models that did not see it."""
    rows = np.array(table.rows_of("train"))
    fold_of = np.random.default_rng(0).integers(0, folds, len(rows))
    p_male = np.full(len(table), np.nan)
    settings = TrainSettings(
        init=init,
        lr=None if init == "none" else 1e-3,
        start_share=None if init == "none" else 0.0,
        epochs=epochs,
        patience=epochs,
        seed=0,
    )
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(folds):
            part = table.take(range(len(table)))
            for row in rows[fold_of == fold]:
                part.splits[row] = "test"
            csv, model = Path(folder) / f"{fold}.csv", Path(folder) / f"model{fold}"
            write_table(csv, part)
            train(csv, model, settings)
            found = evaluate(csv, Predictor(model), split="test", leaks=False)
            accuracy = found.metrics["accuracy"].value
            print(f"fold {fold + 1} of {folds}: {len(found.samples):,} photos, {accuracy:.1%}")
            p_male[part.rows_of("test")] = found.answers.p_male
    return p_male


def main() -> None:
    """Report and write the rows whose labels the models contradict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--init", default="none")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--sure", type=float, default=0.95)
    parser.add_argument("--drop", type=Path)
    options = parser.parse_args()
    table = read_table(options.csv)
    p_male = cross_validated(table, options.init, options.folds, options.epochs)
    own = np.where(table.labels == 1, p_male, 1 - p_male)  # probability of the label as given
    judged = int((~np.isnan(own)).sum())
    for sure in (0.5, 0.8, 0.9, 0.95, 0.98, 0.99):
        count = int((own <= 1 - sure).sum())
        print(
            f"contradicted with at least {sure:.0%}: {count:,} of {judged:,} ({count / judged:.2%})"
        )
    doubted = [int(row) for row in np.argsort(own) if own[row] < 0.5]
    with options.out.open("w", encoding="utf-8", newline="") as file:
        write_csv_row(file, ["path", "label", "p_male"])
        for row in doubted:
            write_csv_row(file, [table.paths[row], int(table.labels[row]), f"{p_male[row]:.4f}"])
    if options.drop:
        kept = np.flatnonzero(~(own <= 1 - options.sure))
        write_table(options.drop, table.take(kept))
        print(f"Written: {options.drop} without {len(table) - len(kept):,} rows")


if __name__ == "__main__":
    main()
