"""Does training from a cache of a million crops keep the rate of ten thousand?

    python tests/benchmarks/disk_feed.py [--many 1000000] [--few 10000] [--folder DIR] [--rounds 5]

Fills two caches of 64x64 crops, as `train` does (12 GB for a million), and trains compact on each
through the real feed and the real step, with augmentation, in turns. Prints the ratio of images per
second: warm, where the system keeps of the files what it has memory for, and cold, where it is told
to forget the larger one before every round, so that nearly every crop comes from the disk.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facegender.faces.crop_cache import CropCache
from facegender.models.architectures import Tuning, architecture, build, compile_for_training
from facegender.models.keras_backend import import_keras
from facegender.training.batches import Batches

SHAPE = architecture("compact").geometry.shape
BATCH = architecture("compact").recipe.batch_size


def fill(count: int, folder: Path) -> CropCache:
    """A cache of noise; every crop is another."""
    cache = CropCache(count, SHAPE, folder)
    noise = np.random.default_rng(0).integers(0, 256, (257, *SHAPE)).astype(np.uint8)
    for row in range(count):
        cache[row] = noise[row % 257]
    os.fsync(cache._file.fileno())
    return cache


def forget(cache: CropCache) -> None:
    """Ask the system to drop what it keeps of a cache in memory."""
    os.posix_fadvise(cache._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def batches(cache: CropCache) -> Iterator[Any]:
    labels = (np.arange(len(cache)) % 2).astype(np.int8)
    rows = np.arange(len(cache))
    return Batches(cache, labels, rows, BATCH, seed=0, augment=True).stream(0, 0, 1000)


def rate(model: Any, feed: Iterator[Any], steps: int) -> float:
    """Images per second of the next steps, the first of them left out."""
    model.train_on_batch(*next(feed))
    began = time.perf_counter()
    for _ in range(steps):
        model.train_on_batch(*next(feed))
    return steps * BATCH / (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where the caches lie")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    import_keras()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        began = time.perf_counter()
        few, many = (fill(count, Path(name)) for count in (options.few, options.many))
        size = (few.shape[0] + many.shape[0]) * np.prod(SHAPE) / 1e9
        print(f"{size:.1f} GB written in {time.perf_counter() - began:.0f} s", flush=True)
        model = build("compact", seed=0)
        tuning = Tuning(3e-3, 100_000, "cosine", 0.05, 0.1)
        compile_for_training(model, architecture("compact").recipe, tuning)
        feeds = batches(few), batches(many)
        for feed in feeds:
            rate(model, feed, 5)
        medians = {}
        for state in ("warm", "cold"):
            ratios = []
            for _ in range(options.rounds):
                before = rate(model, feeds[0], options.steps)
                if state == "cold":
                    forget(many)
                ours = rate(model, feeds[1], options.steps)
                after = rate(model, feeds[0], options.steps)
                ratios.append(ours / ((before + after) / 2))
                print(
                    f"{state}: {options.few:,} crops {before:,.0f} and {after:,.0f} images/s, "
                    f"{options.many:,} crops {ours:,.0f}, ratio {ratios[-1]:.3f}",
                    flush=True,
                )
            medians[state] = statistics.median(ratios)
    print(", ".join(f"{state}: median {ratio:.3f}" for state, ratio in medians.items()))
    return int(min(medians.values()) < 0.9)


if __name__ == "__main__":
    sys.exit(main())
