"""Ctrl-C and SIGTERM at any moment: 130 or 143, no traceback, the old files."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.conftest import make_tree
from tests.faults.kills import FACEGENDER, OLD, assert_group_ends, environment

DRIVER = """
import os, sys
from facegender.__main__ import main
class Detector:
    module, number = sys.argv[1], int(sys.argv[2])
    left = int(module) if module.isdigit() else -1
    @classmethod
    def find_spec(cls, name, *_):
        if name == "facegender.cli":
            os.write(1, b"begun")
        cls.left -= 1
        if cls.left == 0 or name == cls.module:
            os.kill(os.getpid(), cls.number)
sys.meta_path.insert(0, Detector)
del sys.argv[1:3]
main()
"""
"""The installed command, except that it says when it begins, and may signal itself at an import.

What comes earlier, in Python's own start, is out of our hands.
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Photos, their table, and an older answer, which all commands would write over."""
    folder = tmp_path_factory.mktemp("prepared")
    make_tree(folder / "photos", persons=12, photos=10)
    command = [*FACEGENDER, "prepare", "photos", "--test", "0.5", "--quiet"]
    subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
    (folder / "out").write_text(OLD)
    return folder


@pytest.fixture
def place(prepared, tmp_path):
    """The same, to write to."""
    return shutil.copytree(prepared, tmp_path / "place")


def as_in_a_terminal():
    """A shell makes what it starts in the background, these tests perhaps, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(command, folder, nth=0, number=signal.SIGINT):
    """Start a command that signals itself at its nth import, or at that of a module, if any."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(nth), str(int(number)), *command],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=as_in_a_terminal,
    )


def commands(model):
    return {
        "predict": ["predict", "photos", "-r", "--json", "--output", "out", "--model", str(model)],
        "prepare": ["prepare", "photos", "--test", "0.5"],
        "eval": ["eval", "--json", "--output", "out", "--model", str(model)],
    }


def files(folder):
    """Names and contents, but for how long it took, and the answers kept for `--resume`."""
    return {
        path.name: re.sub(rb'"seconds": [0-9.]+', b"", path.read_bytes())
        for path in folder.iterdir()
        if path.is_file() and path.suffix != ".facegender-log"
    }


@pytest.fixture(scope="module")
def wholes(prepared, model, tmp_path_factory):
    """The files as they are before each command and after it."""
    found = {}

    def wholes(name):
        if name not in found:
            folder = shutil.copytree(prepared, tmp_path_factory.mktemp("whole") / "place")
            command = [*FACEGENDER, *commands(model)[name]]
            subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
            found[name] = [files(prepared), files(folder)]
        return found[name]

    return wholes


def assert_quiet(process, number, wholes, folder, error):
    """It ended by the signal, silently but for a sentence, and everything is old or new."""
    left = files(folder)
    # By the system: before we handle it, or after Python has ended all that we do. A shell says 130
    # or 143 then too.
    silent = number == signal.SIGTERM or left == wholes[-1]
    allowed = (128 + number, *([-number] if silent else []))
    assert process.returncode in allowed, (process.returncode, left == wholes[-1], error)
    assert "Traceback" not in error
    assert "ignored" not in error
    assert left in wholes
    assert not [path for path in folder.iterdir() if path.name.startswith(".facegender")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_it_is_being_imported(place, model, number):
    before, codes = files(place), Counter()
    for nth in (1, 2, 4, 9, 20, 45, 90, 200, 500):
        process = start(commands(model)["predict"], place, nth, number)
        error = process.communicate(timeout=120)[1]
        codes[process.returncode] += 1
        if process.returncode == 0:
            (place / "out").write_text(OLD)
            continue
        assert_quiet(process, number, [before, None], place, error)
    assert codes[128 + number] + codes[-number] >= 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_between_its_start_and_its_first_command(place, model, number):
    """What turns an interruption into a sentence is imported before any can be raised."""
    for module in (
        "facegender.runtime.signals",
        "facegender.cli._console",
        "facegender.cli.predict",
    ):
        before = files(place)
        process = start(commands(model)["predict"], place, module, number)
        error = process.communicate(timeout=120)[1]
        assert process.returncode == 128 + number, (module, error)
        assert_quiet(process, number, [before, None], place, error)


def interrupt(command, number, delay, folder, wholes):
    """Start a command, send a signal as a terminal does (or `kill`), and judge; its exit code."""
    process = start(command, folder)
    assert os.read(process.stdout.fileno(), 5) == b"begun"
    time.sleep(delay)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    sent = time.monotonic()
    error = process.communicate(timeout=120)[1]
    assert time.monotonic() - sent < 5
    assert_group_ends(process.pid, 1)
    if process.returncode == 0:  # it had ended, or was past the moment at which it could be stopped
        assert files(folder) == wholes[1]
        assert "Traceback" not in error
    else:
        assert_quiet(process, number, wholes, folder, error)
    (folder / "out").write_text(OLD)
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["predict", "prepare", "eval"])
def test_at_later_moments(place, wholes, model, command, number):
    codes = Counter()
    for delay in (0.0, 0.06, 0.3):
        codes[interrupt(commands(model)[command], number, delay, place, wholes(command))] += 1
    assert codes[128 + number], "it was always done before the signal came"


def test_a_ctrl_c_that_the_shell_made_it_ignore_stays_ignored(place, model):
    process = subprocess.Popen(
        [*FACEGENDER, *commands(model)["prepare"], "--workers", "1"],
        cwd=place,
        env=environment(),
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    for _ in range(20):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert process.wait() == 0
