"""Shares corrected by labels: held to other libraries, to textbooks, and to the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.evaluation.intervals import Estimate, wilson
from facegender.evaluation.prevalence import (
    Corrected,
    Frame,
    Labelled,
    Missed,
    adjusted_count,
    allowed_range,
    difference,
    labels_needed,
    prediction_powered,
    recalls_of,
)


def labelled(female, predicted, counts=None, size=None, weight=None, cluster=None, stratum=None):
    count = len(female)
    ones = np.ones(count)
    return Labelled(
        np.asarray(female, float),
        ones if counts is None else np.asarray(counts, float),
        np.asarray(predicted, float),
        ones,
        ones if size is None else np.asarray(size, float),
        ones if weight is None else np.asarray(weight, float),
        np.arange(count) if cluster is None else np.asarray(cluster, np.intp),
        np.zeros(count, np.intp) if stratum is None else np.asarray(stratum, np.intp),
    )


def frame_of(predicted, size=None):
    size = np.ones(len(predicted)) if size is None else size
    return Frame(len(predicted), size.sum(), size.sum(), float(size @ predicted))


def made(random, count, share=0.4, skill=1.5):
    """Faces and what a model of some skill, badly calibrated, says of them."""
    women = random.random(count) < share
    scores = random.normal(np.where(women, skill, -skill) + 0.4, 1.2)
    return women.astype(float), 1 / (1 + np.exp(-5 * scores))


def test_the_estimate_and_its_interval_are_those_of_ppi_python():
    ppi_py = pytest.importorskip("ppi_py")
    random = np.random.default_rng(0)
    women, female = made(random, 400_000)
    rows = random.choice(len(women), 400, replace=False)
    found = prediction_powered(labelled(women[rows], female[rows]), frame_of(female))
    assert 0.5 < found.tuning < 1
    data = (women[rows], female[rows], female)
    value = ppi_py.ppi_mean_pointestimate(*data, lam=found.tuning)
    assert found.estimate.value == pytest.approx(float(value[0]), abs=1e-12)
    # Theirs tunes with the variance over the archive too, and has no correction for 400 labels.
    low, high = (float(end[0]) for end in ppi_py.ppi_mean_ci(*data, alpha=0.05))
    assert found.estimate.low == pytest.approx(low, abs=0.002)
    assert found.estimate.high == pytest.approx(high, abs=0.002)
    assert found.estimate.high - found.estimate.low == pytest.approx(high - low, rel=0.02)


def test_the_labels_alone_are_ppi_without_predictions():
    ppi_py = pytest.importorskip("ppi_py")
    random = np.random.default_rng(1)
    women, female = made(random, 200_000)
    rows = random.choice(len(women), 300, replace=False)
    alone = prediction_powered(labelled(women[rows], female[rows]), frame_of(female), tune=False)
    data = (women[rows], female[rows], female)
    assert alone.tuning == 0
    assert alone.estimate.value == pytest.approx(women[rows].mean())
    low, high = (float(end[0]) for end in ppi_py.ppi_mean_ci(*data, alpha=0.05, lam=0))
    assert (alone.estimate.low, alone.estimate.high) == pytest.approx((low, high), abs=0.003)


def test_counts_are_those_of_quapy():
    functional = pytest.importorskip("quapy.functional")
    random = np.random.default_rng(2)
    women, female = made(random, 3000)
    called = (female > 0.5).astype(int)
    raw = called.mean()
    assert functional.prevalence_from_labels(called, [0, 1])[1] == pytest.approx(raw)
    rows = labelled(women[:500], female[:500])
    recall_female, recall_male = recalls_of(rows)
    expected = functional.solve_adjustment_binary(raw, recall_female, 1 - recall_male, clip=True)
    assert adjusted_count(raw, recall_female, recall_male) == pytest.approx(expected)


def test_rogan_and_gladen():
    assert adjusted_count(0.3, 1, 1) == pytest.approx(0.3)
    # A raw 0.34 is 20 % true positives at 0.9 and 80 % false ones at 0.2.
    assert adjusted_count(0.2 * 0.9 + 0.8 * 0.2, 0.9, 0.8) == pytest.approx(0.2)
    assert adjusted_count(0.01, 0.9, 0.9) == 0
    assert adjusted_count(0.5, 0.5, 0.5) is None
    low, high = allowed_range(0.48, [((0.9, 0.95), (0.9, 0.92)), ((0.8, 0.9), (0.95, 0.99))])
    assert low == pytest.approx(adjusted_count(0.48, 0.95, 0.9))
    assert high == pytest.approx(adjusted_count(0.48, 0.8, 0.99))
    assert allowed_range(0.5, [((0.4, 0.6), (0.4, 0.6))]) == (0, 1)
    assert allowed_range(0.5, []) == (0, 1)


def test_predictions_that_say_nothing_leave_the_labels_interval():
    random = np.random.default_rng(3)
    women = (random.random(5000) < 0.3).astype(float)
    female = random.random(5000)
    rows = np.arange(300)
    both = [
        prediction_powered(labelled(women[rows], female[rows]), frame_of(female), tune=tune)
        for tune in (True, False)
    ]
    widths = [found.estimate.high - found.estimate.low for found in both]
    assert both[0].tuning < 0.1
    assert widths[0] == pytest.approx(widths[1], rel=0.02)


def test_a_census_needs_no_interval():
    women, female = made(np.random.default_rng(4), 200)
    found = prediction_powered(labelled(women, female), frame_of(female)).estimate
    assert found.value == pytest.approx(women.mean())
    assert found.low == found.value == found.high


def test_perfect_answers_still_leave_doubt():
    women = np.repeat([0.0, 1.0], 1000)
    rows = np.arange(0, 2000, 10)
    found = prediction_powered(labelled(women[rows], women[rows]), frame_of(women)).estimate
    assert found.value == pytest.approx(0.5)
    assert 0.005 < found.high - found.low < 0.03


@pytest.mark.parametrize(
    ("women", "ratio"),
    [
        (np.tile([0.0, 1.0, 1.0, 0.0], 50), 1.0),  # photos of four strangers: labels as any others
        (np.repeat(np.tile([0.0, 1.0], 25), 4), 4.0),  # four photos of each person: wrong at once
    ],
)
def test_a_chance_error_is_that_of_one_label_or_of_one_person(women, ratio):
    frame = Frame(20_000, 20_000.0, 20_000.0, 10_000.0)
    singly = prediction_powered(labelled(women, women), frame).estimate
    cluster = np.repeat(np.arange(50), 4)
    together = prediction_powered(labelled(women, women, cluster=cluster), frame).estimate
    width = (together.high - together.low) / (singly.high - singly.low)
    assert width == pytest.approx(ratio, rel=0.1)


def test_nobody_of_a_gender_has_wilsons_interval():
    zeros = np.zeros(60)
    alone = prediction_powered(labelled(zeros, zeros), Frame(10**9, 1e9, 1e9, 0), tune=False)
    assert alone.estimate.value == alone.estimate.low == 0
    assert 0.5 < alone.estimate.high / wilson(0, 60)[1] < 2


def test_faces_that_count_not_are_left_out_of_the_share():
    women, female = made(np.random.default_rng(5), 4000)
    junk = np.arange(4000) % 4 == 0  # things taken for faces, all called women
    female = np.where(junk, 0.9, female)
    women = np.where(junk, 0.0, women)
    truth = women[~junk].mean()
    rows = np.random.default_rng(6).choice(4000, 800, replace=False)
    data = labelled(women[rows], female[rows], counts=~junk[rows])
    found = prediction_powered(data, frame_of(female)).estimate
    assert found.low < truth < found.high
    assert abs(found.value - truth) < 0.03
    assert female.mean() - truth > 0.1


def test_missed_faces_enter():
    """Photos have one found face each, a man's; every second hides a woman who was missed."""
    count, drawn = 2000, 400
    female = np.full(drawn, 0.1)
    women = np.arange(drawn) % 2.0
    missed = Missed(count, women, women, np.ones(drawn), np.arange(drawn), np.zeros(drawn, np.intp))
    data = labelled(np.zeros(drawn), female)
    frame = Frame(count, count, count, 0.1 * count)
    found = prediction_powered(data, frame, missed=missed).estimate
    assert found.value == pytest.approx(1 / 3)
    assert 0.02 < found.high - found.low < 0.12
    assert prediction_powered(data, frame).estimate.value == 0


def test_weights_undo_unequal_sampling():
    random = np.random.default_rng(7)
    women = np.concatenate([random.random(9000) < 0.2, random.random(1000) < 0.8]).astype(float)
    female = np.clip(0.2 + 0.6 * women + random.normal(0, 0.1, 10_000), 0, 1)
    rows = np.concatenate([np.arange(300), 9000 + np.arange(300)])
    options = {"weight": np.repeat([30.0, 10 / 3], 300), "stratum": np.repeat([0, 1], 300)}
    weighted = prediction_powered(
        labelled(women[rows], female[rows], **options), frame_of(female), tune=False
    ).estimate
    assert weighted.low < women.mean() < weighted.high
    flat = prediction_powered(labelled(women[rows], female[rows]), frame_of(female), tune=False)
    assert flat.estimate.low > women.mean() + 0.1


def test_sizes_weigh_units():
    women = np.array([1.0, 0.0] * 50)
    size = np.array([3.0, 1.0] * 50)
    data = labelled(women, women, size=size)
    found = prediction_powered(data, frame_of(np.tile(women, 9), np.tile(size, 9)))
    assert found.estimate.value == pytest.approx(0.75)


def test_repeated_persons_widen_the_interval():
    random = np.random.default_rng(8)
    women = np.repeat(random.random(60) < 0.5, 5).astype(float)
    female = np.repeat(np.clip(random.normal(0.5, 0.2, 60), 0, 1), 5)
    frame = frame_of(np.tile(female, 100))
    alone = prediction_powered(labelled(women, female), frame).estimate
    cluster = np.repeat(np.arange(60), 5)
    together = prediction_powered(labelled(women, female, cluster=cluster), frame).estimate
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(5**0.5, rel=0.1)
    one = prediction_powered(labelled(women, female, cluster=np.zeros(300)), frame)
    assert one is None


def test_a_group_without_errors_is_no_surer_than_the_archive():
    women = np.tile([0.0, 1.0], 15)
    data, frame = labelled(women, women), frame_of(np.tile(women, 50))
    widths = []
    for whole in (
        Corrected(Estimate(0.5), 0.001, 1.0, 1000),
        Corrected(Estimate(0.5), 0.1, 1.0, 1000),
        Corrected(Estimate(0.5), 0.001, 1.0, 30),
        None,
    ):
        found = prediction_powered(data, frame, whole=whole).estimate
        widths.append(found.high - found.low)
    errorless, erring, unknown, itself = widths
    assert 0 < errorless < erring
    assert errorless < unknown == itself, "one wrong answer among all labels is never ruled out"


def test_planned_labels():
    # Cochran 1977, p. 75: 384 for ± 5 points of a share of one half.
    assert labels_needed(0.05, 0.25, 10**9) == 385
    assert labels_needed(0.05, 0.25, 1000) == 278
    assert labels_needed(0.05, 0.05, 10**9) == 77
    assert labels_needed(0.02, 0.25, 3) == 3
    assert labels_needed(0.02, 0.25, 0) == 0


def test_the_plan_is_kept():
    random = np.random.default_rng(9)
    women, female = made(random, 20_000)
    first = random.choice(20_000, 300, replace=False)
    pilot = prediction_powered(labelled(women[first], female[first]), frame_of(female))
    rows = random.choice(20_000, labels_needed(0.02, pilot.spread, 20_000), replace=False)
    found = prediction_powered(labelled(women[rows], female[rows]), frame_of(female)).estimate
    assert (found.high - found.low) / 2 == pytest.approx(0.02, abs=0.003)


def test_a_difference_of_shares_is_newcombes():
    # Newcombe 1998, table II: 56/70 and 48/80, method 10 gives 0.0524 to 0.3339.
    first, second = (Estimate(h / n, *wilson(h / n, n)) for h, n in ((48, 80), (56, 70)))
    found = difference(first, second)
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference(first, Estimate(0.5)) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 80), st.floats(0, 1), st.booleans())
def test_every_estimate_lies_in_its_interval_within_0_to_1(seed, count, share, tune):
    random = np.random.default_rng(seed)
    women, female = made(random, 1000, share)
    rows = random.choice(1000, count, replace=False)
    cluster = random.integers(0, count, count)
    data = labelled(women[rows], female[rows], cluster=cluster)
    found = prediction_powered(
        data, frame_of(female), whole=Corrected(Estimate(0.5), 0.05, 1.0, 300), tune=tune
    )
    if found is not None:
        assert 0 <= found.estimate.low <= found.estimate.value <= found.estimate.high <= 1
        assert 0 <= found.tuning <= 1


@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_cover(clustered, repo):
    """A short run of `tests/benchmarks/share_coverage.py`, whose long one is in its README."""
    from tests.benchmarks.share_coverage import GROUPS, simulate

    rows = simulate(120, 300, clustered).rows
    for name in ("all", *GROUPS):
        table = np.array(rows[name], float)
        holds, width, _, alone, *_ = np.nanmean(table, axis=0)
        assert holds > 0.87, name
        assert width < alone, name
