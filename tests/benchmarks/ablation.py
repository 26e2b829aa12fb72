"""What is each choice of the bundled model's recipe worth?

    python examples/imagenet_start.py START
    python tests/benchmarks/ablation.py TRAIN.csv TEST.csv START [--photos 10000] [--epochs 6]
        [--only X]

TRAIN.csv has train and val rows, every row of TEST.csv is judged; both as `prepare` wrote them. A
part of the train rows is learned from once with the recipe as it is, from the model START, then
once with each choice changed, from the same seed. Prints for each: accuracy and log loss on
TEST.csv, their difference to the recipe's, the same of the mean accuracy under `WORN` conditions
(points), and the minutes of training.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegender import Predictor, TrainSettings, evaluate, train
from facegender.dataset.table import read_table, write_table
from facegender.evaluation.robustness import CONDITIONS
from facegender.faces.crop_cache import Crops
from facegender.faces.detection import detector_for
from facegender.faces.extraction import find_faces_in
from facegender.faces.geometry import Geometry
from facegender.models import architectures as model
from facegender.models.bundle import Bundle, load_bundle
from facegender.models.inference import load_network, run_network
from facegender.models.keras_backend import import_keras
from facegender.training import batches as pipeline

Change = Callable[[], Any]


@contextmanager
def constants(module: ModuleType, **values: float) -> Iterator[None]:
    """Change constants of the augmentation for a while."""
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    yield
    for name, value in before.items():
        setattr(module, name, value)


@contextmanager
def recipe(**changes: Any) -> Iterator[None]:
    """Change the networks' recipes for a while."""
    before = dict(model.ARCHITECTURES)
    for name, network in before.items():
        changed = replace(network, recipe=replace(network.recipe, **changes))
        model.ARCHITECTURES[name] = changed
    yield
    model.ARCHITECTURES.update(before)


def averaged(tuning: model.Tuning) -> Any:
    """AdamW whose weights become their moving average every 200 steps."""
    optimizer = import_keras().optimizers.AdamW(
        model.learning_rate(tuning),
        weight_decay=tuning.weight_decay,
        use_ema=True,
        ema_momentum=0.99,
        ema_overwrite_frequency=200,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


VARIANTS: dict[str, tuple[dict[str, Any], list[Change]]] = {
    "the recipe": ({}, []),
    "random weights at the start": ({"init": "none", "arch": "lite", "start_share": None}, []),
    "compact, from random weights": ({"init": "none", "lr": 3e-3, "start_share": None}, []),
    "no mirror image in use": ({}, [lambda: recipe(mirrored=False)]),
    "constant learning rate (.0003)": ({"schedule": "constant", "lr": 3e-4}, []),
    "no weight decay": ({"weight_decay": 0.0}, []),
    "no label smoothing": ({"label_smoothing": 0.0}, []),
    "mixup .2": ({"mixup": 0.2}, []),
    "no class weights": ({}, [lambda: recipe(class_weights=False)]),
    "no augmentation": ({"augment": False}, []),
    "no erasing": ({}, [lambda: constants(pipeline, ERASE=0.0)]),
    "no loss of colour": ({}, [lambda: constants(pipeline, GREY=0.0)]),
    "no blur, JPEG and dim light": ({"degrade": False}, []),
    "moving average of weights": ({}, [lambda: recipe(optimizer=averaged)]),
    "crops of 64x64": ({"size": "64x64"}, []),
    "crops of 64x64 for the first half": ({"first": "64x64"}, []),
    "turned by the eyes": ({"crop": "eyes"}, []),
}


WORN = ("small", "blurred", "dark", "jpeg")
"""Conditions of the stress test whose mean accuracy is the column "worn"."""


def faces_of(csv: Path, geometry: Geometry) -> tuple[Crops, NDArray[np.int8]]:
    """Return the crops of the faces found in a table's photos, and their labels."""
    table = read_table(csv)
    found = list(find_faces_in(table.paths, geometry, detector=detector_for(geometry)))
    kept = [row for row, photo in enumerate(found) if len(photo.faces)]
    crops = np.stack([found[row].crops[0] for row in kept])
    return crops, np.asarray(table.labels, np.int8)[kept]


def worn_accuracy(bundle: Bundle, pictures: tuple[Crops, NDArray[np.int8]]) -> float | None:
    """Mean accuracy under the conditions of `WORN`; None for models that take other crops."""
    crops, labels = pictures
    if bundle.geometry.shape != crops.shape[1:]:
        return None
    network, right = load_network(bundle), []
    for condition in (c for c in CONDITIONS if c.name in WORN):
        changed = [condition.change(image, image) for image in map(Image.fromarray, crops)]
        answers = run_network(network, np.stack([np.asarray(image) for image in changed]))
        right.append((answers.argmax(axis=1) == labels).mean())
    return float(np.mean(right))


def trained(
    table: Path, out: Path, usual: TrainSettings, changes: dict[str, Any]
) -> tuple[Bundle, float]:
    """Train, the first half at another size where `changes` has one as "first"."""
    seconds = 0.0
    if first := changes.pop("first", None):
        half = replace(usual, epochs=(usual.epochs or 2) // 2, size=first)
        small = train(table, out.with_suffix(".first"), half)
        seconds = small.manifest["training"]["seconds"]
        changes |= {"init": str(small.folder), "epochs": half.epochs, "size": "96x96"}
    bundle = train(table, out, replace(usual, **changes))
    return bundle, seconds + bundle.manifest["training"]["seconds"]


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
    parser.add_argument("start", type=Path)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--only", action="append", choices=list(VARIANTS))
    options = parser.parse_args()
    usual = TrainSettings(
        init=str(options.start),
        lr=1e-3,
        start_share=0.0,
        epochs=options.epochs,
        patience=options.epochs,
        seed=0,
    )
    first: tuple[float, float, float] | None = None
    print("| changed | accuracy | points | log loss | difference | worn | minutes |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "faces.csv"
        subset(options.train, options.photos, table)
        pictures = faces_of(options.test, load_bundle(options.start).geometry)
        for number, (name, (settings, changes)) in enumerate(VARIANTS.items()):
            if options.only and name not in options.only:
                continue
            contexts = [change() for change in changes]
            for context in contexts:
                context.__enter__()
            bundle, seconds = trained(table, Path(folder) / str(number), usual, dict(settings))
            for context in contexts:
                context.__exit__(None, None, None)
            found = evaluate(options.test, Predictor(bundle.folder), split="all")
            accuracy = found.metrics["accuracy"].value or 0.0
            loss = found.of_faces_found["log_loss"].value or 0.0
            worn = worn_accuracy(bundle, pictures)
            first = first or (accuracy, loss, worn or 0.0)
            worse = "" if worn is None else f"{100 * (worn - first[2]):+.1f}"
            print(
                f"| {name} | {100 * accuracy:.1f} % | {100 * (accuracy - first[0]):+.1f} | "
                f"{loss:.3f} | {loss - first[1]:+.3f} | "
                f"{worse} | {seconds / 60:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
