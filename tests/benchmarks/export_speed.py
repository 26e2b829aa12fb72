"""How fast is each export on one core, beside what `predict` runs?

    python tests/benchmarks/export_speed.py EXPORT … [--rounds 7]

The exports (folders that `facegender export` wrote) take turns with the model's LiteRT model on
one core and one thread, on the same made crops: 64 at once, and one at a time. Printed are medians
of milliseconds of processor time a crop, which other programs disturb least, and of their ratio to
the twin's in the same round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before any engine counts the cores

import json  # noqa: E402

from facegender.exporting.formats import EXPORT_FORMATS  # noqa: E402
from facegender.exporting.samples import made_crops  # noqa: E402
from facegender.models.bundle import load_bundle  # noqa: E402
from facegender.models.default_model import choose_model  # noqa: E402
from facegender.models.inference import LiteRtNetwork  # noqa: E402

BATCH = 64


def seconds(network: Callable[[Any], Any], crops: Any, at_once: int) -> float:
    began = time.process_time()
    for i in range(0, len(crops), at_once):
        network(crops[i : i + at_once])
    return (time.process_time() - began) / len(crops)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exports", nargs="+", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    bundle = load_bundle(choose_model(arguments.model)[0])
    assert bundle.litert is not None
    networks: dict[str, Callable[[Any], Any]] = {
        "predict": LiteRtNetwork(bundle.litert.read_bytes(), threads=1)
    }
    for folder in arguments.exports:
        facts = json.loads((folder / "export.json").read_text("utf-8"))
        if facts["source"]["fingerprint"] != bundle.fingerprint:
            parser.error(f"{folder} was made from another model")
        name = f"{facts['format']}{' int8' * facts['int8']} ({facts['engine']['name']})"
        networks[name] = EXPORT_FORMATS[facts["format"]].load(folder / facts["model"])
    crops = made_crops(bundle.geometry, BATCH).crops
    print(f"| engine | at once | ms a crop | ratio to predict |\n| --- {'| ---: ' * 3}|")
    for at_once in (BATCH, 1):
        taken: dict[str, list[float]] = {name: [] for name in networks}
        for round_ in range(arguments.rounds + 1):
            for name, network in networks.items():
                spent = seconds(network, crops, at_once)
                if round_:  # the first warms up
                    taken[name].append(spent)
        for name, times in taken.items():
            ratio = statistics.median(
                own / ours for own, ours in zip(times, taken["predict"], strict=True)
            )
            print(f"| {name} | {at_once} | {1000 * statistics.median(times):.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
