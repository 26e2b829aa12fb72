"""How does the memory of `prepare`, `train`, `predict` and `eval` grow with the photos?

    python tests/benchmarks/memory.py [--sizes 1000 10000 100000 1000000] [--folder DIR]

Writes that many photos of 16x16 pixels (noise, each another; 20 a person), runs the four commands
on them, each in processes of its own, and samples the memory of the whole process tree: the sum of
the proportional set sizes, so that what processes share counts once. Prints the peak, and the bytes
a photo by which it exceeds the constant: the peak at 10,000 photos, where all buffers are full.

The commands are the real ones but for stand-ins, since a million real photos would take a day: the
network is one dense layer on the mean of 32x32 crops, and above 100,000 photos (`--real-up-to`) the
files are links to a few, and reading one, searching it and hashing it are replaced by drawing
numbers from its name, with a constant of their own. What is kept of each photo is what is kept of
real ones. The crops that `train` caches on disk are no memory of its processes: the copies that the
system keeps of them in memory that is free otherwise do not count.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

COMMANDS = ("prepare", "train", "predict", "eval")
LIMIT = 300
"""Bytes a photo that a command may use above its constant."""
PHOTOS_A_PERSON = 20
SIDE = 16
TICK = 0.05

CONSTANT_AT = 10_000

CHILD = """
import sys
from facegender.cli import main
from facegender.faces.geometry import Geometry
from facegender.models.architectures import Recipe, _adamw, register

@register(
    Geometry("photo", 32, 32),
    Recipe(epochs=1, batch_size=512, lr=1e-3, patience=1, augment=False, class_weights=True,
           optimizer=_adamw),
)
def tiny(keras, crops, seed):
    return keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(crops))

sys.exit(main())
"""

STAND_INS = """
import hashlib, os
import numpy as np
from facegender.faces import extraction as crops
from facegender.dataset import near_copies
from facegender.dataset import checks, verify
from facegender.faces.geometry import Face

def numbers(path):
    return hashlib.blake2b(os.fsencode(path), digest_size=32).digest()

def inspect(path, min_size=0):
    return checks.PhotoCheck("", "", 16, 16, os.stat(path).st_size, numbers(path)[:16].hex())

def hashes(path):
    drawn = np.frombuffer(numbers(path), np.uint64).tolist()
    return near_copies.Hashes(numbers(path)[:16].hex(), drawn[2], drawn[3])

def faces(source, geometry, detector):
    crop = np.full((1, *geometry.shape), numbers(source)[0], np.uint8)
    return crops.Found([Face((0.0, 0.0, 16.0, 16.0))], crop)

def compare(job):
    return "" if os.path.exists(job[0]) else "gone"

checks.inspect_photo, near_copies.hash_photo = inspect, hashes
crops.find_faces, verify._compare = faces, compare
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What a command took: seconds, and the peak memory of its processes in bytes."""

    seconds: float
    peak: int


def make_photos(folder: Path, count: int, linked: bool) -> None:
    """Write bitmaps of noise into folders of women, men and persons; or links to a few."""
    random = np.random.default_rng(0)
    pixels = SIDE * SIDE * 3
    head = b"BM" + (54 + pixels).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    head += (40).to_bytes(4, "little") + 2 * SIDE.to_bytes(4, "little")
    head += (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24)
    first_of: dict[int, Path] = {}
    for i in range(count):
        person = i // PHOTOS_A_PERSON
        place = folder / ("female", "male")[person % 2] / f"person-{person:07}"
        if i % PHOTOS_A_PERSON == 0:
            place.mkdir(parents=True)
        photo = place / f"photo-{i:08}.bmp"
        some = i // 50_000 if linked else i  # a file bears 65,000 links
        if some in first_of:
            photo.hardlink_to(first_of[some])
        else:
            photo.write_bytes(head + random.bytes(pixels))
            if linked:
                first_of[some] = photo


def arguments(command: str, folder: Path) -> list[str]:
    """The command line of a command, run in `folder`."""
    return {
        "prepare": ["prepare", "photos", "--min-size", str(SIDE)],
        "train": ["train", "--arch", "tiny", "--init", "none", "--seed", "0", "--force"],
        "predict": ["predict", "photos", "--recursive", "--csv", "--output", "out.csv"],
        "eval": ["eval", "--by", "gender", "--json", "--output", "eval.json"],
    }[command]


def run(command: str, folder: Path, stand_ins: bool) -> Run:
    """Run a command in processes of its own and watch their memory.

    Raises:
        RuntimeError: the command failed.
    """
    with (folder / f"{command}.log").open("w+") as log:
        began = time.perf_counter()
        child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                STAND_INS * stand_ins + CHILD,
                *arguments(command, folder),
                "--quiet",
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": os.environ.get("PYTHONPATH", str(Path.cwd()))},
        )
        peak, over = [0], threading.Event()
        watcher = threading.Thread(target=_watch, args=(child.pid, peak, over))
        watcher.start()
        code = child.wait()
        over.set()
        watcher.join()
        log.seek(0)
        if code:
            raise RuntimeError(f"{command} exits with {code}: {log.read()[-2000:]}")
    return Run(time.perf_counter() - began, peak[0])


def _watch(root: int, peak: list[int], over: threading.Event) -> None:
    while not over.wait(TICK):
        peak[0] = max(peak[0], sum(_memory(pid) for pid in _tree(root)))


def _tree(root: int) -> list[int]:
    """A process and all its descendants."""
    found = [root]
    for pid in found:  # the list grows while it is walked
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                children = Path(f"/proc/{pid}/task/{task}/children").read_text()
                found.extend(int(child) for child in children.split())
    return found


def _memory(pid: int) -> int:
    """Proportional set size of a process in bytes; 0 where it is gone."""
    with suppress(OSError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--commands", nargs="+", default=COMMANDS, choices=COMMANDS)
    parser.add_argument("--folder", type=Path, help="where the photos go; 4 GB for a million")
    parser.add_argument("--real-up-to", type=int, default=100_000)
    options = parser.parse_args()
    print(f"{'command':8} {'photos':>9} {'seconds':>8} {'peak MB':>8} {'bytes a photo above':>20}")
    real = sorted(size for size in options.sizes if size <= options.real_up_to)
    large = sorted(size for size in options.sizes if size > options.real_up_to)
    runs = [(size, False) for size in real]
    runs += [(size, True) for size in ([CONSTANT_AT, *large] if large else ())]
    worst = 0.0
    constant: dict[tuple[str, bool], tuple[int, int]] = {}
    for size, stand_ins in runs:
        folder = Path(tempfile.mkdtemp(prefix="memory-", dir=options.folder))
        try:
            make_photos(folder / "photos", size, stand_ins)
            for command in options.commands:
                found, shown = run(command, folder, stand_ins), "(the constant)"
                least, peak = constant.setdefault((command, stand_ins), (size, found.peak))
                if size <= CONSTANT_AT:
                    constant[command, stand_ins] = size, max(found.peak, peak)
                else:
                    above = max(0, found.peak - peak) / (size - least)
                    worst, shown = max(worst, above), f"{above:.0f}"
                print(
                    f"{command:8} {size:9,} {found.seconds:8.1f} {found.peak / 1e6:8.1f} "
                    f"{shown:>20}{' (stand-ins)' if stand_ins else ''}",
                    flush=True,
                )
        finally:
            shutil.rmtree(folder)
    print(f"most bytes a photo: {worst:.0f}, limit {LIMIT}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
