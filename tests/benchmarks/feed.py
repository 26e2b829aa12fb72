"""How much of the network's own speed does `train` keep?

    python tests/benchmarks/feed.py [--photos 3200] [--rounds 3] [--arch compact]

Runs the real `train` on made photos, and between its runs the fastest bare loop: `train_on_batch`
on one batch that is already a tensor in memory, same batch size, same batch norm, same jit setting.
Prints the ratio of images per second, without and with augmentation; with it, the limit is the bare
step plus the bare time of augmenting one batch. Then the time of a bare step against that of the
same network with Keras's own batch norm.
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
from facegender.models.architectures import Tuning, architecture, build, compile_for_training
from facegender.models.keras_backend import import_keras
from facegender.training.augmentation import augment
from facegender.training.degradation import degrade
from facegender.training.events import Epoch
from facegender.training.fused_norm import fuse_norms


def make_photos(folder: Path, count: int) -> None:
    random = np.random.default_rng(0)
    for i in range(count):
        place = folder / ("female", "male")[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (12, 10, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((84, 106)).save(place / f"{i}.jpg")


def bare_rates(arch: str, steps: int) -> tuple[float, float, float]:
    """Seconds of a bare step, of one with Keras's own batch norm, and of augmenting a batch."""
    import tensorflow as tf

    random = np.random.default_rng(1)
    network = architecture(arch)
    batch = network.recipe.batch_size
    photos = random.integers(0, 256, (batch, *network.geometry.shape)).astype(np.uint8)
    crops = tf.constant(photos)
    one_hot = tf.constant(np.eye(2, dtype=np.float32)[random.integers(0, 2, batch)])
    seconds = []
    for model in (fuse_norms(build(arch)), build(arch)):
        compile_for_training(model, network.recipe, Tuning(0.001, 10_000, "cosine", 0.05))
        model.train_on_batch(crops, one_hot, tf.ones(batch))
        started = time.perf_counter()
        for _ in range(steps):
            model.train_on_batch(crops, one_hot, tf.ones(batch))
        seconds.append((time.perf_counter() - started) / steps)
    vary = tf.function(augment)
    seed = tf.constant([0, 0], tf.int64)
    vary(crops, seed)
    started = time.perf_counter()
    for i in range(steps):
        degrade(photos, np.random.default_rng(i))
        vary(crops, seed + i).numpy()
    return seconds[0], seconds[1], (time.perf_counter() - started) / steps


def train_rate(table: Path, folder: Path, arch: str, augmented: bool) -> float:
    """Images per second of `train`, the first epoch (which compiles) left out."""
    rates: list[float] = []

    def listen(event: object) -> None:
        if isinstance(event, Epoch):
            rates.append(event.images_per_second)

    settings = TrainSettings(
        arch=arch, epochs=4, seed=0, augment=augmented, init="none", crop="photo"
    )
    train(table, folder, settings, force=True, on_event=listen)
    return statistics.median(rates[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=3200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arch", default="compact")
    options = parser.parse_args()
    batch = architecture(options.arch).recipe.batch_size
    norms = []
    ratios: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photos(folder / "photos", options.photos)
        table = folder / "faces.csv"
        prepare(folder / "photos", table, PrepareSettings(val=0.05, test=0))
        import_keras()
        for _ in range(options.rounds):
            for augmented in ratios:
                before = bare_rates(options.arch, 60)
                ours = train_rate(table, folder / "model", options.arch, augmented)
                after = bare_rates(options.arch, 60)
                step, keras_step, vary = map(min, before, after)
                norms.append(step / keras_step)
                limit = batch / (step + augmented * vary)
                ratios[augmented].append(ours / limit)
                print(
                    f"augmentation {'on ' if augmented else 'off'}: train {ours:6.0f} images/s, "
                    f"limit {limit:6.0f}, ratio {ours / limit:.3f}",
                    flush=True,
                )
    for augmented, found in ratios.items():
        print(f"augmentation {'on' if augmented else 'off'}: median {statistics.median(found):.3f}")
    print(f"a step against one with Keras's batch norm: median {statistics.median(norms):.3f}")


if __name__ == "__main__":
    sys.exit(main())
