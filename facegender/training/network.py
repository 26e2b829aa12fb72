"""The network that a training changes: built, initialised, compiled."""

from __future__ import annotations

from typing import Any

from facegender.errors import FaceGenderError
from facegender.models.architectures import Tuning, architecture, build, compile_for_training
from facegender.models.keras_backend import import_keras
from facegender.training.also import WEIGHT, with_heads
from facegender.training.batches import Batches
from facegender.training.fused_norm import fuse_norms
from facegender.training.rounding import with_rounding
from facegender.training.settings import Resolved
from facegender.training.start import TrainingStart


def keep_first(model: Any, convolutions: int) -> None:
    """Keep the weights of a network's first convolutions, and of their norms, as they are."""
    keras = import_keras()
    kinds = keras.layers.Conv2D, keras.layers.DepthwiseConv2D
    kept = [layer for layer in model.layers if isinstance(layer, kinds)][:convolutions]
    outputs = {id(layer.output) for layer in kept}
    for layer in model.layers:
        norm = isinstance(layer, keras.layers.BatchNormalization) and id(layer.input) in outputs
        if norm or layer in kept:
            layer.trainable = False


def ready_model(
    settings: Resolved, train_batches: Batches, start: TrainingStart | None, *, fuse: bool
) -> Any:
    """Build, initialise and compile; afterwards every variable that training changes exists.

    Without a start the weights are random: a stored state replaces them.
    """
    height, width = train_batches.crops.shape[1:3]
    model = build(settings.arch, seed=settings.seed, size=(width, height))
    if start is not None and start.bundle is not None:
        try:
            model.set_weights(start.weights)
        except ValueError as error:
            raise FaceGenderError(
                f"{start.bundle.folder} holds another version of the network {settings.arch!r}",
                "Start from scratch with --init none.",
            ) from error
    if settings.int8:
        model = with_rounding(model)
    if fuse:
        model = fuse_norms(model)
    keep_first(model, settings.freeze)
    if train_batches.tasks:
        model = with_heads(model, train_batches.tasks)
    recipe = architecture(settings.arch).recipe
    tuning = Tuning(
        lr=settings.lr,
        steps=train_batches.steps * settings.epochs,
        schedule=settings.schedule,
        weight_decay=settings.weight_decay,
        label_smoothing=settings.label_smoothing,
    )
    compile_for_training(model, recipe, tuning, also_weight=WEIGHT)
    model.optimizer.build(model.trainable_variables)
    return model
