"""Export formats: how a model is written in each, and how the format's engine runs it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from facegender.choices import ExportFormat
from facegender.errors import FaceGenderError, UsageError
from facegender.faces.crop_cache import Crops
from facegender.models.bundle import Bundle
from facegender.models.inference import LiteRtNetwork, Network, Probabilities
from facegender.models.keras_backend import import_keras
from facegender.models.litert_conversion import convert_to_litert
from facegender.options import check_choice
from facegender.runtime.native_output import native_noise_hidden

INPUT: Final = "crops"
OUTPUT: Final = "probabilities"
OPSET: Final = 17
"""The ONNX opset: it covers the networks, and all recent engines read it."""


@dataclass(frozen=True, slots=True)
class ExportSource:
    """The model to convert.

    Attributes:
        bundle: the model folder.
        keras: its Keras model.
        int8: whether 8-bit numbers are wanted.
        calibration: crops to calibrate their ranges, None where the model has such a network.
    """

    bundle: Bundle
    keras: Any
    int8: bool = False
    calibration: Crops | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A format and its engine.

    Attributes:
        name: as the user gives it.
        file: name of the file, or folder, that holds the model.
        engine: the package that runs it.
        output: name of the output with the probabilities; the input is `INPUT`.
        write: writes a source to a path.
        load: loads what was written into the engine.
        modules: modules that must be installed in addition to facegender's dependencies.
    """

    name: str
    file: str
    engine: str
    output: str
    write: Callable[[ExportSource, Path], None]
    load: Callable[[Path], Network]
    modules: tuple[str, ...] = ()

    @property
    def engine_version(self) -> str:
        """The version of the installed engine."""
        return version(self.engine)

    def check_installed(self) -> None:
        """Check that the modules of the format are installed.

        Raises:
            FaceGenderError: one of them is missing.
        """
        missing = [module for module in self.modules if find_spec(module) is None]
        if missing:
            raise FaceGenderError(
                f"--format {self.name} needs {' and '.join(missing)}, not installed here",
                f"Install it: pip install 'facegender[{self.name}]'",
            )

    def make(self, source: ExportSource, target: Path) -> Network:
        """Write a model to a path, and load the result into the engine.

        Raises:
            FaceGenderError: the conversion failed, or the engine cannot load the result.
        """
        try:
            self.write(source, target)
            return self.load(target)
        except (FaceGenderError, OSError):
            raise
        except Exception as error:
            raise FaceGenderError(
                f"the model cannot be converted to {self.name}: {error}",
                f"Update {self.engine}, or choose another format.",
            ) from error


def choose_format(name: str, *, int8: bool = False) -> Format:
    """Return a format by its name.

    Raises:
        UsageError: there is none of that name, or it has no int8.
    """
    check_choice("--format", name, EXPORT_FORMATS)
    if int8 and name != ExportFormat.LITERT:
        raise UsageError(f"--int8 is for litert, not for {name}", "Choose --format litert.")
    return EXPORT_FORMATS[name]


def _write_litert(source: ExportSource, target: Path) -> None:
    litert = source.bundle.litert
    alike = source.int8 == source.bundle.predicts_in_8_bits and source.calibration is None
    if litert is not None and alike:
        target.write_bytes(litert.read_bytes())  # the network that predict runs
    else:
        target.write_bytes(convert_to_litert(source.keras, source.calibration))


def _load_litert(target: Path) -> Network:
    return LiteRtNetwork(target.read_bytes())


def _write_onnx(source: ExportSource, target: Path) -> None:
    import onnx

    keras = import_keras()
    shape = (None, *source.bundle.geometry.shape)
    with native_noise_hidden(), contextlib.redirect_stdout(io.StringIO()):
        source.keras.export(
            str(target),
            format="onnx",
            verbose=False,
            opset_version=OPSET,
            input_signature=[keras.InputSpec(dtype="uint8", shape=shape, name=INPUT)],
        )
    model = onnx.load(str(target))
    _name_ends(model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(target))


def _name_ends(graph: Any) -> None:
    """Rename the output and the batch dimension of an ONNX graph to meaningful names."""
    (output,) = graph.output
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [OUTPUT if name == output.name else name for name in names]
    output.name = OUTPUT
    for end in (*graph.input, output):
        end.type.tensor_type.shape.dim[0].dim_param = "n"


class OnnxNetwork:
    """An ONNX model, run by onnxruntime."""

    def __init__(self, file: Path) -> None:
        import onnxruntime

        self._session: Any = onnxruntime.InferenceSession(
            file.read_bytes(), providers=["CPUExecutionProvider"]
        )

    def __call__(self, crops: Crops) -> Probabilities:
        """Return the probabilities of a batch."""
        return np.asarray(self._session.run([OUTPUT], {INPUT: crops})[0], np.float32)


def _write_saved_model(source: ExportSource, target: Path) -> None:
    import_keras()
    import tensorflow as tf

    # Keras's own export stores every weight twice (keras 3.15.1).
    shape = (None, *source.bundle.geometry.shape)
    signature = [tf.TensorSpec(shape, tf.uint8, INPUT)]
    holder = tf.Module()
    holder.weights = [variable.value for variable in source.keras.variables]
    holder.serve = tf.function(
        lambda crops: {OUTPUT: source.keras(crops, training=False)}, input_signature=signature
    )
    with native_noise_hidden():
        tf.saved_model.save(holder, str(target), signatures={"serving_default": holder.serve})


class SavedModelNetwork:
    """A SavedModel, run by TensorFlow."""

    def __init__(self, folder: Path) -> None:
        import_keras()
        import tensorflow as tf

        with native_noise_hidden():
            self._loaded: Any = tf.saved_model.load(str(folder))  # keeps the signature alive
        self._tensor = tf.constant

    def __call__(self, crops: Crops) -> Probabilities:
        """Return the probabilities of a batch."""
        run = self._loaded.signatures["serving_default"]
        return np.asarray(run(**{INPUT: self._tensor(crops)})[OUTPUT], np.float32)


EXPORT_FORMATS: Final = {
    form.name: form
    for form in (
        Format(
            ExportFormat.LITERT,
            "model.tflite",
            "ai-edge-litert",
            "output_0",
            _write_litert,
            _load_litert,
        ),
        Format(
            ExportFormat.ONNX,
            "model.onnx",
            "onnxruntime",
            OUTPUT,
            _write_onnx,
            OnnxNetwork,
            ("onnx", "onnxruntime", "tf2onnx"),
        ),
        Format(
            ExportFormat.SAVED_MODEL,
            "saved_model",
            "tensorflow",
            OUTPUT,
            _write_saved_model,
            SavedModelNetwork,
        ),
    )
}
"""Every format by name, one of `choices.ExportFormat`."""
