"""The draw: sizes, probabilities, order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.errors import UsageError
from facegender.review.queue import LEAST, allocate, doubtful_and_surest, draw

SIZES = st.dictionaries(st.text("abc", min_size=1), st.integers(1, 60), min_size=2, max_size=6)


def test_a_simple_sample_has_one_probability():
    drawn = draw([""] * 1000, 200, seed=3)
    assert len({d.index for d in drawn}) == 200
    assert {d.probability for d in drawn} == {0.2}


def test_a_sample_larger_than_all_takes_all():
    drawn = draw([""] * 5, 200, seed=0)
    assert sorted(d.index for d in drawn) == list(range(5))
    assert {d.probability for d in drawn} == {1.0}


def test_every_element_is_drawn_as_often_as_its_probability_says():
    strata = ["a"] * 40 + ["b"] * 10
    times, stated = np.zeros(50), np.zeros(50)
    for seed in range(1000):
        for d in draw(strata, 12, seed):
            times[d.index] += 1
            stated[d.index] = d.probability
    assert stated[0] == pytest.approx(8 / 40)
    assert stated[49] == pytest.approx(4 / 10)
    # Four standard errors of a binomial share.
    error = 4 * np.sqrt(stated * (1 - stated) / 1000)
    assert (np.abs(times / 1000 - stated) < error).all()


@given(SIZES, st.integers(12, 200), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_a_larger_sample_contains_the_smaller_one(sizes, count, seed):
    strata = [name for name, size in sizes.items() for _ in range(size)]
    small, large = draw(strata, count, seed), draw(strata, count + 7, seed)
    assert {d.index for d in small} <= {d.index for d in large}


def test_the_order_of_a_simple_sample_stays_when_it_grows():
    small, large = draw([""] * 300, 50, 1), draw([""] * 300, 80, 1)
    assert [d.index for d in large[:50]] == [d.index for d in small]


@given(SIZES, st.integers(12, 400))
@settings(max_examples=40, deadline=None)
def test_strata_get_their_least_and_no_more_than_they_have(sizes, count):
    shares = allocate(sizes, count)
    assert all(min(LEAST, sizes[name]) <= n <= sizes[name] for name, n in shares.items())
    assert sum(shares.values()) == min(count, sum(sizes.values()))


def test_strata_share_by_the_root_of_their_sizes():
    assert allocate({"large": 90_000, "small": 10_000}, 200) == {"large": 150, "small": 50}


def test_too_many_strata_are_refused():
    with pytest.raises(UsageError, match="150 groups are too many for a sample of 200") as caught:
        allocate({str(n): 9 for n in range(150)}, 200)
    assert "300" in caught.value.hint


def test_a_stratum_is_drawn_alike_whatever_the_others_hold():
    alone = draw(["a"] * 30 + ["b"] * 2, 12, 5)
    beside = draw(["a"] * 30 + ["c"] * 2, 12, 5)
    assert [d.index for d in alone if d.stratum == "a"] == [
        d.index for d in beside if d.stratum == "a"
    ]


def test_the_doubtful_and_the_surest_take_turns():
    assert doubtful_and_surest([0.5, 0.9, 0.45, 0.01], [None] * 4) == [0, 3, 2, 1]


def test_of_the_surest_those_that_contradict_their_label_come_first():
    order = doubtful_and_surest([0.5, 0.99, 0.02, 0.9], [1, 1, 0, 0])
    assert order == [0, 3, 1, 2]
