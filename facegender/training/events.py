"""What training tells its caller while it runs."""

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
class Started:
    """The first step is next.

    Attributes:
        arch: the network's name.
        parameters: its weights, those not trained included.
        train, val: photos to train and to validate on.
        validated_on: the split that validates.
        epochs: most epochs.
        batch_size: photos a step.
        seed: of everything random.
        epoch: epochs that an earlier run finished.
        devices: what it runs on, and in which precision, such as ``one CPU, float32``.
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
    """A batch was learned from.

    Attributes:
        epoch: from 1.
        step: batches done in this epoch, of `steps`.
        steps: batches an epoch.
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
        seconds: of the whole epoch, validation and saving included.
        images_per_second: of its training steps.
        best: whether its validation loss is the least so far.
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
    """Training is over; the best weights are calibrated, converted, checked and saved."""

    why: str


@dataclass(frozen=True, slots=True)
class Warn:
    """Something the user must know."""

    message: str


Event = Checking | Reading | Started | Step | Epoch | Finishing | Warn
OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Listen to nothing."""
