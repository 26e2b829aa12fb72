"""A run is killed, stopped and out of space within a video: what it wrote stays, and it goes on."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.prediction.made_videos import Portrait, make_video

pytest.importorskip("av")

COMMAND = [
    sys.executable,
    "-m",
    "facegender",
    "predict",
    "film.mp4",
    "-q",
    "--fps",
    "25",
    "--workers",
    "1",
]


@pytest.fixture
def film(in_tmp, astronaut):
    portrait = Portrait(astronaut, 0, (175.0, 65.0, 100.0, 130.0))
    make_video(in_tmp / "film.mp4", [portrait], seconds=4, seed=3, people=2)
    return in_tmp


def frames_in(journal) -> int:
    return journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0


def started_until(journal, frames: int) -> subprocess.Popen:
    process = subprocess.Popen([*COMMAND, "-o", "out.jsonl", "--resume"])
    while process.poll() is None and frames_in(journal) < frames:
        time.sleep(0.005)
    return process


@pytest.mark.slow
def test_killed_and_stopped_at_many_moments_of_a_video_it_goes_on(film, capsys):
    """The answer is that of one run, and no frame that was written is read again."""
    whole = subprocess.run([*COMMAND, "--jsonl"], check=True, capture_output=True)
    journal, random_ = film / ".out.jsonl.facegender-video", random.Random(5)
    reached = [0]
    for number in signal.SIGKILL, signal.SIGINT, signal.SIGTERM:
        process = started_until(journal, reached[-1] + random_.randrange(1, 20))
        process.send_signal(number)
        assert process.wait(60) in (0, -9, 130, 143)
        if process.returncode == 0:
            break
        reached.append(frames_in(journal))
        assert reached[-1] >= reached[-2]
    subprocess.run([*COMMAND, "-o", "out.jsonl", "--resume"], check=True)
    assert json.loads((film / "out.jsonl").read_text()) == json.loads(whole.stdout)
    assert not journal.exists()
    with capsys.disabled():
        print(f"\nframes written after each stop: {reached}")


def test_a_full_disk_within_a_video_ends_the_run_and_keeps_what_was_written(film):
    resource = pytest.importorskip("resource")
    journal, limit = film / ".out.jsonl.facegender-video", 80_000
    command = [*COMMAND, "--end", "4", "-o", "out.jsonl"]
    full = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert full.returncode == 1
    assert "File too large" in full.stderr
    assert full.stderr.count("\n") <= 2
    assert frames_in(journal) > 10
    subprocess.run([*command, "--resume"], check=True)
    assert len((film / "out.jsonl").read_text().splitlines()) == 1
