import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from facegender.errors import DataError
from facegender.evaluation.metrics import BINS, Predictions, WeightedMetrics


def answers_of(labels, p_male):
    return Predictions(np.array(labels, np.int8), np.array(p_male, np.float64))


@st.composite
def answers(draw, both=True):
    count = draw(st.integers(4, 60))
    labels = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    if both:
        labels[:2] = [0, 1]
    # Few distinct values, so that ties are common.
    values = st.sampled_from([0.0, 0.01, 0.2, 0.4, 0.5, 0.500001, 0.7, 0.99, 1.0])
    p_male = draw(st.lists(st.one_of(values, st.floats(0, 1)), min_size=count, max_size=count))
    return answers_of(labels, p_male)


@settings(max_examples=100, deadline=None)
@given(answers(), st.data())
def test_every_metric_agrees_with_scikit_learn_under_any_weights(given_answers, data):
    y, p = given_answers.labels, given_answers.p_male
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(y), max_size=len(y)))
    w = np.array(counts, float)
    w[:2] = 1
    ours = WeightedMetrics(given_answers).metrics(w)
    called = (p >= 0.5).astype(int)
    clipped = np.clip(p, 1e-15, 1)
    loss = -np.log(np.where(y == 1, clipped, np.clip(1 - p, 1e-15, 1)))
    expected = {
        "accuracy": sk.accuracy_score(y, called, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called, sample_weight=w),
        "recall_female": sk.recall_score(y, called, pos_label=0, sample_weight=w),
        "recall_male": sk.recall_score(y, called, pos_label=1, sample_weight=w),
        "f1_female": sk.f1_score(y, called, pos_label=0, sample_weight=w, zero_division=0),
        "f1_male": sk.f1_score(y, called, pos_label=1, sample_weight=w, zero_division=0),
        "roc_auc": sk.roc_auc_score(y, p, sample_weight=w),
        "average_precision": sk.average_precision_score(y, p, sample_weight=w),
        "log_loss": np.average(loss, weights=w),
        "brier": sk.brier_score_loss(y, p, sample_weight=w),
    }
    for label, name in enumerate(("female", "male")):
        if w[called == label].sum():
            expected[f"precision_{name}"] = sk.precision_score(
                y, called, pos_label=label, sample_weight=w
            )
    if not math.isnan(ours["mcc"]):
        expected["mcc"] = sk.matthews_corrcoef(y, called, sample_weight=w)
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, abs=1e-9), name


def test_calibration_error_by_hand():
    # Two bins: sure .9 and right 3 of 4; sure .6 and right 1 of 2.
    p = [0.9, 0.9, 0.1, 0.9, 0.6, 0.4]
    labels = [1, 1, 0, 0, 1, 1]
    expected = (4 * abs(0.75 - 0.9) + 2 * abs(0.5 - 0.6)) / 6
    assert WeightedMetrics(answers_of(labels, p)).metrics()["ece"] == pytest.approx(expected)
    assert BINS == 15


def test_calibration_error_of_a_published_example():
    """The documentation of torchmetrics' BinaryCalibrationError, 0.29: no answer is wrong there,
    so that any bins give the mean doubt."""
    answers = answers_of([0, 0, 1, 1, 1], [0.25, 0.25, 0.55, 0.75, 0.75])
    assert WeightedMetrics(answers).metrics()["ece"] == pytest.approx(0.29, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(answers(both=False), st.data())
def test_calibration_error_bin_by_bin_under_any_weights(given_answers, data):
    y, p = given_answers.labels, given_answers.p_male
    w = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(y), max_size=len(y))), float)
    sure, right = np.maximum(p, 1 - p), (p >= 0.5) == (y == 1)
    expected = 0.0
    for i in range(BINS):
        rows = (sure > i / BINS) & (sure <= (i + 1) / BINS)
        if rows.any():
            gap = np.average(right[rows], weights=w[rows]) - np.average(sure[rows], weights=w[rows])
            expected += abs(gap) * w[rows].sum() / w.sum()
    assert WeightedMetrics(given_answers).metrics(w)["ece"] == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(answers(), st.integers(1, 12), st.integers(0, 1000))
def test_many_resamples_at_once_are_each_one_alone(given_answers, count, seed):
    random = np.random.default_rng(seed)
    units = random.integers(0, count, len(given_answers.labels))
    units[-1] = count - 1
    judge = WeightedMetrics(given_answers, units)
    weights = random.integers(0, 4, (5, count)).astype(float)
    together = judge.resampled(weights)
    for row, alone in enumerate(weights):
        expected = WeightedMetrics(given_answers).metrics(alone[units])
        for name, values in together.items():
            assert values[row] == pytest.approx(expected[name], abs=1e-9, nan_ok=True), name


def test_all_wrong():
    values = WeightedMetrics(answers_of([0, 0, 1, 1], [0.9, 0.8, 0.1, 0.2])).metrics()
    for name in ("accuracy", "balanced_accuracy", "recall_male", "precision_female", "roc_auc"):
        assert values[name] == 0, name
    assert values["mcc"] == -1
    assert values["f1_male"] == 0
    assert values["average_precision"] == pytest.approx((1 / 3 + 2 / 4) / 2, abs=1e-9)
    assert values["ece"] == pytest.approx(0.85, abs=1e-9)


def test_only_ties():
    values = WeightedMetrics(answers_of([0, 1, 1, 0], [0.7] * 4)).metrics()
    assert (values["roc_auc"], values["average_precision"]) == (0.5, 0.5)
    assert math.isnan(values["mcc"])


@pytest.mark.parametrize("label", [0, 1])
def test_one_photo(label):
    values = WeightedMetrics(answers_of([label], [0.25])).metrics()
    assert values["accuracy"] == 1 - label
    assert values["brier"] == pytest.approx((0.25 - label) ** 2, abs=1e-9)
    assert values["log_loss"] == pytest.approx(-math.log(0.25 if label else 0.75), abs=1e-9)
    for name in ("roc_auc", "balanced_accuracy", "mcc"):
        assert math.isnan(values[name]), name


def test_no_photo_at_all():
    assert all(math.isnan(v) for v in WeightedMetrics(answers_of([], [])).metrics().values())


def test_impossible_certainty_keeps_the_log_loss_finite():
    """Clipped as scikit-learn did: at 1e-15."""
    assert WeightedMetrics(answers_of([1], [0.0])).metrics()["log_loss"] == pytest.approx(
        -math.log(1e-15)
    )


@pytest.mark.parametrize(
    ("labels", "p_male", "words"),
    [
        ([0, 2], [0.1, 0.2], "2 is no label"),
        ([0.0, math.nan], [0.1, 0.2], "nan is no label"),
        ([0, 1], [0.1, 1.1], "1.1 is no probability"),
        ([0, 1], [-0.1, 1.0], "-0.1 is no probability"),
        ([0, 1], [0.1, math.inf], "inf is no probability"),
        ([0, 1], [0.1], "do not match"),
    ],
)
def test_what_is_no_answer_is_refused(labels, p_male, words):
    with pytest.raises(DataError, match=words):
        Predictions(np.array(labels), np.array(p_male))


def test_photos_without_an_answer_are_errors():
    judged = WeightedMetrics(answers_of([0, 0, 1, 1], [0.1, np.nan, 0.9, np.nan]))
    values = judged.metrics()
    assert (values["accuracy"], values["recall_female"], values["precision_male"]) == (
        0.5,
        0.5,
        1.0,
    )
    assert values["roc_auc"] == 1.0
    assert judged.confusion().tolist() == [[1, 0, 1], [0, 1, 1]]
