"""Network definitions: the layers between the crops and the last dense layer.

Each function takes Keras, uint8 RGB crops (batch, height, width, 3) with values 0 to 255 as a
symbolic tensor, and a seed for dropout; it scales the crops and returns float features
(batch, features). `architectures` adds the input size, the recipe and the last layers.
"""

from __future__ import annotations

from typing import Any, Final

Stages = tuple[tuple[int, int, int, int, int], ...]
"""Repeats, kernel, stride of the first block, expansion and channels of each stage."""

LITE0: Final[Stages] = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (1, 5, 2, 6, 192),
)
"""Stages of `lite`."""
LITE15: Final[Stages] = (*LITE0[:-1], (4, *LITE0[-1][1:]))
"""Stages of `lite15`: all of EfficientNet-Lite0 but its last block."""
LITE2: Final[Stages] = (
    (1, 3, 1, 1, 16),
    (3, 3, 2, 6, 24),
    (3, 5, 2, 6, 48),
    (4, 3, 2, 6, 88),
    (4, 5, 1, 6, 120),
    (5, 5, 2, 6, 208),
)
"""Stages of `lite2`: all of EfficientNet-Lite2 but its last block."""


def normalization(keras: Any, **options: Any) -> Any:
    """Return batch norm, over the whole batch if several devices share it."""
    from facegender.models.keras_backend import several_devices

    return keras.layers.BatchNormalization(synchronized=several_devices(), **options)


def classic(keras: Any, crops: Any, seed: int) -> Any:
    """Build the 2015 article's network: four convolutions, two dense layers, 7,538,178 weights.

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
    """Build a small residual network of 888,930 weights, to be trained from scratch.

    Plain 3x3 convolutions with batch norm, because they use CPUs more efficiently than depthwise
    convolutions. Source of the block: He et al., "Deep residual learning for image
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
    """Build the first 12 of the 16 blocks of EfficientNet-Lite0, 944,546 weights.

    The remaining blocks hold four fifths of the weights and are specific to the thousand classes
    of ImageNet. Depthwise convolutions need few multiplications and little memory, and pretrained
    ImageNet weights are available. Source: Tan and Le, "EfficientNet", 2019, without
    squeeze-and-excitation and with ReLU6, as its authors published EfficientNet-Lite in 2020;
    crops are scaled as they did.
    """
    return _efficient(keras, crops, seed, LITE0)


def lite15(keras: Any, crops: Any, seed: int) -> Any:
    """Build the first 15 of the 16 blocks of EfficientNet-Lite0, 2,388,002 weights; see `lite`."""
    return _efficient(keras, crops, seed, LITE15)


def lite2(keras: Any, crops: Any, seed: int) -> Any:
    """Build the first 20 of the 21 blocks of EfficientNet-Lite2, 3,692,402 weights; see `lite`."""
    return _efficient(keras, crops, seed, LITE2)


def _efficient(keras: Any, crops: Any, seed: int, stages: Stages) -> Any:
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
    for repeats, kernel, stride, expand, filters in stages:
        for i in range(repeats):
            x = block(x, kernel, stride if i == 0 else 1, expand, filters)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return layers.Dropout(0.2, seed=seed + 1, name="dropout")(x)
