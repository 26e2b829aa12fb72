"""Converting a Keras model to LiteRT, with float or 8-bit numbers."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from facegender.errors import FaceGenderError
from facegender.faces.crop_cache import Crops
from facegender.runtime.native_output import native_noise_hidden

HEAD: Final = ("FULLY_CONNECTED", "SOFTMAX")
"""Operations that stay float in an 8-bit model: a softmax of 8 bits gives probabilities in steps of
1/256, among them 0 and 1."""


def convert_to_litert(model: Any, calibration: Crops | None = None) -> bytes:
    """Convert a Keras model to the bytes of a LiteRT file.

    Args:
        model: the Keras model.
        calibration: None keeps float32 weights. With crops, the weights and activations up to the
            features are quantised to int8, with the ranges observed on them. Input stays uint8,
            output float32. Source: Jacob et al., "Quantization and training of neural networks for
            efficient integer-arithmetic-only inference", 2018.

    Raises:
        FaceGenderError: the conversion failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with native_noise_hidden(), contextlib.redirect_stdout(io.StringIO()):
                if calibration is not None:
                    return _int8(model, calibration, folder)
                file = Path(folder) / "model.tflite"
                model.export(str(file), format="litert", verbose=False)
                return file.read_bytes()
        except Exception as error:
            raise FaceGenderError(
                f"the model cannot be converted to LiteRT: {error}", "Predict through Keras."
            ) from error


def _int8(model: Any, crops: Crops, folder: str) -> bytes:
    """Quantise to int8 all but the head.

    The converter has no option to leave operations out; its debugger has.
    """
    from facegender.models.keras_backend import import_keras

    import_keras()
    import tensorflow as tf

    def seen() -> Iterator[list[Crops]]:
        return ([crop[None]] for crop in crops)

    model.export(folder, format="tf_saved_model", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = seen
    builtin = tf.lite.OpsSet
    converter.target_spec.supported_ops = [builtin.TFLITE_BUILTINS_INT8, builtin.TFLITE_BUILTINS]
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=seen,
        debug_options=tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(HEAD)),
    )
    return bytes(debugger.get_nondebug_quantized_model())
