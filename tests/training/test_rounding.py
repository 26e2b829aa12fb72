"""A network in training must read numbers as its 8-bit model will."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.models.architectures import build
from facegender.training.fused_norm import fuse_norms
from facegender.training.rounding import rounded, rounded_kernel, with_rounding
from tests.tiny_network import TINY

numbers = st.floats(-100, 100, width=32)


@settings(max_examples=50, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=40))
def test_at_most_half_a_step_is_lost_and_zero_stays_zero(values: list[float]) -> None:
    exact = np.array([*values, 0.0], np.float32)
    steps = max(float(exact.max() - exact.min()), 1e-6) / 255
    found = rounded(tf.constant(exact)).numpy()
    # The ends move by up to half a step, so that zero is one of the 256 numbers.
    assert np.abs(found - exact).max() <= steps * 1.001 + 1e-6
    assert found[-1] == 0
    assert len(np.unique(found)) <= 256


def test_the_gradient_passes_as_if_nothing_was_rounded() -> None:
    exact = tf.constant(np.linspace(-1, 3, 50, dtype=np.float32))
    with tf.GradientTape() as tape:
        tape.watch(exact)
        total = tf.reduce_sum(rounded(exact) * 2)
    inner = tape.gradient(total, exact).numpy()[1:-1]
    np.testing.assert_array_equal(inner, 2)


@pytest.mark.parametrize("depthwise", [False, True])
def test_each_channel_of_a_kernel_has_its_own_steps(depthwise: bool) -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 8, 1 if depthwise else 8))
    scales = np.geomspace(1e-4, 10, 8)
    kernel = (kernel * (scales[:, None] if depthwise else scales)).astype(np.float32)
    found = rounded_kernel(tf.constant(kernel), depthwise=depthwise).numpy()
    axes = (0, 1, 3) if depthwise else (0, 1, 2)
    lost, extreme = np.abs(found - kernel).max(axes), np.abs(kernel).max(axes)
    assert (lost <= extreme / 254 * 1.01).all()
    assert (lost > extreme / 2540).all()  # it is rounded


def test_a_rounding_network_has_the_weights_of_its_model_and_nearly_its_answers() -> None:
    model = build(TINY, seed=1, size=(32, 32))
    rounding = fuse_norms(with_rounding(model))
    for mine, other in zip(rounding.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    kinds = {type(layer).__name__ for layer in rounding.layers}
    assert "RoundingConv2D" in kinds
    assert "Conv2D" not in kinds
    crops = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3)).astype(np.uint8)

    def features(network: Any) -> Any:
        part = tf.keras.Model(network.inputs, network.get_layer("logits").input)
        return np.asarray(part(crops, training=False))

    exact, found = features(model), features(rounding)
    assert 0 < np.abs(found - exact).mean() < 0.05 * np.abs(exact).mean()


def test_depthwise_convolutions_and_sums_round_too() -> None:
    kinds = {type(layer).__name__ for layer in with_rounding(build("lite", size=(32, 32))).layers}
    assert {"RoundingDepthwiseConv2D", "RoundingAdd", "RoundingPooling"} <= kinds
    assert not {"DepthwiseConv2D", "Add", "GlobalAveragePooling2D"} & kinds
