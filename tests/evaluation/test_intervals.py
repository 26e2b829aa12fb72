import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from facegender.evaluation.intervals import (
    PROPORTIONS,
    effective_units,
    estimate,
    number_units,
    resampled_weights,
    wilson,
)
from facegender.evaluation.metrics import NAMES, Predictions


def answers_of(labels, p_male):
    return Predictions(np.array(labels, np.int8), np.array(p_male, np.float64))


def made(count, seed=0, skill=0.5, noise=0.25):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    p = np.clip(0.5 + (labels - 0.5) * skill + random.normal(0, noise, count), 0, 1)
    return answers_of(labels, p)


def test_what_is_undefined_is_none():
    result = estimate(answers_of([0, 0, 0], [0.1, 0.2, 0.6]))
    for name in ("recall_male", "roc_auc", "average_precision", "mcc", "balanced_accuracy"):
        assert result[name].value is None, name
        assert result[name].low is None
    assert result["accuracy"].value == pytest.approx(2 / 3)
    nothing = estimate(answers_of([0, 1], [np.nan, np.nan]))
    assert nothing["accuracy"].value == 0
    assert nothing["log_loss"].value is None


def test_wilson_against_a_published_example():
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
    for (hits, total), (low, high) in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson(hits / total, total) == pytest.approx((low, high), abs=5e-5)


def test_intervals_are_deterministic_and_hold_their_value():
    one, two = (estimate(made(300), seed=7) for _ in range(2))
    assert one == two
    assert estimate(made(300), seed=8)["brier"] != one["brier"]
    for name in NAMES:
        if name != "ece":
            assert one[name].low <= one[name].value <= one[name].high


def test_repeated_persons_widen_the_interval():
    random = np.random.default_rng(0)
    right = np.repeat(random.random(40) < 0.9, 20)  # all photos of a person are right or wrong
    labels = np.tile([0, 1], 400)
    p = np.where(right, labels * 0.8 + 0.1, 0.9 - labels * 0.8)
    persons = [f"p{i // 20}" for i in range(800)]
    alone = estimate(answers_of(labels, p))["accuracy"]
    grouped = estimate(answers_of(labels, p), persons)["accuracy"]
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 500), st.data())
def test_wilson_agrees_with_scipy(total, data):
    hits = data.draw(st.integers(0, total))
    expected = binomtest(hits, total).proportion_ci(0.95, "wilson")
    assert wilson(hits / total, total) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_units_are_persons_and_else_photos():
    assert number_units(["a", "", "b", "a", ""], 5).tolist() == [0, 1, 2, 0, 3]
    assert number_units(["", ""], 2).tolist() == number_units(None, 2).tolist() == [0, 1]


def test_unequal_units_count_as_fewer():
    assert effective_units(np.full(40, 7)) == pytest.approx(40)
    assert effective_units(np.array([3, 3, 0])) == pytest.approx(2)
    assert effective_units(np.array([3, 1])) == pytest.approx(100 / 82)
    assert effective_units(np.zeros(3)) == 0


def test_resamples_draw_as_many_units_as_there_are():
    parts = list(resampled_weights(600, 2000, 3))
    assert len(parts) == 2
    weights = np.concatenate(parts)
    assert weights.shape == (2000, 600)
    assert set(weights.sum(axis=1)) == {600}
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.15)
    assert weights.var() == pytest.approx(1 - 1 / 600, abs=0.01)


def test_persons_with_many_photos_are_resampled_alike_but_fewer_at_a_time():
    whole = np.concatenate(list(resampled_weights(600, 2000, 3)))
    parts = list(resampled_weights(600, 2000, 3, photos=100_000))
    assert {len(part) for part in parts} == {10}
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_one_photo_tells_little():
    found = estimate(answers_of([1], [0.8]))
    assert found["accuracy"].low == pytest.approx(0.2065, abs=5e-5)
    assert found["brier"].value == pytest.approx(0.04)
    assert found["brier"].low is None


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("persons", [None, [f"p{i // 4}" for i in range(40)]])
def test_where_all_is_right_or_wrong_only_shares_have_an_interval(right, persons):
    labels = np.repeat([0, 1], 20)
    found = estimate(answers_of(labels, np.where((labels == 1) == right, 0.9, 0.1)), persons)
    for name in NAMES:
        if name in PROPORTIONS:
            low, high = found[name].low, found[name].high
            # Five persons of each gender, or twenty photos.
            assert (high == 1) if right else (low == 0)
            assert 0 < high - low < (0.7 if persons else 0.2)
        elif right or name != "average_precision":  # It is above 0 even where all is wrong.
            assert found[name].low is None, name


def test_persons_all_right_count_as_one_photo_each():
    labels = np.repeat([0, 1], 50)
    persons = [f"p{i // 5}" for i in range(100)]
    found = estimate(answers_of(labels, labels * 0.8 + 0.1), persons)["accuracy"]
    # More careful than Wilson's for 20 photos, since t of 19 degrees of freedom is above z.
    assert found.low < wilson(1.0, 20)[0]
    assert found.low == pytest.approx(20 / (20 + 2.093024**2), abs=1e-6)


def test_a_single_person_has_no_interval():
    found = estimate(made(60), ["she"] * 60)
    assert all(value.low is None for value in found.values())
    assert found["accuracy"].value is not None


def test_without_resamples_independent_shares_still_have_wilsons():
    found = estimate(made(60), resamples=0)
    assert {name for name in NAMES if found[name].low is not None} == set(PROPORTIONS)


def test_named_metrics_are_those_of_all():
    answers = made(200)
    persons = [f"p{i // 4}" for i in range(200)]
    every = estimate(answers, persons, seed=2)
    some = estimate(answers, persons, seed=2, names=("recall_male", "brier"))
    assert some == {name: every[name] for name in some}


def test_intervals_of_correlations_may_be_below_zero():
    random = np.random.default_rng(0)
    found = estimate(answers_of(random.integers(0, 2, 200), random.random(200)))["mcc"]
    assert -0.3 < found.low < 0 < found.high < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_cover(clustered):
    """At 90 % accuracy; `tests/benchmarks/interval_coverage.py` does it at length."""
    random = np.random.default_rng(1)
    hits = dict.fromkeys(("accuracy", "recall_male", "log_loss"), 0)
    truth = {
        "accuracy": 0.9,
        "recall_male": 0.9,
        "log_loss": -0.9 * np.log(0.9) - 0.1 * np.log(0.1),
    }
    runs = 400
    for run in range(runs):
        labels = np.repeat(random.integers(0, 2, 100), 5)
        if clustered:
            right = np.repeat(random.beta(4.5, 0.5, 100), 5) > random.random(500)
            persons = [str(i // 5) for i in range(500)]
        else:
            right, persons = random.random(500) < 0.9, None
        p = np.where(right, labels * 0.8 + 0.1, 0.9 - labels * 0.8)
        result = estimate(answers_of(labels, p), persons, seed=run)
        for name in hits:
            hits[name] += result[name].low <= truth[name] <= result[name].high
    for name, count in hits.items():
        assert 0.92 <= count / runs <= 0.98, name
