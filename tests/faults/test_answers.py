"""Answers that grow: `predict --output FILE.jsonl` is killed again and again, and goes on."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import time

import pytest

from tests.conftest import encoded

PHOTOS = 240


@pytest.fixture
def album(in_tmp, astronaut):
    """Photos of one person, each a file of its own."""
    photo = encoded(astronaut[::2, ::2])
    (in_tmp / "album").mkdir()
    for i in range(PHOTOS):
        (in_tmp / "album" / f"{i:03}.jpg").write_bytes(photo + bytes([i]))
    return in_tmp


def paths_of(file, *, killed=False):
    """The photos answered in a file of JSON lines or CSV: every line must be whole.

    A kill may cut the last line where a page of memory ends, and only there.
    """
    if not file.exists():
        return []
    text = file.read_text("utf-8-sig", errors="ignore")
    if killed and file.stat().st_size % 4096 == 0:
        text = text[: text.rfind("\n") + 1]
    assert text == "" or text.endswith("\n"), text[-200:]
    if file.suffix == ".csv":
        rows = list(csv.DictReader(text.splitlines()))
        assert all(row["uncertain"] in ("yes", "no") for row in rows)
        return [row["path"] for row in rows]
    return [json.loads(line)["path"] for line in text.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_killed_at_many_moments_it_keeps_what_it_answered(album, name, capsys):
    """Each kill leaves whole lines; in the end each photo is there once."""
    out, random_ = album / name, random.Random(7)
    command = [sys.executable, "-m", "facegender", "predict", "album", "-o", name, "--resume"]
    before, kills = 0, []
    while before < PHOTOS and len(kills) < 40:
        process = subprocess.Popen([*command, "-q", "--workers", "1"])
        grown = (out.stat().st_size if out.exists() else 0) + random_.randrange(6000)
        while process.poll() is None and not (out.exists() and out.stat().st_size > grown):
            time.sleep(0.005)
        process.kill()
        process.wait()
        found = paths_of(out, killed=True)
        # What was not logged is cut off when the next run begins, and answered again.
        assert len(found) == len(set(found))
        assert len(found) >= before - 64
        kills.append(len(found))
        before = len(found)
    subprocess.run([*command, "-q"], check=True)
    assert paths_of(out) == [f"album/{i:03}.jpg" for i in range(PHOTOS)]
    with capsys.disabled():
        print(f"\n{name}: answers after each of {len(kills)} kills: {kills}")
