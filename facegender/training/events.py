"""Events that a training reports to its caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checking:
    """Photos are compared with what `prepare` read: `done` of `total`."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Photos are read and cropped: `done` of `total`."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Asking:
    """Teachers are asked once for each photo: `done` of `total`."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Started:
    """The first step is about to start.

    Attributes:
        arch: the network's name.
        parameters: number of weights, including those that are not trained.
        train, val: number of training and validation photos.
        validated_on: the split that validates.
        epochs: maximum number of epochs.
        batch_size: photos per step.
        seed: the seed of the training.
        epoch: epochs finished by earlier runs.
        devices: devices and precision, such as ``one CPU, float32``.
    """

    arch: str
    parameters: int
    train: int
    val: int
    validated_on: str
    epochs: int
    batch_size: int
    seed: int
    epoch: int
    devices: str


@dataclass(frozen=True, slots=True)
class Step:
    """A training step is done.

    Attributes:
        epoch: from 1.
        step: batches done in this epoch, of `steps`.
        steps: batches per epoch.
        loss, accuracy: of this epoch so far, on training crops.
        images_per_second: in this epoch so far.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    images_per_second: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch ended; a row of history.csv.

    Attributes:
        epoch: from 1.
        loss, accuracy: on training crops, averaged over the epoch.
        val_loss, val_accuracy: after the epoch, on validation crops.
        lr: learning rate of its last step.
        seconds: of the whole epoch, including validation and saving.
        images_per_second: of its training steps.
        best: whether its validation loss is the lowest so far.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float
    images_per_second: float
    best: bool


@dataclass(frozen=True, slots=True)
class Finishing:
    """The steps are done; the best weights are being calibrated, converted, checked and saved."""

    why: str


@dataclass(frozen=True, slots=True)
class Warn:
    """A warning for the user."""

    message: str


Event = Checking | Reading | Asking | Started | Step | Epoch | Finishing | Warn
OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Ignore all events."""
