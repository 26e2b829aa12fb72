"""Ctrl-C and SIGTERM at any moment: 130 or 143, no traceback, the old files."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.conftest import make_tree
from tests.faults.kills import FACEGENDER, environment

AT_IMPORT = """
import os, sys
from facegender.__main__ import main
class Finder:
    left = int(sys.argv[1])
    @classmethod
    def find_spec(cls, *_):
        cls.left -= 1
        if cls.left == 0:
            os.kill(os.getpid(), int(sys.argv[2]))
sys.meta_path.insert(0, Finder)
del sys.argv[1:3]
main()
"""


@pytest.fixture
def place(tmp_path, toy_model):
    """Photos, their table, and an older answer, which all commands would write over."""
    make_tree(tmp_path / "photos", persons=12, photos=10)
    command = [*FACEGENDER, "prepare", "photos", "--test", "0.5", "--quiet"]
    subprocess.run(command, cwd=tmp_path, env=environment(), check=True, capture_output=True)
    (tmp_path / "out").write_text("old")
    return tmp_path


def commands(model):
    return {
        "predict": ["predict", "photos", "-r", "--csv", "--output", "out", "--model", str(model)],
        "prepare": ["prepare", "photos", "--test", "0.5"],
        "eval": ["eval", "--json", "--output", "out", "--model", str(model)],
    }


def old_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def assert_quiet(process, number, before, folder, error):
    """It ended by the signal, silently but for a sentence, and everything is as it was."""
    assert process.returncode == 128 + number, error
    assert "Traceback" not in error
    assert "ignored" not in error
    assert old_files(folder) == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".facegender")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_it_is_being_imported(place, toy_model, number):
    before, codes = old_files(place), Counter()
    for nth in (1, 2, 4, 9, 20, 45, 90, 200, 500):
        command = [sys.executable, "-c", AT_IMPORT, str(nth), str(int(number))]
        process = subprocess.Popen(
            [*command, *commands(toy_model)["predict"]],
            cwd=place,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        error = process.communicate(timeout=120)[1]
        codes[process.returncode] += 1
        if process.returncode == 0:
            (place / "out").write_text("old")
            continue
        assert_quiet(process, number, before, place, error)
    assert codes[128 + number] >= 7


def interrupt(command, number, delay, folder):
    """Start a command, send a signal as a terminal does (or `kill`), and judge; its exit code."""
    before = old_files(folder)
    process = subprocess.Popen(
        [*FACEGENDER, *command],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(delay)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    error = process.communicate(timeout=120)[1]
    if process.returncode == 0:  # it had ended, or was past its last write
        assert "Traceback" not in error
        (folder / "out").write_text("old")
        return 0
    assert_quiet(process, number, before, folder, error)
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["predict", "prepare", "eval"])
def test_at_later_moments(place, toy_model, command, number):
    codes = Counter()
    for delay in (0.15, 0.4):
        codes[interrupt(commands(toy_model)[command], number, delay, place)] += 1
    assert codes[128 + number], "it was always done before the signal came"


@pytest.mark.slow
def test_at_many_moments(place, toy_model, capsys):
    """Prints a table: command, signal, times, and how they ended."""
    draws = random.Random(5)
    lines = []
    for name, command in commands(toy_model).items():
        for number in (signal.SIGINT, signal.SIGTERM):
            codes = Counter()
            for _ in range(20):
                codes[interrupt(command, number, draws.uniform(0.08, 1.2), place)] += 1
            lines.append(f"{number.name:<8} to {name:<8} {sum(codes.values()):>3}   {dict(codes)}")
    with capsys.disabled():
        print("", *lines, sep="\n")
