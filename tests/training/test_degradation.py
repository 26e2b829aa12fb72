import numpy as np
import pytest

from facegender.training import degradation as module
from facegender.training.degradation import degrade
from tests.conftest import pattern

CROPS = np.stack([pattern(i % 2, i, (40, 48)) for i in range(64)])
KINDS = ("SOFT", "PACKED", "DIM")


@pytest.fixture
def only(monkeypatch):
    """Let one kind of degradation happen to every crop and no other."""

    def choose(kind):
        for name in KINDS:
            monkeypatch.setattr(module, name, float(name == kind))

    return choose


def detail(crops):
    """Mean difference between neighbouring pixels."""
    return np.abs(np.diff(crops.astype(float), axis=2)).mean()


def test_some_crops_get_worse_and_the_rest_stay_as_they_are():
    worse = degrade(CROPS, np.random.default_rng(0))
    assert worse.dtype == np.uint8
    assert worse.shape == CROPS.shape
    changed = np.any(worse != CROPS, axis=(1, 2, 3)).mean()
    assert 0.35 < changed < 0.7  # 1 - .7 * .8 * .88 = .51 expected


def test_equal_generators_give_equal_crops_and_the_input_is_not_touched():
    before = CROPS.copy()
    one, two, other = (degrade(CROPS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert np.any(one != other)
    np.testing.assert_array_equal(CROPS, before)


def test_soft_crops_lose_detail_and_keep_their_light(only):
    only("SOFT")
    worse = degrade(CROPS, np.random.default_rng(3))
    assert detail(worse) < 0.9 * detail(CROPS)
    assert abs(worse.mean() - CROPS.mean()) < 4


def test_dim_crops_lose_light(only):
    only("DIM")
    worse = degrade(CROPS, np.random.default_rng(3))
    left = worse.mean(axis=(1, 2, 3)) / CROPS.mean(axis=(1, 2, 3))
    assert 0.1 < left.min() < 0.3
    assert 0.45 < left.max() < 0.65


def test_packed_crops_show_the_same_with_errors(only):
    only("PACKED")
    worse = degrade(CROPS, np.random.default_rng(3))
    difference = np.abs(worse.astype(float) - CROPS)
    assert 0.5 < difference.mean() < 30


def test_nothing_happens_to_no_crops():
    assert degrade(CROPS[:0], np.random.default_rng(0)).shape == (0, *CROPS.shape[1:])
