"""How the networks are laid out: the layers between the crops and the last dense layer.

Each function takes Keras, uint8 RGB crops (batch, height, width, 3) with values 0 to 255 as a
symbolic tensor, and a seed of dropout; it scales the crops itself and returns float features
(batch, number). `model` gives them an input size, a recipe and the last layers.
"""

from __future__ import annotations

from typing import Any, Final

LITE0: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (1, 5, 2, 6, 192),
)
"""Blocks of `lite`: repeats, kernel, stride of the first, expansion, channels."""


def normalization(keras: Any, **options: Any) -> Any:
    """Batch norm, by the whole batch where several devices share it."""
    from facegender.models.keras_backend import several_devices

    return keras.layers.BatchNormalization(synchronized=several_devices(), **options)


def classic(keras: Any, crops: Any, seed: int) -> Any:
    """Lay out the 2015 article's network: four convolutions, two dense layers, 7,538,178 weights.

    "Full" borders are zero padding of kernel - 1 on each side; batch norm follows the ReLU.
    """
    layers = keras.layers
    x = layers.Rescaling(1 / 255, name="scale")(crops)
    stages = ((32, 12, "full"), (48, 5, "valid"), (64, 3, "full"), (80, 3, "valid"))
    for i, (filters, kernel, border) in enumerate(stages, start=1):
        if border == "full":
            x = layers.ZeroPadding2D(kernel - 1, name=f"border{i}")(x)
        x = layers.Conv2D(filters, kernel, activation="relu", name=f"conv{i}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{i}")(x)
        x = layers.Dropout(0.25, seed=seed + i, name=f"dropout{i}")(x)
    x = layers.Flatten(name="flatten")(x)
    for i in (5, 6):
        x = layers.Dense(1000, activation="relu", name=f"dense{i}")(x)
        x = normalization(keras, momentum=0.9, epsilon=1e-6, name=f"norm{i}")(x)
        x = layers.Dropout(0.5, seed=seed + i, name=f"dropout{i}")(x)
    return x


def compact(keras: Any, crops: Any, seed: int) -> Any:
    """Lay out a small residual network of 888,930 weights, to be trained from scratch.

    Plain 3x3 convolutions with batch norm, since CPUs run them nearer to their peak than
    depthwise ones. Source of the block: He et al., "Deep residual learning for image
    recognition", 2016; average pooling in the shortcut: He et al., "Bag of tricks", 2019.
    """
    layers = keras.layers

    def conv(x: Any, filters: int, kernel: int = 3, stride: int = 1) -> Any:
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        return normalization(keras, momentum=0.95)(x)

    def block(x: Any, filters: int, stride: int) -> Any:
        y = conv(layers.ReLU()(conv(x, filters, 3, stride)), filters)
        if stride > 1:
            x = layers.AveragePooling2D(stride, padding="same")(x)
        if x.shape[-1] != filters:
            x = conv(x, filters, 1)
        return layers.ReLU()(layers.Add()([x, y]))

    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(crops)
    x = layers.ReLU()(conv(x, 32, 3, 2))
    for filters, stride in ((32, 1), (64, 2), (128, 2), (192, 2)):
        x = block(x, filters, stride)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return layers.Dropout(0.3, seed=seed + 1, name="dropout")(x)


def lite(keras: Any, crops: Any, seed: int) -> Any:
    """Lay out the beginning of EfficientNet-Lite0: 12 of its 16 blocks, 944,546 weights.

    What follows is for a thousand kinds of things and would not pay: three more blocks like the
    last one, one of 320 channels and a layer of 1,280 hold four fifths of the weights. Depthwise
    convolutions need few multiplications and memory, and weights made on ImageNet fit. Source:
    Tan and Le, "EfficientNet", 2019, without squeeze-and-excitation and with ReLU6, as its
    authors published EfficientNet-Lite in 2020; crops are scaled as they did.
    """
    layers = keras.layers

    def norm(x: Any) -> Any:
        return normalization(keras, momentum=0.95, epsilon=1e-3)(x)

    def block(x: Any, kernel: int, stride: int, expand: int, filters: int) -> Any:
        y, inside = x, x.shape[-1] * expand
        if expand > 1:
            y = layers.ReLU(6)(norm(layers.Conv2D(inside, 1, use_bias=False)(y)))
        y = layers.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False)(y)
        y = layers.ReLU(6)(norm(y))
        y = norm(layers.Conv2D(filters, 1, use_bias=False)(y))
        return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == filters else y

    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale")(crops)
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6)(norm(x))
    for repeats, kernel, stride, expand, filters in LITE0:
        for i in range(repeats):
            x = block(x, kernel, stride if i == 0 else 1, expand, filters)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return layers.Dropout(0.2, seed=seed + 1, name="dropout")(x)
