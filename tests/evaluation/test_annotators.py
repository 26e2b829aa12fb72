"""Cohen's kappa: its value, and intervals that hold what they promise."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from facegender.dataset.review_labels import ANSWERS, SETTLED, ReviewLabel
from facegender.evaluation.annotators import agreements, cohens_kappa

BOX = (1.0, 2.0, 3.0, 4.0)


def drawn(random, count, sure):
    """Answers of two annotators who know the truth with a probability each."""
    truth = random.choice(4, count, p=(0.45, 0.45, 0.06, 0.04))
    pair = [np.where(random.random(count) < sure, truth, random.integers(0, 4, count))
            for _ in range(2)]  # fmt: skip
    return [[ANSWERS[i] for i in column] for column in pair]


def test_the_value_is_scikit_learns():
    random = np.random.default_rng(0)
    for sure in (0.0, 0.5, 0.95):
        first, second = drawn(random, 300, sure)
        assert cohens_kappa(first, second).value == pytest.approx(cohen_kappa_score(first, second))


@pytest.mark.parametrize(("count", "sure"), [(100, 0.97), (200, 0.9), (400, 0.6)])
def test_the_interval_holds_the_true_kappa(count, sure):
    random = np.random.default_rng(count)
    truth = cohen_kappa_score(*drawn(random, 200_000, sure))
    found = [cohens_kappa(*drawn(random, count, sure)) for _ in range(600)]
    inside = np.mean([e.low <= truth <= e.high for e in found])
    assert 0.92 <= inside <= 0.98
    assert all(e.high <= 1 for e in found)


def test_perfect_agreement_is_no_certainty():
    found = cohens_kappa(["female", "male"] * 20, ["female", "male"] * 20)
    assert found.value == 1
    assert 0.7 < found.low < 0.95
    assert found.high == 1


def test_one_answer_throughout_says_nothing():
    assert cohens_kappa(["male"] * 9, ["male"] * 9).value is None
    assert cohens_kappa([], []).value is None


def test_every_two_annotators_are_compared_on_what_both_answered():
    def said(name, **labels):
        return [ReviewLabel(path, BOX, label, name) for path, label in labels.items()]

    rows = [
        *said("ada", a="male", b="female", c="male"),
        *said("ben", a="male", b="male"),
        *said("cyd", d="male"),
        *said(SETTLED, b="female"),
        ReviewLabel("e", None, "not_face", "ben"),
    ]
    (found,) = agreements(rows)
    assert (found.first, found.second, found.faces, found.same) == ("ada", "ben", 2, 1)
