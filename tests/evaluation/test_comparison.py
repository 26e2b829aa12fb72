import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.dataset.samples import Samples
from facegender.evaluation.comparison import (
    OtherPredictions,
    compare_predictions,
    matched_interval,
    mcnemar,
    read_predictions,
)
from facegender.evaluation.intervals import Z
from facegender.evaluation.metrics import Predictions


def test_mcnemar_by_published_numbers():
    """The documentation of statsmodels' mcnemar, exact: 121 against 59, p = 4.434e-06."""
    assert mcnemar(121, 59) == pytest.approx(4.434e-06, rel=1e-3)
    assert mcnemar(59, 121) == mcnemar(121, 59)
    assert mcnemar(0, 0) == 1
    assert mcnemar(0, 5) == pytest.approx(2 * 0.5**5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_by_counting(first, second):
    total = first + second
    tail = sum(math.comb(total, k) for k in range(min(first, second) + 1))
    expected = min(1.0, float(Fraction(2 * tail, 2**total)))
    assert mcnemar(first, second) == pytest.approx(expected, abs=1e-9)


def test_the_interval_of_a_published_example():
    """Agresti, "Categorical data analysis", 2002, table 10.1: 944 of 1,600 approved first and 880
    later; 150 and 86 changed. -.04 with a standard error of .0095; the half photos hardly matter.
    """
    low, high = matched_interval(86 / 1600, 150 / 1600, 1600)
    assert (low, high) == pytest.approx((-0.04 - 1.96 * 0.0095, -0.04 + 1.96 * 0.0095), abs=2e-4)


def test_the_interval_by_hand():
    assert matched_interval(0, 0, 10) == pytest.approx((-Z / 12, Z / 12), abs=1e-9)
    # 3 and 1 of 8: cells 3.5 and 1.5 of 10.
    spread = Z * math.sqrt(5 - 4 / 10) / 10
    assert matched_interval(3 / 8, 1 / 8, 8) == pytest.approx((0.2 - spread, 0.2 + spread))
    assert matched_interval(1, 0, 1)[1] == 1


def answers(rights, labels):
    return Predictions(labels, np.where(np.array(rights) == (labels == 1), 0.9, 0.1))


def other(predictions, listed=None):
    every = np.ones(len(predictions.labels), bool)
    return OtherPredictions("other", predictions, every if listed is None else listed)


def test_the_difference_is_paired_and_counts_missing_answers_as_errors():
    labels = np.array([0, 1] * 50, np.int8)
    first = answers([True] * 100, labels)
    wrong = np.arange(100) < 10
    second = answers(~wrong, labels)
    second.p_male[50:60] = np.nan
    result = compare_predictions(first, other(second))
    assert result.difference.value == pytest.approx(0.2)
    assert result.difference.low > 0.1
    assert (result.only_first, result.only_second) == (20, 0)
    assert result.differing.tolist() == [*range(10), *range(50, 60)]
    assert result.p_value < 1e-4
    same = compare_predictions(first, other(first))
    assert (same.difference.value, same.p_value, len(same.differing)) == (0, 1, 0)
    assert -0.03 < same.difference.low < 0 < same.difference.high < 0.03


def test_persons_widen_the_interval():
    labels = np.ones(200, np.int8)
    first = answers([True] * 200, labels)
    second = answers(np.repeat(np.arange(20) >= 4, 10), labels)
    alone = compare_predictions(first, other(second)).difference
    grouped = compare_predictions(
        first, other(second), [f"p{i // 10}" for i in range(200)]
    ).difference
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
    one = compare_predictions(first, other(second), ["she"] * 200).difference
    assert one.low < 0 < one.high


def samples(paths):
    count = len(paths)
    return Samples(paths, np.zeros(count, np.int8), [""] * count, ["test"] * count)


def test_another_tools_answers_are_compared_by_path(in_tmp):
    (in_tmp / "other.csv").write_text("path,p_male\na.jpg,0.25\nb.jpg,\n")
    found = read_predictions(in_tmp / "other.csv", samples(["a.jpg", "b.jpg", "c.jpg"]))
    np.testing.assert_array_equal(found.predictions.p_male, [0.25, np.nan, np.nan])
    assert found.listed.tolist() == [True, True, False]
    assert found.name == str(in_tmp / "other.csv")


def test_rows_that_the_other_does_not_list_are_left_out():
    labels = np.array([0, 1] * 50, np.int8)
    first = answers(np.arange(100) >= 20, labels)
    second = answers(np.arange(100) >= 30, labels)
    second.p_male[:10] = np.nan
    listed = np.arange(100) >= 10
    result = compare_predictions(first, other(second, listed))
    assert result.missing.tolist() == list(range(10))
    assert (result.first.value, result.second.value) == pytest.approx((80 / 90, 70 / 90))
    assert result.difference.value == pytest.approx(10 / 90)
    assert result.coverage == 1
    assert result.differing.tolist() == list(range(20, 30))
    stored = result.to_json(samples([f"{i}.jpg" for i in range(100)]))
    assert stored["missing"] == [f"{i}.jpg" for i in range(10)]
    assert stored["other"] == "other"
