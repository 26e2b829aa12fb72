"""Batch norm in one operation, while a network is trained."""

from __future__ import annotations

from functools import cache
from typing import Any

from facegender.models.keras_backend import import_keras


def fuse_norms(model: Any) -> Any:
    """Return a copy of a network whose batch norms over images are one operation each.

    Keras composes batch norm, and its gradient, of a dozen operations that each read and write
    all activations: on CPUs more than a third of a training step. TensorFlow's own, which Keras
    left when it became independent of it, does the same in one, but for rounding. The copy is for
    training: it has the weights of `model` in the same order, for a network of plain layers to
    take back.
    """
    keras = import_keras()

    def copy(layer: Any) -> Any:
        over_images = type(layer) is keras.layers.BatchNormalization and len(layer.input.shape) == 4
        kind = _fused_norm() if over_images else type(layer)
        return kind.from_config(layer.get_config())

    fused = keras.models.clone_model(model, clone_function=copy)
    fused.set_weights(model.get_weights())
    return fused


@cache
def _fused_norm() -> Any:
    import tensorflow as tf

    class FusedNorm(import_keras().layers.BatchNormalization):  # type: ignore[misc]
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            if not training:
                return super().call(inputs, training=training, mask=mask)
            normed, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=self.gamma,
                offset=self.beta,
                mean=[],
                variance=[],
                epsilon=self.epsilon,
                is_training=True,
            )
            # The operation estimates the variance of all images; Keras keeps that of the batch.
            # The factor comes first: where the batch is of a known size TensorFlow makes it a
            # constant, and in another order a resumed run would round otherwise than a whole one.
            count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)
            seen = (mean, variance * ((count - 1) / count))
            for kept, now in zip((self.moving_mean, self.moving_variance), seen, strict=True):
                kept.assign(kept * self.momentum + now * (1 - self.momentum))
            return normed

    return FusedNorm
