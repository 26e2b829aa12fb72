"""Ordered, bounded mapping over threads, for functions that release Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4
"""Pending items per thread."""


def threaded_map(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[tuple[Item, Result]]:
    """Yield each item and ``function(item)``, in order, computed by so many threads.

    Items are taken in this thread, a few ahead. The first is computed here, so that what a
    function loads at its first call is loaded once.

    Args:
        function: called concurrently.
        items: any number.
        threads: with one, all is computed here.
    """
    iterator = iter(items)
    for item in islice(iterator, 1 if threads > 1 else None):
        yield item, function(item)
    if threads <= 1:
        return
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="map")
    try:
        for item in iterator:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) >= AHEAD * threads:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
