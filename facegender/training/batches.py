"""Crops and labels -> batches.

Everything random is a function of (seed, epoch, step), so that an epoch can be replayed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.faces.crop_cache import Crops, CropSource
from facegender.labels import LABELS
from facegender.models.inference import Probabilities
from facegender.training.also import UNKNOWN, Task
from facegender.training.augmentation import augment, mix
from facegender.training.degradation import degrade


@dataclass(frozen=True)
class Batches:
    """Batches of training crops, ready for ``train_on_batch``.

    Attributes:
        crops: uint8 (photos, height, width, 3), an array or a `CropCache`.
        labels: int8 (photos,), 0 = female, 1 = male.
        rows: int64, the photos to learn from.
        batch_size: photos per batch; the last one of an epoch may be smaller.
        seed: of shuffling and augmentation.
        augment: whether crops are augmented by `augmentation.augment`.
        degrade: whether some of them are degraded by `degradation.degrade`.
        class_weights: weight of each label, or None for no weights.
        mixup: parameter of the beta distribution from which the shares of two mixed photos are
            drawn; 0 mixes none. Source: Zhang et al., "mixup", 2018.
        tasks: what else the network learns; their labels belong to the same rows as `labels`.
        teacher: says float32 (n, 2) of the augmented crops; None without one.
        taught: float32 (photos, 2), what teachers said once of each row; None without.
        teacher_share: share of what teachers say in the target.
        doubts: float32 (photos,), share of each row's target that goes to both genders alike; None
            without.
    """

    crops: CropSource
    labels: NDArray[np.int8]
    rows: NDArray[np.int64]
    batch_size: int
    seed: int
    augment: bool
    degrade: bool = False
    class_weights: tuple[float, float] | None = None
    mixup: float = 0.0
    tasks: tuple[Task, ...] = ()
    teacher: Callable[[Crops], Probabilities] | None = None
    taught: NDArray[np.float32] | None = None
    teacher_share: float = 0.0
    doubts: NDArray[np.float32] | None = None

    @cached_property
    def steps(self) -> int:
        """The number of batches per epoch."""
        return math.ceil(len(self.rows) / self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order of the rows in an epoch."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.rows)

    def stream(self, epoch: int, step: int, epochs: int) -> Iterator[tuple[Any, ...]]:
        """Yield (crops, one-hot labels[, weights]) from a step of an epoch on, to the last epoch.

        Crops are uint8 tensors, labels and weights float32; with further tasks, labels and weights
        are tuples of one tensor an output. The next batches are prepared while the caller uses the
        current one, also across epochs.
        """
        import tensorflow as tf

        height, width = self.crops.shape[1:3]
        order = lru_cache(maxsize=1)(self.order)

        def gather(position: NDArray[np.int64]) -> tuple[Crops, NDArray[np.int64]]:
            at_epoch, at_step = divmod(int(position), self.steps)
            rows = order(at_epoch)[at_step * self.batch_size : (at_step + 1) * self.batch_size]
            crops = self.crops[rows]
            if self.degrade:
                crops = degrade(crops, np.random.default_rng([self.seed, at_epoch, at_step]))
            return crops, rows

        def load(position: Any) -> Any:
            crops, rows = tf.numpy_function(gather, [position], (tf.uint8, tf.int64))
            crops.set_shape((None, height, width, 3))
            rows.set_shape((None,))
            return position, crops, rows

        first, last = epoch * self.steps + step, epochs * self.steps
        data = tf.data.Dataset.range(first, last).map(load)
        yield from data.map(self._finish, num_parallel_calls=2).prefetch(2)

    def _finish(self, position: Any, crops: Any, rows: Any) -> Any:
        """Augment a batch, and make of its labels what the network learns; see `stream`."""
        import tensorflow as tf

        seed = tf.stack([tf.constant(self.seed, tf.int64), position])
        if self.augment:
            crops = augment(crops, seed)
        labels = tf.gather(self.labels.astype(np.int32), rows)
        targets = tf.gather(np.eye(len(LABELS), dtype=np.float32), labels)
        if self.taught is not None:
            targets = self._taught(targets, tf.gather(self.taught, rows))
        if self.mixup:
            crops, targets = mix(crops, targets, seed, self.mixup)
        if self.teacher is not None:
            said = tf.numpy_function(self.teacher, [crops], tf.float32)
            said.set_shape(targets.shape)
            targets = self._taught(targets, said)
        if self.doubts is not None:
            targets += tf.gather(self.doubts, rows)[:, tf.newaxis] * (1 / len(LABELS) - targets)
        weights = tf.gather(tf.constant(self.class_weights or (1.0, 1.0)), labels)
        if self.tasks:
            kinds = [tf.gather(task.labels.astype(np.int32), rows) for task in self.tasks]
            others = [tf.one_hot(k, len(t.values)) for k, t in zip(kinds, self.tasks, strict=True)]
            known = [tf.cast(k != UNKNOWN, tf.float32) for k in kinds]
            return crops, (targets, *others), (weights, *known)
        return (crops, targets) if self.class_weights is None else (crops, targets, weights)

    def _taught(self, targets: Any, said: Any) -> Any:
        return (1 - self.teacher_share) * targets + self.teacher_share * said


def balanced_weights(labels: NDArray[np.int8]) -> tuple[float, float]:
    """Return a weight for each label so that both have equal total weight and the mean is 1.

    Source: scikit-learn's ``class_weight="balanced"``: n / (classes * count).
    """
    counts = np.bincount(labels, minlength=len(LABELS))
    weights = len(labels) / (len(LABELS) * counts)
    return float(weights[0]), float(weights[1])
