"""Making a model folder for ``train --init`` from pretrained weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegender.errors import DataError
from facegender.models.architectures import architecture, build, mirrored
from facegender.models.bundle import DEFAULT_THRESHOLD, KERAS, LITERT, Bundle, save_bundle
from facegender.models.litert_conversion import convert_to_litert
from facegender.runtime.files import lock, make_folder
from facegender.training.finish import keras_bytes, model_fingerprint


def save_start(
    folder: Path, arch: str, weights: Sequence[NDArray[np.float32]], credit: str
) -> Bundle:
    """Write a model with given weights, a start for ``train --init FOLDER``.

    Without weights for the last layer, which is then random, it does not classify faces yet.

    Args:
        folder: the model folder to write.
        arch: a name in `architectures.ARCHITECTURES`.
        weights: those of all layers, or of all but the last dense one, in the order of Keras;
            kernels of convolutions are (height, width, in, out), of depthwise ones (height, width,
            in, 1); batch norms are scale, offset, mean, variance.
        credit: source and licence of the weights, for the cards of models trained from them.

    Raises:
        DataError: other shapes than the network's.
        UsageError: no such network.
    """
    model = build(arch, seed=0)
    own = model.get_weights()
    shapes = [w.shape for w in own]
    given = [w.shape for w in weights]
    if given not in (shapes, shapes[:-2]):
        differs = next(
            (i for i, (a, b) in enumerate(zip(given, shapes, strict=False)) if a != b),
            min(len(given), len(shapes)),
        )
        raise DataError(
            f"{len(given)} arrays do not fit the {len(shapes)} of {arch}, from number "
            f"{differs + 1} on",
            "Give all, or all but the last layer's two, in Keras's order.",
        )
    model.set_weights([*weights, *own[len(weights) :]])
    if architecture(arch).recipe.mirrored:
        model = mirrored(model)
    facts = {
        "arch": arch,
        "fingerprint": model_fingerprint(model),
        "crop": architecture(arch).geometry.to_json(),
        "threshold": DEFAULT_THRESHOLD,
        "temperature": 1.0,
        "credit": credit,
    }
    make_folder(folder)
    with lock(folder, "save"):
        return save_bundle(
            folder, {KERAS: keras_bytes(model), LITERT: convert_to_litert(model)}, facts
        )
