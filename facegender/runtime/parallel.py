"""Ordered, bounded mapping over all cores."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import cache
from itertools import chain, islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import TypeVar

from facegender.errors import FaceGenderError
from facegender.runtime.signals import SIGNALS

Item = TypeVar("Item")
Result = TypeVar("Result")
Key = TypeVar("Key")

Ready = Callable[[], bool]
"""Returns whether the next item is available without waiting."""

CHUNK = 32
CHUNKS_AHEAD = 4
"""Pending chunks per worker: enough to keep it busy, few enough to bound memory."""
_IDLE_SECONDS = 10
"""Seconds after which idle workers end and release their memory."""

_idle: dict[int, Executor] = {}
"""Number of workers -> a pool that the next map takes over, which saves its start."""
_started: weakref.WeakKeyDictionary[Executor, str] = weakref.WeakKeyDictionary()
"""The pools, and the current folder that their workers started in: relative paths are theirs."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    chunk: int = CHUNK,
    ready: Ready | None = None,
    on_death: Callable[[Item], Result] | None = None,
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in order, computed by `workers` processes.

    At most a few chunks are in flight, so any number of items streams in constant memory. With
    one worker, or with no more items than one chunk, everything runs in this process.

    Args:
        function: a picklable function (a module's own, or a `functools.partial` of one).
        items: picklable arguments.
        workers: number of processes; None means one per core.
        chunk: items sent to a worker at a time.
        ready: if given, unavailable items are only waited for after every earlier result has
            been yielded.
        on_death: gives the result of an item that kills its worker process; None raises.

    Raises:
        FaceGenderError: a worker process was killed.
    """
    workers = cores() if workers is None else workers
    iterator = iter(items)
    if workers <= 1:
        yield from map(function, iterator)
        return
    while len(first := _part(iterator, chunk, ready)) < chunk:
        if not first:
            return
        yield from map(function, first)
    ahead = workers * CHUNKS_AHEAD
    parts = chain([first], iter(lambda: _part(iterator, chunk, ready), []))
    while unanswered := (yield from _mapped(function, parts, workers, ahead=ahead, ready=ready)):
        if on_death is None:
            raise FaceGenderError(
                "a worker process was killed, often because memory ran out",
                "Try again with --workers 1.",
            )
        yield from _one_by_one(function, unanswered, workers, on_death)


def keyed_map(
    function: Callable[[Item], Result],
    items: Iterable[tuple[Key, Item]],
    *,
    workers: int | None = None,
    chunk: int = CHUNK,
    ready: Ready | None = None,
    on_death: Callable[[Item], Result] | None = None,
) -> Iterator[tuple[Key, Result]]:
    """Yield ``(key, function(item))`` for every (key, item), in order; see `ordered_map`.

    Keys stay in this process: they may be anything, and as large as they like.
    """
    keys: deque[Key] = deque()

    def unkeyed() -> Iterator[Item]:
        for key, item in items:
            keys.append(key)
            yield item

    results = ordered_map(
        function, unkeyed(), workers=workers, chunk=chunk, ready=ready, on_death=on_death
    )
    for result in results:
        yield keys.popleft(), result


def _mapped(
    function: Callable[[Item], Result],
    parts: Iterator[list[Item]],
    workers: int,
    *,
    ahead: int,
    ready: Ready | None = None,
) -> Generator[Result, None, list[Item]]:
    """Yield results until the end or the death of a worker; return the items without a result.

    At most `ahead` parts are in flight, and lost when one of them kills its worker.
    A part that is not `ready` is waited for only when none is in flight.
    """
    waiting: deque[list[Item]] = deque()
    futures: deque[Future[list[Result]]] = deque()
    pool = _pool(workers)
    try:
        while True:
            while len(waiting) < ahead:
                at_hand = not waiting or ready is None or ready()
                part = next(parts, []) if at_hand else []
                if not part:
                    break
                waiting.append(part)
                futures.append(pool.submit(_apply, function, part))
            if not waiting:
                _idle[workers] = pool
                return []
            results = futures[0].result()
            waiting.popleft()
            futures.popleft()
            yield from results
    except BrokenProcessPool:
        return [item for part in waiting for item in part]
    finally:
        if _idle.get(workers) is not pool:  # pending results are not needed any more
            pool.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]


def _part(items: Iterator[Item], size: int, ready: Ready | None) -> list[Item]:
    """The next items, `size` at most; none is waited for but the first, where `ready` is given."""
    if ready is None:
        return list(islice(items, size))
    part: list[Item] = []
    while len(part) < size and (not part or ready()):
        one = list(islice(items, 1))
        if not one:
            break
        part += one
    return part


def _one_by_one(
    function: Callable[[Item], Result],
    items: list[Item],
    workers: int,
    on_death: Callable[[Item], Result],
) -> Iterator[Result]:
    """Compute items of which one killed a worker: few at a time, then one at a time.

    If a worker that computes only one item dies, this item is the cause.
    """
    parts = iter([[item] for item in items])
    while suspects := (yield from _mapped(function, parts, workers, ahead=workers)):
        for item in suspects:
            if (yield from _mapped(function, iter([[item]]), 1, ahead=1)):
                yield on_death(item)


def _apply(function: Callable[[Item], Result], part: list[Item]) -> list[Result]:
    return [function(item) for item in part]


def _pool(workers: int) -> Executor:
    """Return a pool with running workers.

    They are new processes, because forking is unsafe with threads or TensorFlow. Unlike the
    standard library, loky does not run the caller's script again, so scripts without a ``__main__``
    guard work.
    """
    idle = _idle.pop(workers, None)
    if idle is not None and _started[idle] != _current_folder():
        idle.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]
    elif idle is not None:
        with suppress(BrokenProcessPool):  # the system killed an idle worker
            return _running(idle)
    import loky

    warnings.filterwarnings("ignore", category=UserWarning, module="loky")
    pool: Executor = loky.ProcessPoolExecutor(
        workers,
        timeout=_IDLE_SECONDS,
        initializer=_start_worker,
        initargs=_parent_pipe()[:1],
        env={"PYTHONFAULTHANDLER": ""},  # loky would print where a worker crashed
    )
    _started[pool] = _current_folder()
    return _running(pool)


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _running(pool: Executor) -> Executor:
    """Start a pool's workers; signals wait until they have chosen to ignore them."""
    if not hasattr(signal, "pthread_sigmask"):
        pool.submit(cores)
        return pool
    # Loky starts it with the first worker, and its start unblocks the signals in Python 3.11.
    resource_tracker.ensure_running()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        pool.submit(cores)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pool


@cache
def _parent_pipe() -> tuple[Connection, Connection]:
    """Return a pipe whose other end closes when this process ends, even if it is killed."""
    return multiprocessing.Pipe(duplex=False)


def end_workers() -> None:
    """Kill all worker processes; their current work is lost.

    Their semaphores are released here, and not by the collector in a thread that reads on: Python's
    end might cut it off in the middle of that, and their tracker would print a warning.
    """
    _idle.clear()
    pools, collects = list(_started), gc.isenabled()
    gc.disable()
    try:
        while pools:
            pools.pop().shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]
            if not pools:
                gc.collect()
    finally:
        if collects:
            gc.enable()


def _start_worker(parent: Connection) -> None:
    """Ignore signals, which the parent handles, and end when the parent ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=[parent], daemon=True).start()


def _end_with_parent(parent: Connection) -> None:
    """Loky's workers would only notice a killed parent after 40 seconds."""
    with suppress(EOFError, OSError):
        parent.recv()
    os._exit(1)
