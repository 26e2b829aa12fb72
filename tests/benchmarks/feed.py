"""How much of the network's own speed does `train` keep?

    python tests/benchmarks/feed.py [--photos 3200] [--rounds 3]

Runs the real `train` on made photos, and between its runs the fastest bare loop: `train_on_batch`
on one batch that is already a tensor in memory, same batch size, same jit setting. Prints the
ratio of images per second, without and with augmentation; with it, the limit is the bare step plus
the bare time of augmenting one batch.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from facegender import PrepareSettings, TrainSettings, prepare, train
from facegender.backend import import_keras
from facegender.model import Tuning, architecture, build, compile_for_training
from facegender.pipeline import augment
from facegender.training.events import Epoch


def make_photos(folder: Path, count: int) -> None:
    random = np.random.default_rng(0)
    for i in range(count):
        place = folder / ("female", "male")[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (12, 10, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((84, 106)).save(place / f"{i}.jpg")


def bare_rates(batch: int, steps: int) -> tuple[float, float]:
    """Seconds of one bare step and of augmenting one batch."""
    import tensorflow as tf

    random = np.random.default_rng(1)
    shape = architecture("compact").geometry.shape
    crops = tf.constant(random.integers(0, 256, (batch, *shape)).astype(np.uint8))
    one_hot = tf.constant(np.eye(2, dtype=np.float32)[random.integers(0, 2, batch)])
    weights = tf.ones(batch)
    model = build("compact", seed=0)
    compile_for_training(
        model, architecture("compact").recipe, Tuning(0.003, 10_000, "cosine", 0.05)
    )
    model.train_on_batch(crops, one_hot, weights)
    started = time.perf_counter()
    for _ in range(steps):
        model.train_on_batch(crops, one_hot, weights)
    step = (time.perf_counter() - started) / steps
    vary = tf.function(augment)
    seed = tf.constant([0, 0], tf.int64)
    vary(crops, seed)
    started = time.perf_counter()
    for i in range(steps):
        vary(crops, seed + i).numpy()
    return step, (time.perf_counter() - started) / steps


def train_rate(table: Path, folder: Path, augmented: bool) -> float:
    """Images per second of `train`, the first epoch (which compiles) left out."""
    rates: list[float] = []

    def listen(event: object) -> None:
        if isinstance(event, Epoch):
            rates.append(event.images_per_second)

    settings = TrainSettings(epochs=4, seed=0, augment=augmented, init="none", crop="photo")
    train(table, folder, settings, force=True, on_event=listen)
    return statistics.median(rates[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=3200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    batch = architecture("compact").recipe.batch_size
    ratios: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photos(folder / "photos", options.photos)
        table = folder / "faces.csv"
        prepare(folder / "photos", table, PrepareSettings(val=0.05, test=0))
        import_keras()
        for _ in range(options.rounds):
            for augmented in ratios:
                before = bare_rates(batch, 60)
                ours = train_rate(table, folder / "model", augmented)
                after = bare_rates(batch, 60)
                step = min(before[0], after[0])
                limit = batch / (step + augmented * min(before[1], after[1]))
                ratios[augmented].append(ours / limit)
                print(
                    f"augmentation {'on ' if augmented else 'off'}: train {ours:6.0f} images/s, "
                    f"limit {limit:6.0f}, ratio {ours / limit:.3f}",
                    flush=True,
                )
    for augmented, found in ratios.items():
        print(f"augmentation {'on' if augmented else 'off'}: median {statistics.median(found):.3f}")


if __name__ == "__main__":
    sys.exit(main())
