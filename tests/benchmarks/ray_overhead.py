"""What does `predict --engine ray` cost over the plain engine on one machine?

    python tests/benchmarks/ray_overhead.py FOLDER [--photos 20000] [--rounds 3]

The photos of the folder are named again and again on stdin until there are enough. Whole
processes, in turn: the plain engine writes lines of JSON, ray Parquet; both use all cores. The
ratio is of their times, so 1.15 means 15 % more. Ray's start and end are a part of it, and weigh
the more the fewer and the smaller the photos are.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyarrow import parquet


def seconds(options: list[str], names: bytes) -> float:
    """Time of a whole run."""
    command = [sys.executable, "-m", "facegender", "predict", "-0", "-", "--quiet", *options]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    began = time.perf_counter()
    done = subprocess.run(command, input=names, stderr=subprocess.DEVNULL, env=environment)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    there = sorted(str(path) for path in options.folder.rglob("*.jpg"))
    names = "\0".join(there[i % len(there)] for i in range(options.photos)).encode()
    ratios = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            plain = seconds(["--jsonl", "--output", f"{folder}/plain.jsonl"], names)
            ray = seconds(["--engine", "ray", "--output", f"{folder}/ray"], names)
            answers = sum(
                parquet.read_metadata(part).num_rows for part in Path(folder).glob("ray/part-*")
            )
        if answers != options.photos:
            raise SystemExit(f"{answers:,} answers to {options.photos:,} photos")
        ratios.append(ray / plain)
        rates = [options.photos / taken for taken in (plain, ray)]
        print(f"plain {rates[0]:,.0f}/s, ray {rates[1]:,.0f}/s, ratio {ratios[-1]:.3f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
