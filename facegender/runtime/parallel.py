"""Ordered, bounded mapping over all cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import TypeVar

from facegender.errors import FaceGenderError
from facegender.runtime.signals import SIGNALS, Uninterrupted

Item = TypeVar("Item")
Result = TypeVar("Result")
Key = TypeVar("Key")

Ready = Callable[[], bool]
"""Tells whether the next item can be had without waiting for whoever makes them."""

CHUNK = 32
CHUNKS_AHEAD = 4
"""Chunks that wait per worker: enough to keep it busy, few enough to keep memory flat."""


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def result_of(future: Future[Result], held: Uninterrupted) -> Result:
    """Wait for a result; a signal may end the waiting, at a lock that nobody else needs.

    A signal within `Future.result` may leave the future's own lock taken, for which the pool that
    works on it would wait for ever.
    """
    done = threading.Lock()
    done.acquire()
    future.add_done_callback(lambda _future: done.release())
    with held.interruptible():
        done.acquire()
    return future.result()


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
        workers: number of processes; None means one a core.
        chunk: items sent to a worker at once.
        ready: where given, items that are not at hand are waited for only when every result of
            those before them has been handed out.
        on_death: answers for an item that kills its process, even when it is alone; None raises.

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

    results = ordered_map(function, unkeyed(), workers=workers, ready=ready, on_death=on_death)
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
    """Yield results until all are there or a worker dies; return the items left unanswered.

    At most `ahead` parts are in flight, and lost when one of them kills its worker.
    A part that is not `ready` is waited for only when none is in flight.
    """
    waiting: deque[list[Item]] = deque()
    pending: deque[Future[list[Result]]] = deque()
    # The pool's own steps are not interrupted: one half done, such as a lock that is taken, would
    # let its thread, and whoever waits for that, wait for ever.
    with Uninterrupted() as held:
        ending, end = multiprocessing.Pipe(duplex=False)
        pool = _pool(workers, ending)
        try:
            while True:
                while len(pending) < ahead:
                    with held.interruptible():
                        at_hand = not pending or ready is None or ready()
                        part = next(parts, []) if at_hand else []
                    if not part:
                        break
                    waiting.append(part)
                    pending.append(pool.submit(_apply, function, part))
                if not pending:
                    return []
                results = result_of(pending[0], held)
                pending.popleft()
                waiting.popleft()
                with held.interruptible():
                    yield from results
        except BrokenProcessPool:
            return [item for part in waiting for item in part]
        finally:
            end.send_bytes(b"end")  # nobody asks for what is pending: chunks may take seconds
            for future in pending:
                future.cancel()
            pool.shutdown(wait=True)
            ending.close()
            end.close()


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
    """Answer items of which one killed a worker: few at a time, and when one dies, those alone.

    What dies even then has no neighbour to blame.
    """
    parts = iter([[item] for item in items])
    while suspects := (yield from _mapped(function, parts, workers, ahead=workers)):
        for item in suspects:
            if (yield from _mapped(function, iter([[item]]), 1, ahead=1)):
                yield on_death(item)


_ending: Connection
"""In a worker: a pipe in which something lies, and stays, once no answer is wanted."""


def _apply(function: Callable[[Item], Result], part: list[Item]) -> list[Result]:
    return [function(item) for item in part if not _ending.poll()]


def _pool(workers: int, ending: Connection) -> Executor:
    """Fork where it is safe, since it starts at once: Linux, one thread, no TensorFlow.

    Elsewhere loky starts fresh processes; unlike the standard library's spawn it does not run the
    caller's script again, so that a script without a ``__main__`` guard works.
    """
    if (
        sys.platform == "linux"
        and threading.active_count() == 1
        and "tensorflow" not in sys.modules
    ):
        return _started(
            ProcessPoolExecutor(
                workers,
                mp_context=_forking(),
                initializer=_start_forked_worker,
                initargs=(ending,),
            )
        )
    import loky

    if os.name == "posix":
        # loky's workers need it. Before Python 3.13 its start lets signals through, blocked or not.
        resource_tracker.ensure_running()
    return _started(
        loky.ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(ending,))
    )


def _started(pool: Executor) -> Executor:
    """Start a pool's workers, which receive no signal before they have chosen to ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        return pool
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        try:
            pool.submit(cores)  # starts all of them
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    except BaseException:
        # A signal that came meanwhile: nobody else knows of this pool, and one that ends by
        # itself while Python ends may complain of its closed pipe.
        pool.shutdown(wait=True)
        raise
    return pool


def _forking() -> BaseContext:
    """Fork processes that a broken pool, which would terminate its others, kills."""

    class Worker(context.ForkProcess):
        def terminate(self) -> None:
            self.kill()

    class Forking(context.ForkContext):
        Process = Worker

    return Forking()


def _start_worker(ending: Connection) -> None:
    """Leave signals to the parent, which lets its workers end what they are at.

    A terminal and a service manager send them to every process. A worker that ended at once would
    leave half a picture, or half an answer in the pipe, for whose rest its pool waits for ever.
    """
    global _ending
    _ending = ending
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _start_forked_worker(ending: Connection) -> None:
    """Also end when the parent is gone; loky's workers do that by themselves."""
    _start_worker(ending)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
