"""Batch norm in one operation must teach what Keras's teaches."""

from __future__ import annotations

import numpy as np
import pytest

from facegender.models.architectures import Tuning, architecture, build, compile_for_training
from facegender.training.fused_norm import fuse_norms
from tests.tiny_network import TINY


@pytest.mark.parametrize(
    "arch",
    [
        TINY,
        pytest.param("compact", marks=pytest.mark.slow),
        pytest.param("lite", marks=pytest.mark.slow),
    ],
)
def test_a_training_step_is_that_of_plain_layers_but_for_rounding(arch: str) -> None:
    plain = build(arch, seed=3, size=(32, 32))
    fused = fuse_norms(plain)
    before = plain.get_weights()
    assert [type(layer).__name__ for layer in fused.layers].count("FusedNorm") == sum(
        type(layer).__name__ == "BatchNormalization" for layer in plain.layers
    )
    draw = np.random.default_rng(0)
    crops = draw.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    targets = np.eye(2, dtype=np.float32)[[0, 1] * 4]
    losses = []
    for model in (plain, fused):
        recipe = architecture(arch).recipe
        compile_for_training(model, recipe, Tuning(lr=1e-3, steps=10, weight_decay=0.05))
        losses.append(float(model.train_on_batch(crops, targets)[0]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    statistics = [
        (weight, *values)
        for weight, *values in zip(
            plain.weights, before, plain.get_weights(), fused.get_weights(), strict=True
        )
        if weight.name.startswith("moving")
    ]
    for weight, then, now, other in statistics:
        if weight.name == "moving_variance":  # means of fresh networks hardly move
            assert np.abs(now - then).max() > 1e-3, weight.path
        np.testing.assert_allclose(other, now, rtol=1e-4, atol=1e-5, err_msg=weight.path)
    asked = [np.asarray(model(crops, training=False)) for model in (plain, fused)]
    np.testing.assert_allclose(asked[0], asked[1], atol=0.02)


def test_norms_of_dense_layers_stay_as_they_are() -> None:
    kinds = {type(layer).__name__ for layer in fuse_norms(build("classic")).layers}
    assert "BatchNormalization" in kinds
    assert "FusedNorm" not in kinds


@pytest.mark.slow
def test_statistics_do_not_depend_on_the_batches_that_came_before() -> None:
    """A resumed run begins with another batch than the whole one did, and must round alike."""
    draw = np.random.default_rng(0)
    crops = draw.integers(0, 256, (16, 48, 48, 3)).astype(np.uint8)
    targets = np.eye(2, dtype=np.float32)[[0, 1] * 8]
    statistics = []
    for before in ((16, 16), ()):
        model = fuse_norms(build("lite", seed=0, size=(48, 48)))
        compile_for_training(model, architecture("lite").recipe, Tuning(lr=1e-12, steps=10))
        weights = model.get_weights()
        for count in before:
            model.train_on_batch(crops[:count], targets[:count])
        model.set_weights(weights)
        model.train_on_batch(crops[:8], targets[:8])
        statistics.append([v.numpy() for v in model.weights if v.name.startswith("moving")])
    for resumed, whole in zip(*statistics, strict=True):
        np.testing.assert_array_equal(resumed, whole)
