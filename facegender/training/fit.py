"""The training loop over epochs and steps."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.errors import FaceGenderError, Interrupted
from facegender.faces.crop_cache import CropSource
from facegender.models.inference import Probabilities, run_network
from facegender.runtime.signals import StopRequest
from facegender.training.also import answering
from facegender.training.batches import Batches
from facegender.training.devices import Devices, Teach
from facegender.training.events import Epoch, OnEvent, Step
from facegender.training.history import save_history
from facegender.training.state import State, save_state
from facegender.training.swapped import warn_of_swapped, warn_of_swapped_start

VALIDATION_BATCH = 256


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """Crops uint8 (n, height, width, 3) and labels int8 (n,) that choose the best epoch."""

    crops: CropSource
    labels: NDArray[np.int8]


def fit(
    model: Any,
    train_batches: Batches,
    validation: ValidationSet,
    state: State,
    folder: Path,
    *,
    devices: Devices,
    stop: StopRequest,
    on_event: OnEvent,
) -> bool:
    """Train from `state` until early stopping, the last epoch, or a stop request.

    The state is saved after every epoch and, when a stop is requested, within one. A signal cuts
    the first step, which compiles the network, and validation short: they lose nothing.

    Args:
        model: compiled and built, its variables already restored.
        train_batches: training batches.
        validation: see `ValidationSet`.
        state: changed in place.
        folder: the model folder.
        devices: the devices that the model was built on.
        stop: checked between steps.
        on_event: called for every step and epoch.

    Returns:
        True when training is over, False when a stop was requested.

    Raises:
        Interrupted: a signal came during the first step; the state is as it was.
    """
    teach, network = devices.step(model), devices.network(answering(model))
    began = time.perf_counter()
    earlier = state.seconds
    swapped = state.started_from is not None and warn_of_swapped_start(
        network, train_batches, state, stop, on_event
    )
    first = state.epoch * train_batches.steps + state.step
    batches = train_batches.stream(state.epoch, state.step, state.settings.epochs)
    while not (why := why_over(state)):
        before, worked = state.epoch_seconds
        start = time.perf_counter()
        _steps(teach, train_batches, batches, state, first, worked, stop, on_event)
        spent = time.perf_counter() - start
        probabilities = None
        if state.step == train_batches.steps:
            probabilities = _validate(network, validation, stop)
        if probabilities is None:
            state.epoch_seconds = (before + time.perf_counter() - start, worked + spent)
            state.seconds = earlier + time.perf_counter() - began
            save_state(folder, state, model, best=False)
            return False
        loss, accuracy = loss_and_accuracy(probabilities, validation.labels)
        best = state.best_loss is None or loss < state.best_loss
        row = Epoch(
            epoch=state.epoch + 1,
            loss=state.loss_sum / len(train_batches.rows),
            accuracy=state.right / len(train_batches.rows),
            val_loss=loss,
            val_accuracy=accuracy,
            lr=float(np.asarray(model.optimizer.learning_rate)),
            seconds=before + time.perf_counter() - start,
            images_per_second=len(train_batches.rows) / (worked + spent),
            best=best,
        )
        state.begin_epoch(row)
        swapped = swapped or warn_of_swapped(probabilities, validation.labels, on_event)
        state.seconds = earlier + time.perf_counter() - began
        save_state(folder, state, model, best=best)
        save_history(folder, state.history)
        on_event(row)
    state.finished = why
    save_state(folder, state, model, best=False)
    return True


def _validate(network: Any, validation: ValidationSet, stop: StopRequest) -> Probabilities | None:
    """Answer the validation crops; None where a stop was requested meanwhile."""
    try:
        with stop.raising():
            return run_network(network, validation.crops, batch=VALIDATION_BATCH)
    except Interrupted:
        return None


def why_over(state: State) -> str:
    """Return why training is over, or "" if it is not."""
    if state.finished:
        return state.finished
    if state.best_epoch and state.epoch - state.best_epoch >= state.settings.patience:
        return f"no better validation loss for {state.settings.patience} epochs"
    if state.epoch >= state.settings.epochs:
        return f"all {state.settings.epochs} epochs done"
    return ""


def loss_and_accuracy(
    probabilities: Probabilities, labels: NDArray[np.int8]
) -> tuple[float, float]:
    """Return the mean log loss (natural logarithm) and the accuracy at one half."""
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    loss = float(-np.log(np.clip(right, 1e-15, 1.0)).mean())
    return loss, float((probabilities.argmax(axis=1) == labels).mean())


def _steps(
    teach: Teach,
    train_batches: Batches,
    batches: Any,
    state: State,
    first: int,
    worked: float,
    stop: StopRequest,
    on_event: OnEvent,
) -> None:
    """Run the remaining steps of an epoch, until a stop; `state` counts them."""
    start = time.perf_counter() - worked
    while state.step < train_batches.steps and stop.signal_number is None:
        compiles = state.epoch * train_batches.steps + state.step == first
        with stop.raising() if compiles else nullcontext():
            loss, accuracy = teach(*next(batches))
        if not np.isfinite(loss):
            raise FaceGenderError(
                f"the loss became {loss} in epoch {state.epoch + 1}, step {state.step + 1}",
                "Try a lower --lr. The state of earlier epochs is kept.",
            )
        before = state.step * train_batches.batch_size
        seen = min(before + train_batches.batch_size, len(train_batches.rows))
        state.step += 1
        state.loss_sum += float(loss) * (seen - before)
        state.right += round(float(accuracy) * (seen - before))
        on_event(
            Step(
                epoch=state.epoch + 1,
                step=state.step,
                steps=train_batches.steps,
                loss=state.loss_sum / seen,
                accuracy=state.right / seen,
                images_per_second=seen / (time.perf_counter() - start),
            )
        )
