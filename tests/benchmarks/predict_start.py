"""How long and how large is `predict` of one photo, against `import tensorflow`?

    python tests/benchmarks/predict_start.py PHOTO [--rounds 7]

Times whole processes in turn and prints the ratios of time and of peak memory (the largest
resident set), both medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak MiB of a process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    ours = [sys.executable, "-m", "facegender", "predict", options.photo]
    theirs = [sys.executable, "-c", "import tensorflow"]
    rounds = [(measured(ours), measured(theirs)) for _ in range(options.rounds + 1)][1:]
    for i, what in enumerate(("time", "peak memory")):
        ratio = statistics.median(one[i] / other[i] for one, other in rounds)
        mine = statistics.median(one[i] for one, _ in rounds)
        unit = "s" if i == 0 else "MiB"
        print(f"{what}: {mine:.2f} {unit}, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
