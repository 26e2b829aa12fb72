import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from facegender.intervals import estimate, wilson
from facegender.metrics import BINS, NAMES, Answers, Judge


def answers_of(labels, p_male):
    return Answers(np.array(labels, np.int8), np.array(p_male, np.float64))


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


@settings(max_examples=200, deadline=None)
@given(answers(), st.data())
def test_every_metric_agrees_with_scikit_learn_under_any_weights(given_answers, data):
    y, p = given_answers.labels, given_answers.p_male
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(y), max_size=len(y)))
    w = np.array(counts, float)
    w[:2] = 1
    ours = Judge(given_answers).metrics(w)
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
    assert Judge(answers_of(labels, p)).metrics()["ece"] == pytest.approx(expected)
    assert BINS == 15


def test_photos_without_an_answer_are_errors():
    judged = Judge(answers_of([0, 0, 1, 1], [0.1, np.nan, 0.9, np.nan]))
    values = judged.metrics()
    assert (values["accuracy"], values["recall_female"], values["precision_male"]) == (
        0.5,
        0.5,
        1.0,
    )
    assert values["roc_auc"] == 1.0
    assert judged.confusion().tolist() == [[1, 0, 1], [0, 1, 1]]


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
    random = np.random.default_rng(4)
    labels = random.integers(0, 2, 300)
    p = np.clip(0.5 + (labels - 0.5) * 0.5 + random.normal(0, 0.25, 300), 0, 1)
    one, two = (estimate(answers_of(labels, p), seed=7) for _ in range(2))
    assert one == two
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


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_cover(clustered):
    random = np.random.default_rng(1)
    hits = dict.fromkeys(("accuracy", "recall_male"), 0)
    runs = 400
    for run in range(runs):
        labels = np.tile([0, 1], 250)
        if clustered:
            right = np.repeat(random.beta(9, 1, 100), 5) > random.random(500)
            persons = [str(i // 5) for i in range(500)]
        else:
            right, persons = random.random(500) < 0.9, None
        p = np.where(right, labels * 0.8 + 0.1, 0.9 - labels * 0.8)
        result = estimate(answers_of(labels, p), persons, seed=run, resamples=400)
        for name in hits:
            hits[name] += result[name].low <= 0.9 <= result[name].high
    for name, count in hits.items():
        assert 0.92 <= count / runs <= 0.98, name
