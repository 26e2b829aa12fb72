"""What is each choice of compact's recipe worth?

    python tests/benchmarks/ablation.py TRAIN.csv TEST.csv [--photos 10000] [--epochs 12] [--only X]

TRAIN.csv has train and val rows, every row of TEST.csv is judged; both as `prepare` wrote them. A
part of the train rows is learned from once with the recipe as it is, then once with each choice
changed, from the same seed. Prints for each: accuracy and log loss on TEST.csv, their difference
to the recipe's, and the minutes of training.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facegender import Predictor, TrainSettings, evaluate, model, pipeline, train
from facegender.dataset.table import read_table, write_table

Change = Callable[[], Any]


@contextmanager
def constant(name: str, value: float) -> Iterator[None]:
    """Change a constant of the augmentation for a while."""
    before = getattr(pipeline, name)
    setattr(pipeline, name, value)
    yield
    setattr(pipeline, name, before)


@contextmanager
def recipe(**changes: Any) -> Iterator[None]:
    """Change compact's recipe for a while."""
    before = model.ARCHITECTURES["compact"]
    changed = replace(before, recipe=replace(before.recipe, **changes))
    model.ARCHITECTURES["compact"] = changed
    yield
    model.ARCHITECTURES["compact"] = before


VARIANTS: dict[str, tuple[dict[str, Any], list[Change]]] = {
    "the recipe": ({}, []),
    "no mirror image in use": ({}, [lambda: recipe(mirrored=False)]),
    "constant learning rate (.001)": ({"schedule": "constant", "lr": 1e-3}, []),
    "no weight decay": ({"weight_decay": 0.0}, []),
    "no label smoothing": ({"label_smoothing": 0.0}, []),
    "mixup .2": ({"mixup": 0.2}, []),
    "no class weights": ({}, [lambda: recipe(class_weights=False)]),
    "no augmentation": ({"augment": False}, []),
    "no erasing": ({}, [lambda: constant("ERASE", 0.0)]),
    "no loss of colour": ({}, [lambda: constant("GREY", 0.0)]),
    "turned by the eyes": ({"crop": "eyes"}, []),
}


def subset(csv: Path, photos: int, out: Path) -> None:
    """Write a table with all val rows and some train rows of another."""
    table = read_table(csv)
    rows = np.array(table.rows_of("train"))
    chosen = np.random.default_rng(0).permutation(rows)[:photos].tolist()
    write_table(out, table.take(sorted([*chosen, *table.rows_of("val")])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--only", action="append", choices=list(VARIANTS))
    options = parser.parse_args()
    usual = TrainSettings(init="none", epochs=options.epochs, patience=options.epochs, seed=0)
    first: tuple[float, float] | None = None
    print("| changed | accuracy | points | log loss | difference | minutes |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "faces.csv"
        subset(options.train, options.photos, table)
        for number, (name, (settings, changes)) in enumerate(VARIANTS.items()):
            if options.only and name not in options.only:
                continue
            contexts = [change() for change in changes]
            for context in contexts:
                context.__enter__()
            out = Path(folder) / str(number)
            bundle = train(table, out, replace(usual, **settings))
            for context in contexts:
                context.__exit__(None, None, None)
            found = evaluate(options.test, Predictor(out), split="all")
            accuracy = found.metrics["accuracy"].value or 0.0
            loss = found.of_faces_found["log_loss"].value or 0.0
            first = first or (accuracy, loss)
            print(
                f"| {name} | {100 * accuracy:.1f} % | {100 * (accuracy - first[0]):+.1f} | "
                f"{loss:.3f} | {loss - first[1]:+.3f} | "
                f"{bundle.manifest['training']['seconds'] / 60:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
