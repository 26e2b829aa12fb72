"""Items are mapped in order, a few ahead, and no thread stays."""

from __future__ import annotations

import threading
import time

import pytest

from facegender.runtime.threads import AHEAD, threaded_map


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order_with_their_items(threads):
    def slow(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    pairs = list(threaded_map(slow, range(40), threads))
    assert pairs == [(item, item * item) for item in range(40)]


def test_few_items_are_taken_ahead():
    taken = 0

    def items():
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    for number, _ in enumerate(threaded_map(str, items(), 2)):
        assert taken <= number + 1 + 2 * AHEAD


def test_an_error_comes_in_its_place_and_ends_the_threads():
    def failing(item: int) -> int:
        if item == 5:
            raise ValueError("five")
        return item

    done = []
    with pytest.raises(ValueError, match="five"):
        for item, _ in threaded_map(failing, range(1000), 2):
            done.append(item)
    assert done == [0, 1, 2, 3, 4]
    assert not [one for one in threading.enumerate() if one.name.startswith("map")]


def test_threads_end_with_their_consumer():
    results = threaded_map(str, range(1000), 2)
    next(results), next(results)
    results.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("map")]
