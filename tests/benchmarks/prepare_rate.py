"""How fast does `prepare` check photos, against the fastest bare decode?

    python tests/benchmarks/prepare_rate.py FOLDER [--rounds 5]

Both read and decode every photo below FOLDER on all cores. The bare one is a forked
`multiprocessing.Pool` that opens, drafts and loads with Pillow and returns nothing;
`prepare`'s also checks, measures and hashes, and keeps the order. Prints the ratio of
photos per second.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path

from PIL import Image

from facegender.dataset.checks import inspect_all


def decode(path: str) -> None:
    with Image.open(path) as image:
        image.draft(None, (32, 32))
        image.load()


def bare(paths: list[str]) -> float:
    started = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for _ in pool.imap_unordered(decode, paths, chunksize=64):
            pass
    return time.perf_counter() - started


def ours(paths: list[str]) -> float:
    started = time.perf_counter()
    inspect_all(paths)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    paths = sorted(str(p) for p in options.folder.rglob("*.jpg"))
    bare(paths)  # both find the files in the system's cache
    ratios = []
    for _ in range(options.rounds):
        limit, taken = bare(paths), ours(paths)
        ratios.append(limit / taken)
        print(
            f"prepare {len(paths) / taken:7,.0f} photos/s, bare {len(paths) / limit:7,.0f}, "
            f"ratio {limit / taken:.3f}",
            flush=True,
        )
    print(f"{len(paths):,} photos: median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    sys.exit(main())
