"""Crops and labels -> batches, and the variations that training sees.

Everything random is a function of (seed, epoch, step), so that an epoch can be replayed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.faces.crop_cache import Crops, CropSource
from facegender.labels import LABELS
from facegender.training.degradation import degrade

TURN = math.radians(20)
"""Largest turn, in radians."""
SCALE = 1.25
"""Largest factor of size, up or down."""
SHIFT = 0.1
"""Largest shift, as a share of the crop's side."""
CONTRAST = 0.3
"""Largest logarithm of the contrast factor."""
BRIGHTNESS = 40.0
"""Largest change of brightness, of 255."""
COLOUR = 0.08
"""Largest change of one channel's gain."""
GREY = 0.1
"""Share of crops without colour."""
ERASE = 0.25
"""Share of crops of which a grey rectangle (15 to 45 % of each side) hides a part."""


@dataclass(frozen=True)
class Batches:
    """Batches of training crops, ready for ``train_on_batch``.

    Attributes:
        crops: uint8 (photos, height, width, 3), an array or a `CropCache`.
        labels: int8 (photos,), 0 = female, 1 = male.
        rows: int64, the photos to learn from.
        batch_size: photos a batch; the last of an epoch may be smaller.
        seed: of shuffling and augmentation.
        augment: whether crops are varied by `augment`.
        degrade: whether some of them are made worse by `degrade.degrade`.
        class_weights: weight of each label, or None for no weights.
        mixup: parameter of the beta distribution from which the shares of two mixed photos are
            drawn; 0 mixes none. Source: Zhang et al., "mixup", 2018.
    """

    crops: CropSource
    labels: NDArray[np.int8]
    rows: NDArray[np.int64]
    batch_size: int
    seed: int
    augment: bool
    degrade: bool = False
    class_weights: tuple[float, float] | None = None
    mixup: float = 0.0

    @cached_property
    def steps(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self.rows) / self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order in which the rows are seen in an epoch."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.rows)

    def stream(self, epoch: int, step: int, epochs: int) -> Iterator[tuple[Any, ...]]:
        """Yield (crops, one-hot labels[, weights]) from a step of an epoch on, to the last epoch.

        Crops are uint8 tensors, labels and weights float32. The next batches are made while the
        caller works on the present one, across the borders of epochs too.
        """
        import tensorflow as tf

        height, width = self.crops.shape[1:3]
        one_hot = np.eye(len(LABELS), dtype=np.float32)
        orders: dict[int, NDArray[np.int64]] = {}

        def gather(position: NDArray[np.int64]) -> tuple[Crops, NDArray[np.int8]]:
            at_epoch, at_step = divmod(int(position), self.steps)
            if at_epoch not in orders:
                orders.clear()
                orders[at_epoch] = self.order(at_epoch)
            rows = orders[at_epoch][at_step * self.batch_size : (at_step + 1) * self.batch_size]
            crops = self.crops[rows]
            if self.degrade:
                crops = degrade(crops, np.random.default_rng([self.seed, at_epoch, at_step]))
            return crops, self.labels[rows]

        def load(position: Any) -> Any:
            crops, labels = tf.numpy_function(gather, [position], (tf.uint8, tf.int8))
            crops.set_shape((None, height, width, 3))
            labels.set_shape((None,))
            return position, crops, labels

        def finish(position: Any, crops: Any, labels: Any) -> Any:
            seed = tf.stack([tf.constant(self.seed, tf.int64), position])
            if self.augment:
                crops = augment(crops, seed)
            targets = tf.gather(one_hot, tf.cast(labels, tf.int32))
            if self.mixup:
                crops, targets = mix(crops, targets, seed, self.mixup)
            if self.class_weights is None:
                return crops, targets
            weights = tf.constant(self.class_weights, tf.float32)
            return crops, targets, tf.gather(weights, tf.cast(labels, tf.int32))

        first, last = epoch * self.steps + step, epochs * self.steps
        data = tf.data.Dataset.range(first, last).map(load).map(finish, num_parallel_calls=2)
        yield from data.prefetch(2)


def balanced_weights(labels: NDArray[np.int8]) -> tuple[float, float]:
    """Return a weight for each label so that both weigh the same in all and 1 on average.

    Source: scikit-learn's ``class_weight="balanced"``: n / (classes * count).
    """
    counts = np.bincount(labels, minlength=len(LABELS))
    weights = len(labels) / (len(LABELS) * counts)
    return float(weights[0]), float(weights[1])


def mix(crops: Any, targets: Any, seed: Any, alpha: float) -> tuple[Any, Any]:
    """Mix each photo of a batch with another of it, and their targets alike.

    Args:
        crops: uint8 tensor (batch, height, width, 3).
        targets: float32 tensor (batch, 2).
        seed: int64 tensor (2,); equal seeds give equal mixtures.
        alpha: both parameters of the beta distribution of the shares.
    """
    import tensorflow as tf

    draws = tf.random.stateless_gamma((2, tf.shape(crops)[0]), seed + 1, alpha)
    share = draws[0] / (draws[0] + draws[1] + 1e-9)
    share = tf.maximum(share, 1 - share)  # each photo keeps the larger share of itself
    across = share[:, tf.newaxis, tf.newaxis, tf.newaxis]
    pixels = tf.cast(crops, tf.float32)
    pixels = across * pixels + (1 - across) * pixels[::-1]
    mixed = share[:, tf.newaxis] * targets + (1 - share[:, tf.newaxis]) * targets[::-1]
    return tf.saturate_cast(tf.round(pixels), tf.uint8), mixed


def augment(crops: Any, seed: Any) -> Any:
    """Vary a batch of crops: flip, turn, scale, shift, colour, light and erasing.

    Args:
        crops: uint8 tensor (batch, height, width, 3).
        seed: int64 tensor (2,); equal seeds give equal variations.

    Returns:
        uint8 tensor of the same shape.
    """
    import tensorflow as tf

    count = tf.shape(crops)[0]
    draw = tf.random.stateless_uniform((count, 16), seed)
    varied = _light(_grey(_move(crops, draw[:, :5]), draw[:, 15]), draw[:, 5:10])
    return tf.saturate_cast(_erase(varied, draw[:, 10:15]), tf.uint8)


def _move(crops: Any, draw: Any) -> Any:
    """Flip, turn, scale and shift, in one resampling; borders repeat their last pixel."""
    import tensorflow as tf

    height, width = crops.shape[1], crops.shape[2]
    signed = draw * 2 - 1
    angle, zoom = signed[:, 0] * TURN, tf.exp(signed[:, 1] * math.log(SCALE))
    flip = tf.where(draw[:, 2] < 0.5, -1.0, 1.0)
    cos, sin = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    x, y = (width - 1) / 2, (height - 1) / 2  # the middle stays where it is, but for the shift
    a, b, c, d = cos * flip, -sin, sin * flip, cos
    left = x - a * x - b * y + signed[:, 3] * SHIFT * width
    top = y - c * x - d * y + signed[:, 4] * SHIFT * height
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=crops,
        transforms=tf.stack([a, b, left, c, d, top, zero, zero], axis=1),
        output_shape=tf.constant([height, width]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _grey(crops: Any, draw: Any) -> Any:
    """Take the colour out of some crops; returns float32."""
    import tensorflow as tf

    crops = tf.cast(crops, tf.float32)
    on = (draw < GREY)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.where(on, tf.reduce_mean(crops, axis=-1, keepdims=True), crops)


def _light(crops: Any, draw: Any) -> Any:
    """Change contrast, brightness and the gain of each channel; returns float32."""
    import tensorflow as tf

    signed = (draw * 2 - 1)[:, tf.newaxis, tf.newaxis, :]
    gain = tf.exp(signed[..., :1] * CONTRAST) * (1 + signed[..., 2:5] * COLOUR)
    offset = 128 + signed[..., 1:2] * BRIGHTNESS - 128 * gain
    return crops * gain + offset


def _erase(crops: Any, draw: Any) -> Any:
    """Lay a grey rectangle over a part of some crops (Zhong et al., "Random erasing", 2017)."""
    import tensorflow as tf

    height, width = crops.shape[1], crops.shape[2]
    on = draw[:, :1] < ERASE
    across = tf.abs(tf.range(width, dtype=tf.float32) / width - draw[:, 1:2])
    down = tf.abs(tf.range(height, dtype=tf.float32) / height - draw[:, 2:3])
    inside_x = (across < (0.15 + 0.3 * draw[:, 3:4]) / 2) & on
    inside_y = down < (0.15 + 0.3 * draw[:, 4:5]) / 2
    hidden = inside_y[:, :, tf.newaxis, tf.newaxis] & inside_x[:, tf.newaxis, :, tf.newaxis]
    return tf.where(hidden, 128.0, crops)
