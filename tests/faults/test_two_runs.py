"""Two commands at once in one place: both right, or the second refused."""

import contextlib
import os
import random
import signal
import time

import pytest

from facegender.dataset.sidecar import is_as_written
from tests.conftest import make_tree
from tests.faults.kills import Crops, finish, start, temporary

fcntl = pytest.importorskip("fcntl")


def hold_at(pattern, folder, process):
    """Stop a process as soon as it holds a lock, so that it cannot end before it is looked at."""
    while True:
        while not (found := list(folder.glob(pattern))):
            assert process.poll() is None, "it ended too soon"
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "it ended too soon"
        if is_held(found[0]):
            return
        process.send_signal(signal.SIGCONT)  # the file is made a moment before it is locked
        time.sleep(0.001)


def is_held(file):
    with contextlib.suppress(FileNotFoundError), file.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def let_end(process):
    process.send_signal(signal.SIGCONT)
    return process.wait()


@pytest.fixture
def folder(tmp_path):
    make_tree(tmp_path / "photos", persons=20, photos=15)
    return tmp_path


def test_a_second_prepare_of_one_table_is_refused(folder):
    first = start("prepare", "photos", "--workers", "1", cwd=folder)
    hold_at(".facegender-*.lock", folder, first)
    error = finish("prepare", "photos", "--seed", "9", cwd=folder, code=1)
    assert "faces.csv is being written by another prepare" in error
    assert let_end(first) == 0
    assert is_as_written(folder / "faces.csv")
    assert not temporary(folder)


def test_the_lock_of_a_killed_prepare_is_recognised(folder):
    first = start("prepare", "photos", "--workers", "1", cwd=folder)
    hold_at(".facegender-*.lock", folder, first)
    first.kill()
    first.wait()
    assert temporary(folder)
    finish("prepare", "photos", cwd=folder)
    assert is_as_written(folder / "faces.csv")
    assert not temporary(folder)


def test_at_the_same_moment(folder):
    for seed in range(2):
        both = [
            start("prepare", "photos", "--seed", str(seed + i), "--workers", "1", cwd=folder)
            for i in (0, 1)
        ]
        time.sleep(random.Random(seed).uniform(0, 0.2))
        codes = sorted(process.wait() for process in both)
        assert codes in ([0, 0], [0, 1])
        assert is_as_written(folder / "faces.csv")
        assert not temporary(folder)


def test_a_second_prepare_into_one_folder_of_crops_is_refused(tmp_path, astronaut):
    case = Crops(tmp_path / "crops", astronaut)
    first = start(*case.arguments(), "--workers", "1", cwd=case.folder)
    hold_at("crops/.lock", case.folder, first)
    options = ("--crops", "crops", "--size", "64x64", "--output", "other.csv")
    error = finish("prepare", "photos", *options, cwd=case.folder, code=1)
    assert "crops is in use by another prepare" in error
    assert not (case.folder / "other.csv").exists()
    assert let_end(first) == 0
    assert case.judge() == "the new pair"
    assert not (case.folder / "crops" / ".lock").exists()
