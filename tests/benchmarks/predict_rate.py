"""How fast does `predict` go through a folder, and does its memory stay flat?

    python tests/benchmarks/predict_rate.py FOLDER [--photos 1000] [--rounds 3] [--memory]

The photos of the folder are named again and again on stdin until there are enough. The baseline
is the fastest bare loop: forked processes, one a core, that decode, find the largest face, crop
and run the same network in batches, with nothing checked, ordered or written. The ratio is of
photos per second, whole processes. With --memory: peak resident memory of the whole process tree
for ten times as many photos, against that for as many.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import multiprocessing
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from facegender.faces.backends import LibFaceDetection
from facegender.models.bundle import load_bundle
from facegender.models.default_model import choose_model
from facegender.runtime.parallel import cores

BATCH = 64


def bare(paths: list[str]) -> None:
    """Decode, find, crop and classify, as bare as it goes."""
    from ai_edge_litert.interpreter import Interpreter

    detect, buffer = LibFaceDetection()._detect, np.zeros(0x9000, np.uint8)
    bundle = load_bundle(choose_model()[0])
    width = bundle.geometry.width
    interpreter = Interpreter(model_content=bundle.litert.read_bytes(), num_threads=1)
    source = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(source, (BATCH, *bundle.geometry.shape))
    interpreter.allocate_tensors()
    crops, count = np.zeros((BATCH, *bundle.geometry.shape), np.uint8), 0
    for path in paths:
        with open(path, "rb") as file:
            image = Image.open(io.BytesIO(file.read())).convert("RGB")
        small = image.resize((round(image.width / 1.2), round(image.height / 1.2)))
        bgr = np.ascontiguousarray(np.asarray(small)[:, :, ::-1])
        rows, columns = bgr.shape[:2]
        address = ctypes.c_void_p
        detect(address(buffer.ctypes.data), address(bgr.ctypes.data), columns, rows, columns * 3)
        found = int(buffer[:4].view(np.int32)[0])
        if found:
            _, x, y, w, h = (1.2 * v for v in buffer[4:].view(np.int16)[:5])
            box = (max(x, 0), max(y, 0), min(x + w, image.width), min(y + h, image.height))
            crop = image.resize((width, width), box=box)
            crops[count] = np.asarray(crop)
            count += 1
        if count == BATCH:
            interpreter.set_tensor(source, crops)
            interpreter.invoke()
            count = 0
    interpreter.set_tensor(source, crops)
    interpreter.invoke()


def bare_seconds(paths: list[str]) -> float:
    began = time.perf_counter()
    fork, number = multiprocessing.get_context("fork"), cores()
    processes = [fork.Process(target=bare, args=(paths[i::number],)) for i in range(number)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return time.perf_counter() - began


def ours(paths: list[str]) -> tuple[float, float]:
    """Seconds of the command, and peak MiB of its tree of processes."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "facegender", "predict", "-0", "-", "--jsonl", "--quiet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    peak = [0.0]
    watcher = threading.Thread(target=watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    process.communicate("\0".join(paths).encode())
    seconds = time.perf_counter() - began
    assert process.returncode == 0
    watcher.join()
    return seconds, peak[0]


def watch(pid: int, peak: list[float]) -> None:
    """Sum the proportional memory of a process and its children until it ends."""
    while True:
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return
        total = 0
        for one in (str(pid), *children):
            try:
                for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
            except OSError:
                continue
        peak[0] = max(peak[0], total / 1024)
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    there = sorted(str(path) for path in options.folder.rglob("*.jpg"))
    paths = [there[i % len(there)] for i in range(options.photos)]
    if options.memory:
        few, many = ours(paths)[1], ours(paths * 10)[1]
        print(f"peak memory {few:.0f} and {many:.0f} MiB, ratio {many / few:.3f}")
        return
    ratios = []
    for number in range(options.rounds + 1):
        limit, (mine, _) = bare_seconds(paths), ours(paths)
        if number:  # the first round only warms the disk cache
            ratios.append(limit / mine)
            print(f"{len(paths) / mine:,.0f} photos/s, ratio {limit / mine:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
