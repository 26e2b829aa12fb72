"""The devices and the precision of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Final

import numpy as np

from facegender.choices import Precision
from facegender.faces.crop_cache import Crops
from facegender.models.inference import KerasNetwork, Network, Probabilities
from facegender.models.keras_backend import import_keras, threads

TENSOR_CORES: Final = (7, 0)
"""Minimum compute capability of GPUs with units for float16."""

Teach = Callable[..., tuple[float, float]]
"""Trains on a batch (crops, one-hot labels[, weights]) and returns its loss and accuracy."""


def best_precision() -> str:
    """Return the faster precision: mixed if every GPU has units for float16.

    CPUs compute in float32: in bfloat16 or float16 they take longer.
    """
    import_keras()  # silently
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = (tf.config.experimental.get_device_details(gpu) for gpu in gpus)
    fit = [facts.get("compute_capability", (0, 0)) >= TENSOR_CORES for facts in details]
    return (Precision.MIXED if fit and all(fit) else Precision.FLOAT32).value


class Devices:
    """The devices of a training, and how its network is built and trained on them.

    Several devices share every batch. Batch norm and gradients are computed over the whole batch,
    so that losses equal those of one device, except for rounding.

    Args:
        wanted: one of `choices.Devices`; ``all`` means all GPUs, or the CPU if there is none.
        precision: one of `choices.Precision`.
    """

    def __init__(self, wanted: str, precision: str) -> None:
        import_keras()
        import tensorflow as tf

        gpus, cpus = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
        self._names = [device.name for device in gpus or cpus][: None if wanted == "all" else 1]
        self._mixed = precision == Precision.MIXED
        self._strategy: Any = None
        if len(self._names) > 1:
            # Collective ops, the default, mix up the sums of two layers after a batch of another
            # size (TensorFlow 2.21). Summing on one device costs little: the networks are small.
            self._strategy = tf.distribute.MirroredStrategy(
                self._names, cross_device_ops=tf.distribute.ReductionToOneDevice()
            )
        kind = "GPU" if gpus else "CPU"
        count = f"{len(self._names)} {kind}s" if self._strategy else f"one {kind}"
        self.described = f"{count}, {'mixed float16' if self._mixed else Precision.FLOAT32}"

    @property
    def facts(self) -> dict[str, int]:
        """What results depend on: thread counts, and the devices if there are several."""
        return threads() | ({"devices": len(self._names)} if self._strategy else {})

    @property
    def plain(self) -> bool:
        """Return whether networks are built in the same way as for prediction."""
        return self._strategy is None and not self._mixed

    @contextmanager
    def building(self) -> Iterator[None]:
        """Context in which to build and compile a network for training."""
        keras = import_keras()
        before = keras.config.dtype_policy()
        if self._mixed:
            keras.config.set_dtype_policy("mixed_float16")
        try:
            with self._strategy.scope() if self._strategy else nullcontext():
                yield
        finally:
            keras.config.set_dtype_policy(before)

    def step(self, model: Any) -> Teach:
        """Return the function that trains a compiled network on a batch."""
        if self._strategy is not None:
            return _SharedStep(model, self._strategy)
        return model.train_on_batch if len(model.outputs) == 1 else partial(_gender_step, model)

    def network(self, model: Any) -> Network:
        """Return the function that runs a network during training."""
        return KerasNetwork(model) if self._strategy is None else _FirstReplica(model)


def _gender_step(model: Any, crops: Any, targets: Any, weights: Any) -> tuple[float, float]:
    """Train a network with further tasks; return the loss and accuracy of the gender."""
    logs = model.train_on_batch(crops, targets, weights, return_dict=True)
    return logs["probabilities_loss"], logs["probabilities_accuracy"]


class _FirstReplica:
    """Runs a network of a strategy on one device; Keras would run it on each."""

    def __init__(self, model: Any) -> None:
        import tensorflow as tf

        self._ask = tf.function(lambda crops: model(crops, training=False), reduce_retracing=True)

    def __call__(self, crops: Crops) -> Probabilities:
        """Return the probabilities of a batch."""
        return np.asarray(self._ask(crops), np.float32)


class _SharedStep:
    """A training step whose batch is divided among devices.

    Keras averages the mean losses of the devices, which differs from the mean of the batch if the
    devices have different numbers of photos, as in the last batch of an epoch.
    """

    def __init__(self, model: Any, strategy: Any) -> None:
        import tensorflow as tf

        loss = type(model.loss).from_config(model.loss.get_config() | {"reduction": "none"})
        self._strategy = strategy

        def teach(crops: Any, targets: Any, weights: Any, photos: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                answers = model(crops, training=True)
                share = tf.reduce_sum(loss(targets, answers) * weights) / photos
                scaled = model.optimizer.scale_loss(share)
            gradients = tape.gradient(scaled, model.trainable_weights)
            model.optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
            right = tf.argmax(answers, axis=-1) == tf.argmax(targets, axis=-1)
            return share, tf.reduce_mean(tf.cast(right, tf.float32))

        def run(*batch: Any) -> tuple[Any, Any]:
            shares, right = strategy.run(teach, args=batch)
            loss = strategy.reduce("SUM", shares, axis=None)
            return loss, strategy.experimental_local_results(right)

        self._run = tf.function(run, reduce_retracing=True)

    def __call__(self, crops: Any, targets: Any, weights: Any = None) -> tuple[float, float]:
        """Train on a batch."""
        import tensorflow as tf

        photos, devices = len(crops), self._strategy.num_replicas_in_sync
        weights = tf.ones(photos) if weights is None else weights
        # Every device needs a photo. Repeating each photo equally often with a lower weight
        # changes neither the loss nor the statistics of batch norm.
        copies = -(-devices // photos)
        batch = [tf.concat([part] * copies, axis=0) for part in (crops, targets, weights / copies)]
        whole, more = divmod(photos * copies, devices)
        sizes = [whole + (device < more) for device in range(devices)]
        shared = [self._shared(tf.split(part, sizes)) for part in batch]
        loss, right = self._run(*shared, tf.constant(float(photos)))
        accuracy = np.average([float(share) for share in right], weights=sizes)
        return float(loss), float(accuracy)

    def _shared(self, parts: list[Any]) -> Any:
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )
