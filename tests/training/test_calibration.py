"""A temperature must make answers as sure as they are right, however few photos it comes from."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from facegender.models.inference import Probabilities
from facegender.training.calibration import fit_temperature, with_temperature


def answers(margins: NDArray[np.float64]) -> Probabilities:
    male = 1 / (1 + np.exp(-margins))
    return np.column_stack([1 - male, male]).astype(np.float32)


def all_right(count: int) -> tuple[Probabilities, NDArray[np.int8]]:
    """A network that is right each time, with margins as training with smoothed labels gives."""
    labels = (np.arange(count) % 2).astype(np.int8)
    margins = np.random.default_rng(count).normal(3, 0.7, count).clip(0.5)
    return answers(np.where(labels == 1, margins, -margins)), labels


def test_temperature_makes_an_overconfident_network_honest() -> None:
    random = np.random.default_rng(0)
    margin = random.normal(0, 2, 4000)
    labels = (random.random(4000) < 1 / (1 + np.exp(-margin))).astype(np.int8)
    assert fit_temperature(answers(3 * margin), labels) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("count", [4, 20, 100, 1000])
def test_photos_that_are_all_right_make_as_sure_as_their_number_allows(count: int) -> None:
    given, labels = all_right(count)
    fitted = with_temperature(given, fit_temperature(given, labels))
    wrong = 1 - fitted.max(axis=1).mean()
    one_more_wrong = 1 / (count / 2 + 2)
    assert one_more_wrong / 2 < wrong < one_more_wrong * 2


def test_the_scale_of_the_logits_makes_no_difference() -> None:
    given, labels = all_right(20)
    sharper = with_temperature(given, 0.2)
    temperatures = [fit_temperature(each, labels) for each in (given, sharper)]
    assert temperatures[1] == pytest.approx(5 * temperatures[0], rel=1e-3)


def test_many_photos_outweigh_the_two_that_are_added() -> None:
    random = np.random.default_rng(1)
    margin = random.normal(0, 4, 2000)
    labels = (random.random(2000) < 1 / (1 + np.exp(-margin))).astype(np.int8)
    assert fit_temperature(answers(margin), labels) == pytest.approx(1, abs=0.1)


def test_a_temperature_is_as_the_logits_divided_by_it() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 2))

    def softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
        powers = np.exp(x)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    given = softmax(logits).astype(np.float32)
    np.testing.assert_allclose(with_temperature(given, 2.5), softmax(logits / 2.5), atol=1e-6)
    labels = (np.random.default_rng(1).random(50) < given[:, 1]).astype(np.int8)
    fitted = with_temperature(given, fit_temperature(given, labels))
    assert fit_temperature(fitted, labels) == pytest.approx(1, abs=0.02)
