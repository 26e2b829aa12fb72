"""A network for tests of the training around it: a second to build, and it tells made photos apart.

What a real network computes is tested in tests/models; here a training is only a means.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from facegender.choices import CropKind
from facegender.faces.geometry import Geometry
from facegender.models.architectures import ARCHITECTURES, architecture, register
from facegender.models.layouts import normalization

TINY: Final = "tiny"


def tiny(keras: Any, crops: Any, seed: int) -> Any:
    layers = keras.layers
    x = layers.Rescaling(1 / 127.5, offset=-1)(crops)
    for filters in (8, 12):
        x = layers.Conv2D(filters, 3, strides=3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(normalization(keras, momentum=0.8)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(0.1, seed=seed + 1)(x)


if TINY not in ARCHITECTURES:
    recipe = replace(architecture("compact").recipe, lr=0.02)
    register(Geometry(CropKind.BOX, 64, 64), recipe, min_side=32)(tiny)
