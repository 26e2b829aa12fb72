"""Running a bundle's network on crops, with LiteRT or Keras."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facegender.errors import BundleError
from facegender.faces.crop_cache import Crops, CropSource
from facegender.labels import LABELS
from facegender.models.bundle import Bundle, check_shapes
from facegender.runtime.native_output import native_noise_hidden
from facegender.runtime.parallel import cores

Probabilities = NDArray[np.float32]
"""float32 (crops, 2): probability of female and of male; rows sum to 1."""

TOLERANCE = 1e-3
"""Maximum difference allowed between the probabilities of LiteRT and Keras."""
BATCH = 64
"""Crops that a network is given at once."""
PIECE = 4
"""Crops that LiteRT runs at once: measured, 64 at once take a quarter longer a crop than four,
since what lies between the layers then fits no cache."""


class Network(Protocol):
    """A loaded network: uint8 crops (n, height, width, 3) -> `Probabilities`."""

    def __call__(self, crops: Crops) -> Probabilities:
        """Return the probabilities of a batch."""


class LiteRtNetwork:
    """A LiteRT model, run without TensorFlow.

    Args:
        content: the .tflite file's bytes.
        threads: threads per call.

    Raises:
        BundleError: it is not a LiteRT model.
    """

    def __init__(self, content: bytes, *, threads: int | None = None) -> None:
        try:
            with native_noise_hidden():
                from ai_edge_litert.interpreter import Interpreter

                self._interpreter: Any = Interpreter(
                    model_content=content, num_threads=threads or cores()
                )
                self._interpreter.allocate_tensors()
                inputs = self._interpreter.get_input_details()
                outputs = self._interpreter.get_output_details()
            self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        except (ValueError, RuntimeError, IndexError) as error:
            raise BundleError(f"the LiteRT model cannot be loaded: {error}", "") from error
        self.input_shape = self._shape(inputs)
        self.output_shape = self._shape(outputs)
        self._batch = 1
        self._turn = threading.Lock()

    def __call__(self, crops: Crops) -> Probabilities:
        """Return the probabilities of a batch; threads take turns."""
        with self._turn:
            parts = [self._run(crops[i : i + PIECE]) for i in range(0, len(crops), PIECE)]
        return np.concatenate(parts) if parts else np.zeros((0, len(LABELS)), np.float32)

    def _run(self, crops: Crops) -> Probabilities:
        if len(crops) != self._batch:
            self._interpreter.resize_tensor_input(self._input, crops.shape)
            self._interpreter.allocate_tensors()
            self._batch = len(crops)
        self._interpreter.set_tensor(self._input, crops)
        self._interpreter.invoke()
        return np.array(self._interpreter.get_tensor(self._output), np.float32)

    @staticmethod
    def _shape(details: list[dict[str, Any]]) -> tuple[int, ...]:
        return tuple(int(side) for side in details[0]["shape_signature"][1:])


class KerasNetwork:
    """A Keras model, for bundles without a LiteRT model."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, crops: Crops) -> Probabilities:
        """Return the probabilities of a batch."""
        return np.asarray(self._model.predict_on_batch(crops), np.float32)


def load_network(bundle: Bundle, *, threads: int | None = None) -> Network:
    """Load a bundle's LiteRT model, or its Keras model if it has none, and run it once.

    If faces are detected, the detector takes most of the time and all cores, so the network then
    uses one thread.

    Args:
        bundle: the model folder.
        threads: threads per call if no faces are detected; None means one per core.

    Raises:
        BundleError: it cannot be loaded, does not fit the manifest, or gives no probabilities.
    """
    network: Network
    if bundle.litert is not None:
        threads = 1 if bundle.geometry.finds else threads
        litert = LiteRtNetwork(bundle.litert.read_bytes(), threads=threads)
        check_shapes(bundle, litert.input_shape, litert.output_shape)
        network = litert
    else:
        network = KerasNetwork(bundle.load_keras())
    try:
        answer = network(np.full((1, *bundle.geometry.shape), 128, np.uint8))
    except (ValueError, RuntimeError) as error:
        raise BundleError(
            f"{bundle.folder}: its network cannot be run: {error}", "Train it again."
        ) from error
    check_answers(bundle, answer)
    return network


def check_answers(bundle: Bundle, answers: Probabilities) -> None:
    """Check that a network returned two probabilities that sum to 1 for each crop.

    Raises:
        BundleError: it did not.
    """
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(answers.sum(axis=1) - 1) < 1e-3)
    if bad.any():
        raise BundleError(
            f"{bundle.folder}: its network returns {answers[bad][0].tolist()}, "
            "not two probabilities",
            "Its weights are damaged; train it again.",
        )


def run_network(network: Network, crops: CropSource, *, batch: int = BATCH) -> Probabilities:
    """Run a network over any number of crops."""
    parts = [network(crops[i : i + batch]) for i in range(0, len(crops), batch)]
    return np.concatenate(parts) if parts else np.zeros((0, len(LABELS)), np.float32)


def compare(ours: Probabilities, other: Probabilities) -> tuple[float, int]:
    """Compare the probabilities of two networks for the same crops.

    Returns:
        the largest difference in probability, and the number of changed labels among crops whose
        probability is further than `TOLERANCE` from one half.
    """
    if not len(ours):
        return 0.0, 0
    clear = np.abs(ours[:, 1] - 0.5) > TOLERANCE
    flips = clear & ((ours[:, 1] > 0.5) != (other[:, 1] > 0.5))
    return float(np.abs(ours - other).max()), int(flips.sum())
