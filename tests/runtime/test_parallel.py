import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from facegender.errors import FaceGenderError
from facegender.runtime.parallel import keyed_map, ordered_map


def double(x):
    return 2 * x


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


@pytest.mark.parametrize("deadly", [{150}, {0}, {31, 32, 33}, {499}, set(range(0, 500, 100))])
def test_what_kills_its_worker_costs_only_itself(deadly):
    results = ordered_map(
        partial(die_of, deadly=deadly), range(500), workers=2, on_death=lambda item: f"lost {item}"
    )
    assert list(results) == [f"lost {i}" if i in deadly else i for i in range(500)]


def test_what_kills_its_worker_costs_only_itself_after_threads_began():
    """Threads keep the pool from forking, so that other workers than above die."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        die = partial(die_of, deadly={40})
        results = ordered_map(die, range(70), workers=2, on_death=lambda item: -item)
        assert list(results) == [-i if i == 40 else i for i in range(70)]
    finally:
        done.set()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only there processes are forked")
def test_a_signal_while_workers_start_leaves_no_pool_behind():
    script = """
import os, signal, threading
from facegender.runtime import parallel

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored

class Pool(parallel.ProcessPoolExecutor):
    def submit(self, *call):
        future = super().submit(*call)
        os.kill(os.getpid(), signal.SIGINT)  # held back until all have started
        return future

parallel.ProcessPoolExecutor = Pool
try:
    list(parallel.ordered_map(abs, range(100), workers=2, chunk=8))
except KeyboardInterrupt:
    print(threading.active_count())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


WRITER = """
import sys, threading
from pathlib import Path
from facegender.errors import Interrupted
from facegender.runtime.files import write_bytes
from facegender.runtime.signals import FirstRaises, handle
from facegender.runtime.parallel import ordered_map

def work(number):
    for i in range(20):
        write_bytes(Path(f"{number % 8}.{i}"), bytes(1000))
    return bytes(100_000)  # more than a pipe holds

if sys.argv[1] == "loky":  # a thread keeps the pool from forking
    threading.Thread(target=threading.Event().wait, daemon=True).start()
handle(FirstRaises())
try:
    for _ in ordered_map(work, range(10**6), workers=2, chunk=2):
        print("answered", flush=True)
except Interrupted:
    print("stopped", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["forked", "loky"])
def test_a_signal_to_all_processes_ends_them_between_two_items(tmp_path, kind, number):
    """As terminals and service managers send it; no half file, no hang, no traceback."""
    for delay in (0, 0.02, 0.05, 0.1):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, kind],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert process.stdout.readline() == "answered\n"
        time.sleep(delay)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out[-8:], err) == (0, "stopped\n", "")
        assert not list(tmp_path.glob(".facegender*"))


SLOW = """
import sys, threading, time
from pathlib import Path
from facegender.runtime.parallel import ordered_map

def work(number):
    if number >= 100:  # the first chunk is answered at once
        time.sleep(0.1)
    Path(str(number)).touch()

if sys.argv[1] == "loky":  # a thread keeps the pool from forking
    threading.Thread(target=threading.Event().wait, daemon=True).start()
results = ordered_map(work, range(1000), workers=2, chunk=100)
next(results)
results.close()
"""


@pytest.mark.parametrize("kind", ["forked", "loky"])
def test_who_wants_no_more_answers_waits_for_one_item_not_for_chunks(tmp_path, kind):
    subprocess.run([sys.executable, "-c", SLOW, kind], cwd=tmp_path, check=True, timeout=120)
    worked = len(list(tmp_path.iterdir()))
    assert 100 <= worked < 250, "each of two workers began at least one chunk of a hundred more"
