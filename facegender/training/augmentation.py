"""Augmentation of training crops; all randomness comes from a given seed."""

from __future__ import annotations

import math
from typing import Any

TURN = math.radians(20)
"""Maximum rotation, in radians."""
SCALE = 1.25
"""Maximum scale factor, up or down."""
SHIFT = 0.1
"""Maximum shift, as a share of the crop's side."""
CONTRAST = 0.3
"""Maximum logarithm of the contrast factor."""
BRIGHTNESS = 40.0
"""Maximum change of brightness, of 255."""
COLOUR = 0.08
"""Maximum change of the gain of a channel."""
GREY = 0.1
"""Share of crops without colour."""
ERASE = 0.25
"""Share of crops that are partly covered by a grey rectangle (15 to 45 % of each side)."""


def mix(crops: Any, targets: Any, seed: Any, alpha: float) -> tuple[Any, Any]:
    """Mix each photo of a batch, and its target, with another one of the batch.

    Args:
        crops: uint8 tensor (batch, height, width, 3).
        targets: float32 tensor (batch, 2).
        seed: int64 tensor (2,); equal seeds give equal mixtures.
        alpha: both parameters of the beta distribution of the shares.
    """
    import tensorflow as tf

    draws = tf.random.stateless_gamma((2, tf.shape(crops)[0]), seed + 1, alpha)
    share = draws[0] / (draws[0] + draws[1] + 1e-9)
    share = tf.maximum(share, 1 - share)  # each photo keeps the larger share
    across = share[:, tf.newaxis, tf.newaxis, tf.newaxis]
    pixels = tf.cast(crops, tf.float32)
    pixels = across * pixels + (1 - across) * pixels[::-1]
    mixed = share[:, tf.newaxis] * targets + (1 - share[:, tf.newaxis]) * targets[::-1]
    return tf.saturate_cast(tf.round(pixels), tf.uint8), mixed


def augment(crops: Any, seed: Any) -> Any:
    """Augment a batch of crops: flip, rotation, scale, shift, colour, light and erasing.

    Args:
        crops: uint8 tensor (batch, height, width, 3).
        seed: int64 tensor (2,); equal seeds give equal results.

    Returns:
        uint8 tensor of the same shape.
    """
    import tensorflow as tf

    count = tf.shape(crops)[0]
    draw = tf.random.stateless_uniform((count, 16), seed)
    varied = _light(_grey(_move(crops, draw[:, :5]), draw[:, 15]), draw[:, 5:10])
    return tf.saturate_cast(_erase(varied, draw[:, 10:15]), tf.uint8)


def _move(crops: Any, draw: Any) -> Any:
    """Flip, rotate, scale and shift in one resampling; borders are repeated."""
    import tensorflow as tf

    height, width = crops.shape[1], crops.shape[2]
    signed = draw * 2 - 1
    angle, zoom = signed[:, 0] * TURN, tf.exp(signed[:, 1] * math.log(SCALE))
    flip = tf.where(draw[:, 2] < 0.5, -1.0, 1.0)
    cos, sin = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    x, y = (width - 1) / 2, (height - 1) / 2  # the centre stays fixed, apart from the shift
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
    """Make some crops grey; returns float32."""
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
    """Cover a part of some crops with a grey rectangle (Zhong et al., "Random erasing", 2017)."""
    import tensorflow as tf

    height, width = crops.shape[1], crops.shape[2]
    on = draw[:, :1] < ERASE
    across = tf.abs(tf.range(width, dtype=tf.float32) / width - draw[:, 1:2])
    down = tf.abs(tf.range(height, dtype=tf.float32) / height - draw[:, 2:3])
    inside_x = (across < (0.15 + 0.3 * draw[:, 3:4]) / 2) & on
    inside_y = down < (0.15 + 0.3 * draw[:, 4:5]) / 2
    hidden = inside_y[:, :, tf.newaxis, tf.newaxis] & inside_x[:, tf.newaxis, :, tf.newaxis]
    return tf.where(hidden, 128.0, crops)
