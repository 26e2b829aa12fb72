"""Training with the rounding of 8-bit numbers, so that the trained network bears it.

Each layer reads its inputs and weights as the 8-bit LiteRT model will have them, and the gradient
passes as if they were not rounded. Source: Jacob et al., "Quantization and training of neural
networks for efficient integer-arithmetic-only inference", 2018. Unlike there, the range of a
layer's inputs is that of the batch, not a moving average: it adds nothing to the trained network,
and conversion measures the ranges anyway.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from facegender.models.keras_backend import import_keras


def with_rounding(model: Any) -> Any:
    """Return a copy of a network that rounds what each layer reads to 8 bits.

    The copy is for training; its weights are those of `model`, in the same order.
    """
    keras = import_keras()
    kinds = _rounding_layers()

    def copy(layer: Any) -> Any:
        return kinds.get(type(layer), type(layer)).from_config(layer.get_config())

    rounding = keras.models.clone_model(model, clone_function=copy)
    rounding.set_weights(model.get_weights())
    return rounding


def rounded(values: Any) -> Any:
    """Round a float tensor to the 256 equal steps between its extremes and zero."""
    import tensorflow as tf

    exact = tf.cast(values, tf.float32)
    low, high = tf.reduce_min(exact), tf.reduce_max(exact)
    low, high = tf.stop_gradient(tf.minimum(low, 0.0)), tf.stop_gradient(tf.maximum(high, 1e-6))
    return tf.cast(tf.quantization.fake_quant_with_min_max_vars(exact, low, high), values.dtype)


def rounded_kernel(kernel: Any, *, depthwise: bool = False) -> Any:
    """Round a kernel to 255 equal steps around zero, for each output channel on its own.

    Args:
        kernel: float tensor (height, width, inputs, outputs).
        depthwise: whether each input has its own outputs.
    """
    import tensorflow as tf

    shape = tf.shape(kernel)
    exact = tf.cast(kernel, tf.float32)
    if depthwise:
        exact = tf.reshape(exact, (shape[0], shape[1], -1))
    axes = list(range(len(exact.shape) - 1))
    extreme = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(exact), axis=axes), 1e-9))
    exact = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        exact, -extreme, extreme, narrow_range=True
    )
    return tf.cast(tf.reshape(exact, shape), kernel.dtype)


@cache
def _rounding_layers() -> dict[Any, Any]:
    """Return the rounding kind of each kind of layer that 8-bit models compute in 8 bits."""
    keras = import_keras()
    layers: Any = keras.layers

    class RoundingConv2D(layers.Conv2D):  # type: ignore[misc]
        def convolution_op(self, inputs: Any, kernel: Any) -> Any:
            return super().convolution_op(rounded(inputs), rounded_kernel(kernel))

    class RoundingDepthwiseConv2D(layers.DepthwiseConv2D):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            outputs = keras.ops.depthwise_conv(
                rounded(inputs),
                rounded_kernel(self.kernel, depthwise=True),
                strides=self.strides,
                padding=self.padding,
                dilation_rate=self.dilation_rate,
                data_format=self.data_format,
            )
            if self.bias is not None:
                outputs = keras.ops.add(outputs, self.bias)
            return self.activation(outputs)

    class RoundingAdd(layers.Add):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return super().call([rounded(values) for values in inputs])

    class RoundingPooling(layers.GlobalAveragePooling2D):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return rounded(super().call(rounded(inputs)))

    return {
        layers.Conv2D: RoundingConv2D,
        layers.DepthwiseConv2D: RoundingDepthwiseConv2D,
        layers.Add: RoundingAdd,
        layers.GlobalAveragePooling2D: RoundingPooling,
    }
