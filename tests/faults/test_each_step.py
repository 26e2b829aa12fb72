"""A signal at each step of a write: the old files or the new ones, and nothing beside them.

And at each of many steps of a pool of processes: it ends, whole.

Python runs a signal's handler between two steps of its own code. Here each of those moments has its
turn, in our functions and in those of the standard library under them.
"""

import dis
import faulthandler
import multiprocessing
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import pytest

from facegender.archive.sources import Reader
from facegender.errors import Interrupted
from facegender.runtime.files import atomic_folder, atomic_path, lock, lock_target, write_together
from facegender.runtime.parallel import ordered_map
from facegender.runtime.signals import FirstRaises

LOOKS = {"RESUME", "CALL", "CALL_KW", "CALL_FUNCTION_EX", "JUMP_BACKWARD"}
"""Instructions at whose end Python looks for a signal."""


@cache
def instructions(code):
    return {found.offset: found.opname for found in dis.get_instructions(code)}


class Moments:
    """Sends this process a signal at the nth moment at which Python looks for one."""

    def __init__(self, nth):
        self.left = nth

    def __call__(self, frame, _event, _argument):
        frame.f_trace_opcodes = True
        names, last = instructions(frame.f_code), None

        def local(frame, event, _argument):
            nonlocal last
            if event == "opcode":
                if last in LOOKS:
                    self.left -= 1
                    if self.left == 0:
                        signal.raise_signal(signal.SIGTERM)
                last = names[frame.f_lasti]
            return local

        return local


def interrupted(action, nth):
    """Run an action with a signal at its nth moment; whether there were so many moments."""
    moments = Moments(nth)
    kept = signal.signal(signal.SIGTERM, FirstRaises())
    was = sys.gettrace()
    try:
        sys.settrace(moments)
        try:
            action()
        finally:
            sys.settrace(was)
    except Interrupted:
        pass
    finally:
        signal.signal(signal.SIGTERM, kept)
    return moments.left <= 0


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write_one(folder):
    with atomic_path(folder / "a") as temporary:
        temporary.write_text("new")


def write_two(folder):
    write_together([(folder / "a", b"new"), (folder / "b", lambda stream: stream.write("new"))])


def write_folder(folder):
    with atomic_folder(folder / "both", lambda _: None) as new:
        (new / "a").write_text("new")


def hold_folder(folder):
    with lock(folder, "test"):
        pass


def hold_target(folder):
    with lock_target(folder / "a", "test"):
        pass


def at_each_step(write, folder, changed):
    """Interrupt a write at each of its moments; how often the files were old, and how often new."""
    (folder / "both").mkdir()
    old = dict.fromkeys(["a", "b", "both/a"], "old")
    new = old | dict.fromkeys(changed, "new")
    write(folder)  # once before: what is imported on the way has moments of its own
    seen, nth, going = Counter(), 0, True
    while going:
        for name, text in old.items():
            (folder / name).write_text(text)
        nth += 1
        going = interrupted(lambda: write(folder), nth)
        found = contents(folder)
        assert found in (old, new), (nth, found)
        seen["new" if found == new else "old"] += 1
    return seen


@pytest.mark.parametrize(
    ("write", "changed"),
    [
        (write_one, ["a"]),
        (write_two, ["a", "b"]),
        (write_folder, ["both/a"]),
        (hold_folder, []),
        (hold_target, []),
    ],
)
def test_a_signal_at_each_step(tmp_path, write, changed):
    # In a process of its own: an exception that is raised while Python leaves an `except` block,
    # where only tracing can raise one, stays the context of all that come later.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        seen = pool.submit(at_each_step, write, tmp_path, changed).result()
    assert seen.total() > 400
    assert (seen["old"] > 100 and seen["new"] > 1) or not changed


def map_in_processes():
    assert sum(ordered_map(abs, range(-40, 0), workers=2, chunk=8)) == 820


class Answering(Reader):
    def read(self, name):
        return name


def read_in_threads():
    names = [f"https://a.test/{number}" for number in range(40)]
    assert list(Answering("", None).sources(names)) == names


def pools_at_many_steps(use, stride):
    """Interrupt what uses a pool at every so manieth of its moments; how often it was."""
    use()
    nth, stopped = 1, 0
    while True:
        faulthandler.dump_traceback_later(60, exit=True)  # whoever waits for ever fails
        if not interrupted(use, nth):
            return stopped
        assert (threading.active_count(), multiprocessing.active_children()) == (1, []), nth
        stopped += 1
        nth += stride


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are not forked")
@pytest.mark.parametrize("use", [map_in_processes, read_in_threads])
def test_a_signal_at_many_steps_of_a_pool(use):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(pools_at_many_steps, use, 23).result() > 100
