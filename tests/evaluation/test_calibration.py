import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from facegender.errors import UsageError
from facegender.evaluation.calibration import chance_ece, coverage_curve, reliability, threshold_for
from facegender.evaluation.metrics import Predictions, WeightedMetrics


def made(count, seed=0, skill=2.0, missing=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count).astype(np.int8)
    logits = random.normal(0, 1, count) + skill * (labels * 2 - 1)
    p_male = 1 / (1 + np.exp(-logits))
    p_male[:missing] = np.nan
    return Predictions(labels, p_male)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(0, 1000))
def test_the_reliability_table_adds_up_to_the_calibration_error(count, seed):
    answers = made(count, seed)
    table = reliability(answers)
    assert sum(row.photos for row in table) == count
    gaps = [row.photos * abs(row.accuracy - row.confidence) for row in table if row.photos]
    assert sum(gaps) / count == pytest.approx(WeightedMetrics(answers).metrics()["ece"], abs=1e-9)


def test_the_reliability_table_agrees_with_scikit_learn():
    answers = made(3000)
    male = answers.p_male >= 0.5
    sure = np.where(male, answers.p_male, 1 - answers.p_male)
    right = male == (answers.labels == 1)
    accuracy, confidence = calibration_curve(right, sure, n_bins=15)
    table = [row for row in reliability(answers) if row.photos]
    np.testing.assert_allclose([row.accuracy for row in table], accuracy, atol=1e-9)
    np.testing.assert_allclose([row.confidence for row in table], confidence, atol=1e-9)


def test_a_calibrated_model_exceeds_the_chance_error_one_time_in_twenty():
    random = np.random.default_rng(1)
    above = 0
    for trial in range(200):
        p_male = random.beta(0.7, 0.7, 300)
        answers = Predictions((random.random(300) < p_male).astype(np.int8), p_male)
        above += WeightedMetrics(answers).metrics()["ece"] > chance_ece(
            answers, draws=300, seed=trial
        )
    assert 2 <= above <= 20


def test_the_chance_error_shrinks_with_the_photos_and_is_repeatable():
    few, many = chance_ece(made(100)), chance_ece(made(10_000))
    assert many < few / 5
    assert chance_ece(made(100)) == few
    assert chance_ece(made(5, missing=5)) is None


def test_coverage_counts_photos_without_an_answer():
    answers = made(1000, missing=100)
    curve = coverage_curve(answers)
    assert curve[0].threshold == 0.5
    assert curve[0].coverage == pytest.approx(0.9)
    assert [level.answered for level in curve] == sorted(
        (level.answered for level in curve), reverse=True
    )
    last = coverage_curve(answers, (1.0001,))[0]
    assert (last.answered, last.accuracy) == (0, None)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(0, 500), st.floats(0.6, 1))
def test_a_threshold_for_an_accuracy_is_the_least_that_reaches_it(count, seed, wanted):
    answers = made(count, seed, skill=0.7)
    level = threshold_for(answers, wanted)
    male = answers.p_male >= 0.5
    sure = np.where(male, answers.p_male, 1 - answers.p_male)
    right = male == (answers.labels == 1)
    reaching = [t for t in sure if right[sure >= t].mean() >= wanted]
    if level is None:
        assert not reaching
        return
    assert level.accuracy >= wanted
    assert level.threshold == pytest.approx(min(reaching))


@pytest.mark.parametrize("wanted", [0, -1, 1.1, float("nan")])
def test_impossible_accuracies_are_refused(wanted):
    with pytest.raises(UsageError):
        threshold_for(made(10), wanted)
