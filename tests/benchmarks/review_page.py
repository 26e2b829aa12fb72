"""How long does `review` take to start, and from a key to the next face on the screen?

    python tests/benchmarks/review_page.py PHOTOS [--answers 10000] [--keys 50] [--rounds 3]
        [--against CHECKOUT]

PHOTOS is a folder with photos of 200x200 pixels or more (`$FACEGENDER_TEST_DATA/photos`). The
command runs as users run it, on answers that name these photos again and again, and Chromium is
driven by keys. Printed are the seconds until the address is printed, by the wall clock and of
processors, and the milliseconds from a key to the next face: until the frame that shows it has
been made, as the page measures it. The parts are medians: until the answer is on its way, until the
server says that it is on disk, until the face is shown. --against measures another checkout by
turns with this one.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
PAUSE = 150
"""Milliseconds between keys: 1,000 faces an hour leave 3,600."""
TIMES = """() => performance.getEntriesByName('key to next face')
  .map(entry => [entry.startTime, entry.startTime + entry.duration])"""
REQUESTS = """() => performance.getEntriesByType('resource')
  .filter(entry => entry.name.endsWith('/answer'))
  .map(entry => [entry.requestStart, entry.responseStart])"""


def write_answers(photos: list[Path], count: int, file: Path) -> None:
    """Write what `predict` would, of so many faces."""
    faces: dict[Path, list[dict[str, object]]] = {photo: [] for photo in photos}
    for number in range(count):
        box = [30 + number // len(photos), 20, 100, 120]
        face = {"box": box, "score": 0.9, "probabilities": {"female": 0.1, "male": 0.9}}
        faces[photos[number % len(photos)]].append(face)
    with file.open("w") as stream:
        for photo, found in faces.items():
            stream.write(json.dumps({"path": str(photo), "error": None, "faces": found}) + "\n")


def start(checkout: Path, answers: Path, count: int) -> tuple[subprocess.Popen, str, list[float]]:
    """Start `review`; return it, the address, and the seconds that it took."""
    labels = Path(tempfile.mkdtemp()) / "labels.csv"
    options = ["--sample", str(count), "--no-browser", "--output", str(labels)]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "facegender", "review", str(answers), *options],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stderr.readline()
    wall = time.perf_counter() - begun
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return process, line.split()[-1], [wall, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")]


def press_keys(page: Page, address: str, count: int) -> list[list[float]]:
    """Answer faces; return for each the milliseconds of all, and of the three parts."""
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    page.wait_for_timeout(1500)  # the first pictures are made
    for number in range(1, count + 1):
        page.keyboard.press("f")
        page.wait_for_timeout(PAUSE)
        shown = f"() => performance.getEntriesByName('key to next face').length === {number}"
        page.wait_for_function(shown, polling=100)
    pairs = zip(page.evaluate(TIMES), page.evaluate(REQUESTS), strict=True)
    return [
        [end - key, sent - key, saved - sent, end - saved] for (key, end), (sent, saved) in pairs
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    photos = sorted(options.photos.absolute().rglob("*.jpg"))
    answers = Path(tempfile.mkdtemp()) / "answers.jsonl"
    write_answers(photos, options.answers, answers)
    own = Path(__file__).parents[2]
    checkouts = [own] if options.against is None else [options.against.absolute(), own]
    starts: dict[Path, list[list[float]]] = {checkout: [] for checkout in checkouts}
    keys: dict[Path, list[list[float]]] = {checkout: [] for checkout in checkouts}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        for checkout in checkouts * options.rounds:
            process, address, seconds = start(checkout, answers, options.answers)
            starts[checkout].append(seconds)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            keys[checkout] += press_keys(page, address, options.keys)
            page.close()
            process.send_signal(signal.SIGINT)
            process.communicate()
        browser.close()
    for checkout in checkouts:
        wall, processors = map(statistics.median, zip(*starts[checkout], strict=True))
        whole, *parts = zip(*keys[checkout], strict=True)
        print(f"{'this' if checkout == own else checkout}: {options.answers:,} answers start in")
        print(f"  {wall:.2f} s, {processors:.2f} s of processors")
        tenths = statistics.quantiles(whole, n=10)
        print(
            f"  key to next face, {len(whole)} keys: median {statistics.median(whole):.1f} ms, "
            f"p90 {tenths[-1]:.1f}, most {max(whole):.1f}"
        )
        sent, saved, shown = map(statistics.median, parts)
        print(f"  of which sent {sent:.1f}, on disk {saved:.1f}, shown {shown:.1f}")


if __name__ == "__main__":
    main()
