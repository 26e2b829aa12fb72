import numpy as np
import pytest

from facegender.dataset.samples import Samples
from facegender.evaluation.gaps import difference_of, is_large, pairwise_confidence
from facegender.evaluation.groups import group_by
from facegender.evaluation.intervals import Estimate, wilson
from facegender.evaluation.metrics import Predictions


def judged(cells):
    """Groups by their cells: value -> (women, right of them, men, right of them)."""
    labels, right, values = [], [], []
    for value, (women, women_right, men, men_right) in cells.items():
        labels += [0] * women + [1] * men
        right += [i < women_right for i in range(women)] + [i < men_right for i in range(men)]
        values += [value] * (women + men)
    found = np.array(labels, np.int8)
    p_male = np.where(np.array(right) == (found == 1), 0.9, 0.1)
    count = len(found)
    samples = Samples([f"{i}.jpg" for i in range(count)], found, [""] * count, ["test"] * count)
    return group_by(samples, Predictions(found, p_male), values, seed=0)


def test_groups_count_women_and_men():
    groups, _ = judged({"a": (40, 36, 10, 10)})
    assert groups["a"]["labels"] == {"female": 40, "male": 10}
    assert groups["a"]["accuracy"].value == pytest.approx(0.92)


def test_a_cell_of_few_women_is_not_compared_though_its_group_is_large():
    """12 women of 60-69, half of them wrong, are no gap of recall: the rule of 30 is the cell's."""
    groups, found = judged({"20-29": (100, 95, 100, 96), "60-69": (12, 6, 100, 90)})
    assert not is_large(groups["60-69"], "recall_female")
    assert is_large(groups["60-69"], "recall_male")
    assert set(found.gaps) == {"accuracy", "recall_male"}
    assert found.worst == "60-69"
    assert found.equal_opportunity == {"female": None, "male": pytest.approx(0.06)}
    assert found.equalized_odds is None


def test_the_largest_gap_is_named_with_a_simultaneous_interval():
    cells = {
        "a": (100, 98, 100, 97),
        "b": (100, 80, 100, 95),
        "c": (100, 90, 100, 99),
    }
    _, found = judged(cells)
    gap = found.gaps["recall_female"]
    assert (gap.low, gap.high, gap.groups) == ("b", "a", 3)
    assert gap.difference.value == pytest.approx(0.18)
    # Wider than the interval of two groups that were named before.
    alone = difference_of(Estimate(0.98, *wilson(0.98, 100)), Estimate(0.80, *wilson(0.80, 100)))
    assert gap.difference.low < alone.low
    assert gap.difference.high > alone.high
    assert found.equalized_odds == pytest.approx(0.18)
    worst = found.worst_accuracy
    low, high = wilson(worst.value, 200)
    assert worst.low < low
    assert worst.high > high
    stored = found.to_json()
    assert stored["gaps"]["recall_female"]["interval"]["low"] == gap.difference.low
    assert stored["fairness"]["equalized_odds_difference"] == pytest.approx(0.18)


def test_demographic_parity_is_the_gap_of_what_is_called_female():
    _, found = judged({"a": (60, 60, 40, 40), "b": (30, 30, 70, 70)})
    assert found.demographic_parity == pytest.approx(0.3)


def test_no_large_group_has_no_extremes():
    _, found = judged({"a": (5, 5, 5, 5), "b": (5, 5, 5, 5)})
    assert found.worst is None
    assert found.to_json()["gaps"] == {}


def test_the_interval_of_a_difference_by_published_numbers():
    """Newcombe, "Interval estimation for the difference between independent proportions", 1998,
    table II, method 10: 56/70 - 48/80 is .2 (.0524 to .3339), 9/10 - 3/10 is .6 (.1705 to .8090).
    """
    for (a, m), (b, n), ends in (
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
    ):
        high, low = Estimate(a / m, *wilson(a / m, m)), Estimate(b / n, *wilson(b / n, n))
        found = difference_of(high, low)
        assert found.value == pytest.approx(a / m - b / n)
        assert (found.low, found.high) == pytest.approx(ends, abs=1e-4)


def test_two_groups_need_no_correction():
    assert pairwise_confidence(2) == pytest.approx(0.95, abs=1e-6)
    assert pairwise_confidence(7) > pairwise_confidence(3) > 0.95


def test_all_differences_together_hold_95_percent_of_the_time():
    """`tests/benchmarks/interval_coverage.py --gaps` does it at length."""
    random = np.random.default_rng(4)
    truth = np.array([0.95, 0.93, 0.9, 0.96, 0.88, 0.92, 0.94])
    photos = np.array([300, 150, 400, 250, 200, 350, 100])
    level = pairwise_confidence(len(truth))
    from scipy.stats import norm

    z, held = norm.ppf((1 + level) / 2), 0
    for _ in range(600):
        shares = random.binomial(photos, truth) / photos
        found = [Estimate(s, *wilson(s, n, z)) for s, n in zip(shares, photos, strict=True)]
        ends = [
            (difference_of(a, b), truth[i] - truth[j])
            for i, a in enumerate(found)
            for j, b in enumerate(found)
            if i < j
        ]
        held += all(d.low <= true <= d.high for d, true in ends)
    assert 0.92 <= held / 600 <= 0.98
