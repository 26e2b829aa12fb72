"""Ordered, bounded mapping over all cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait
from typing import TypeVar

from facegender.errors import FaceGenderError
from facegender.interrupt import SIGNALS

Item = TypeVar("Item")
Result = TypeVar("Result")

Ready = Callable[[], bool]
"""Tells whether the next item can be had without waiting for whoever makes them."""

CHUNK = 32
CHUNKS_AHEAD = 4
"""Chunks that wait per worker: enough to keep it busy, few enough to keep memory flat."""


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    chunk: int = CHUNK,
    ready: Ready | None = None,
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in order, computed by `workers` processes.

    At most a few chunks are in flight, so any number of items streams in constant memory. With
    one worker, or with no more items than one chunk, everything runs in this process.

    Args:
        function: a picklable function (a module's own, or a `functools.partial` of one).
        items: picklable arguments.
        workers: number of processes; None means one a core.
        chunk: items sent to a worker at once.
        ready: where given, items that are not at hand are waited for only when every result of
            those before them has been handed out.

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
    pool = _pool(workers)
    pending: deque[Future[list[Result]]] = deque()
    try:
        pending.append(pool.submit(_apply, function, first))
        while True:
            while len(pending) < workers * CHUNKS_AHEAD and (
                not pending or ready is None or ready()
            ):
                if not (part := _part(iterator, chunk, ready)):
                    break
                pending.append(pool.submit(_apply, function, part))
            if not pending:
                return
            yield from pending.popleft().result()
    except BrokenProcessPool as error:
        raise FaceGenderError(
            "a worker process was killed, often because memory ran out",
            "Try again with --workers 1.",
        ) from error
    finally:
        for future in pending:
            future.cancel()
        pool.shutdown(wait=True)


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


def _apply(function: Callable[[Item], Result], part: list[Item]) -> list[Result]:
    return [function(item) for item in part]


def _pool(workers: int) -> Executor:
    """Fork where it is safe, since it starts at once: Linux, one thread, no TensorFlow.

    Elsewhere loky starts fresh processes; unlike the standard library's spawn it does not run the
    caller's script again, so that a script without a ``__main__`` guard works.
    """
    if (
        sys.platform == "linux"
        and threading.active_count() == 1
        and "tensorflow" not in sys.modules
    ):
        context = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_forked_worker)
        # A worker would raise in its own way what stops the parent, until it is told not to.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pool.submit(cores)  # starts all of them
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return pool
    import loky

    return loky.ProcessPoolExecutor(workers, initializer=_start_worker)  # type: ignore[no-any-return]


def _start_worker() -> None:
    """Leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _start_forked_worker() -> None:
    """Also end when the parent is gone; loky's workers do that by themselves."""
    _start_worker()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
