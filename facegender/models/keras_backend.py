"""Importing Keras on TensorFlow, late and silently."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

from facegender.errors import FaceGenderError
from facegender.runtime.native_output import native_noise_hidden


def import_keras() -> ModuleType:
    """Import Keras with its TensorFlow backend, silently.

    Raises:
        FaceGenderError: TensorFlow cannot be imported, or Keras was imported with another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        first = "tensorflow" not in sys.modules
        with native_noise_hidden():
            import keras

            if first:
                _quiet_tensorflow()
    except ImportError as error:
        raise FaceGenderError(
            f"TensorFlow cannot be imported: {error}", "Install it again: pip install tensorflow"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise FaceGenderError(
            f"Keras runs on {keras.backend.backend()} in this process, facegender needs tensorflow",
            "Set KERAS_BACKEND=tensorflow before the first import of keras.",
        )
    return keras  # type: ignore[no-any-return]


def _quiet_tensorflow() -> None:
    import tensorflow as tf
    from absl import logging as absl_logging

    absl_logging.set_verbosity(absl_logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    tf.constant(0) + 1  # the first operation logs CPU features; run it while output is hidden


def threads() -> dict[str, int]:
    """Return the thread counts that results depend on (0 means TensorFlow's choice)."""
    import tensorflow as tf

    config: Any = tf.config.threading
    return {
        "cores": os.cpu_count() or 1,
        "intra_op": config.get_intra_op_parallelism_threads(),
        "inter_op": config.get_inter_op_parallelism_threads(),
    }


def several_devices() -> bool:
    """Return whether networks are built for training on several devices."""
    import tensorflow as tf

    return bool(tf.distribute.has_strategy())
