import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from facegender.errors import FaceGenderError
from facegender.runtime.parallel import keyed_map, ordered_map
from tests.faults.kills import assert_group_ends


def double(x):
    return 2 * x


def current_folder(_x):
    return os.getcwd()


def die(x):
    if x == 150:
        os._exit(9)
    return x


def die_of(x, deadly):
    if x in deadly:
        os.kill(os.getpid(), signal.SIGSEGV)
    return x


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 500])
def test_results_come_in_order(workers, count):
    assert list(ordered_map(double, range(count), workers=workers)) == [2 * i for i in range(count)]


def test_relative_paths_are_those_of_the_current_folder(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        folders = set(ordered_map(current_folder, range(70), workers=2))
        assert folders == {str(tmp_path / name)}


def test_input_is_read_only_a_little_ahead():
    read = []

    def items():
        for i in range(10_000):
            read.append(i)
            yield i

    results = ordered_map(double, items(), workers=2, chunk=8)
    next(results)
    assert len(read) < 200
    results.close()


def test_a_killed_worker_is_a_sentence():
    with pytest.raises(FaceGenderError, match="worker process was killed"):
        list(ordered_map(die, range(500), workers=2))


def test_a_script_without_a_main_guard_works_after_threads_began(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(1,), daemon=True).start()\n"
        "from facegender.runtime.parallel import ordered_map\n"
        "print(sum(ordered_map(abs, range(-100, 0), workers=2)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "5050\n"


class Drips:
    """Items of which only some are at hand; the next ones come when these are answered."""

    def __init__(self, groups):
        self.groups, self.at_hand, self.answered, self.given = list(groups), [], [], 0

    def __iter__(self):
        while self.at_hand or self.groups:
            if not self.at_hand:
                assert len(self.answered) == self.given, "waited for more with answers owed"
                self.at_hand = self.groups.pop(0)
            self.given += 1
            yield self.at_hand.pop(0)

    def ready(self):
        return bool(self.at_hand)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sizes", [[1] * 5, [3, 40, 1, 1, 64, 2], [100, 1], [32, 32], []])
def test_nothing_is_waited_for_while_answers_are_owed(workers, sizes):
    items = list(range(sum(sizes)))
    queue = iter(items)
    drips = Drips([[next(queue) for _ in range(size)] for size in sizes])
    for result in ordered_map(double, drips, workers=workers, ready=drips.ready):
        drips.answered.append(result)
    assert drips.answered == [2 * item for item in items]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_stay_with_their_keys_even_where_workers_die(workers):
    deadly = {70, 71} if workers > 1 else set()
    function, keys = partial(die_of, deadly=deadly), [object() for _ in range(150)]
    items = zip(keys, range(150), strict=True)
    found = list(keyed_map(function, items, workers=workers, on_death=lambda item: -item))
    assert found == [(key, -i if i in deadly else i) for i, key in enumerate(keys)]


@pytest.mark.parametrize("deadly", [{0}, {31, 499}])
def test_what_kills_its_worker_costs_only_itself(deadly):
    results = ordered_map(
        partial(die_of, deadly=deadly), range(500), workers=2, on_death=lambda item: f"lost {item}"
    )
    assert list(results) == [f"lost {i}" if i in deadly else i for i in range(500)]


def test_the_next_map_takes_over_the_workers():
    first = set(ordered_map(process_id, range(200), workers=2, chunk=8))
    second = set(ordered_map(process_id, range(200), workers=2, chunk=8))
    assert first | second == first
    assert os.getpid() not in first


def process_id(_item):
    return os.getpid()


def test_whoever_wants_no_more_results_does_not_wait(tmp_path):
    results = ordered_map(partial(slow, folder=tmp_path), range(1000), workers=2, chunk=20)
    next(results)
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 2
    worked = len(list(tmp_path.iterdir()))
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) == worked, "a worker still works"
    assert list(ordered_map(double, range(100), workers=2)) == [2 * i for i in range(100)]


def slow(number, folder):
    (folder / str(number)).touch()
    time.sleep(0.05 if number >= 20 else 0)  # the first chunk is computed at once


STREAM = """
import sys, time
from pathlib import Path
from facegender.errors import Interrupted
from facegender.runtime.files import write_bytes
from facegender.runtime.parallel import end_workers, ordered_map
from facegender.runtime.signals import FirstRaises, handle

def work(number):
    write_bytes(Path(f"{number % 8}"), bytes(1000))
    time.sleep(0.01)
    return bytes(100_000)  # more than a pipe holds

handle(FirstRaises())
try:
    for _ in ordered_map(work, range(10**6), workers=2, chunk=2):
        print("result", flush=True)
except Interrupted:
    print("stopped", flush=True)
finally:
    end_workers()
"""


def start_stream(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", STREAM],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "result\n"
    return process


BLOCKED = """
import signal
from facegender.runtime.parallel import end_workers, ordered_map

def blocked(number):
    return sorted(int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, []))

print(*list(ordered_map(blocked, range(100), workers=2, chunk=2)), blocked(0), sep=";")
end_workers()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no signal masks")
def test_workers_are_born_with_signals_blocked_and_the_caller_keeps_its_own(tmp_path):
    """Else one that comes while a worker starts prints a traceback."""
    command = [sys.executable, "-c", BLOCKED]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    *workers, caller = out.strip().split(";")
    assert set(workers[2:]) == {"[2, 15]"}  # the first chunk is the caller's
    assert caller == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_ends_them_at_once(tmp_path, number):
    """As terminals and service managers send it; no half file, no hang, no traceback."""
    for delay in (0, 0.05):
        process = start_stream(tmp_path)
        time.sleep(delay)
        began = time.monotonic()
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert time.monotonic() - began < 2
        assert (process.returncode, out[-8:], err) == (0, "stopped\n", "")
        assert_group_ends(process.pid, 1)
    for path in (path for path in tmp_path.iterdir() if not path.name.startswith(".")):
        assert path.read_bytes() == bytes(1000)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    process = start_stream(tmp_path)
    process.kill()
    process.wait()
    assert_group_ends(process.pid, 5)
