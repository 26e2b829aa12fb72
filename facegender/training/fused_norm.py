"""Fused batch norm for training."""

from __future__ import annotations

from functools import cache
from typing import Any

from facegender.models.keras_backend import import_keras


def fuse_norms(model: Any) -> Any:
    """Return a copy of a network that uses TensorFlow's fused batch norm for images.

    Keras composes batch norm and its gradient of a dozen operations that each read and write all
    activations, which takes more than a third of a training step on CPUs. TensorFlow's fused
    operation gives the same result except for rounding. The copy is for training; its weights are
    those of `model`, in the same order.
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
            if not (training and self.trainable):
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
            # The operation returns the unbiased variance; Keras uses the biased one.
            # The factor comes first: where the batch is of a known size TensorFlow makes it a
            # constant, and in another order a resumed run would round otherwise than a whole one.
            count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)
            seen = (mean, variance * ((count - 1) / count))
            for kept, now in zip((self.moving_mean, self.moving_variance), seen, strict=True):
                kept.assign(kept * self.momentum + now * (1 - self.momentum))
            return normed

    return FusedNorm
