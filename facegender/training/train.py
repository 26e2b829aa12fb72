"""`train`: training a model on faces.csv."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from facegender.choices import OnChange, Start
from facegender.dataset.open_table import Table
from facegender.errors import DataError, FaceGenderError, Interrupted, UsageError
from facegender.faces.geometry import Geometry
from facegender.models.architectures import (
    DEFAULT,
    Tuning,
    architecture,
    build,
    compile_for_training,
)
from facegender.models.bundle import (
    Bundle,
    holds_model,
    save_bundle,
)
from facegender.models.keras_backend import import_keras
from facegender.options import check_choice, check_output_folder, check_workers
from facegender.runtime.files import lock, make_folder
from facegender.runtime.signals import StopRequest
from facegender.training.also import WEIGHT, answering, read_tasks, with_heads
from facegender.training.batches import Batches
from facegender.training.events import Finishing, OnEvent, Started, Warn, ignore
from facegender.training.finish import finish
from facegender.training.fit import fit, why_over
from facegender.training.fused_norm import fuse_norms
from facegender.training.photos import choose_geometry, read_photos
from facegender.training.rows import Rows, check_photos, read_rows
from facegender.training.settings import Resolved, TrainSettings, check_same, resolve
from facegender.training.start import TrainingStart, check_start, choose_start
from facegender.training.state import State, read_state, restore, save_state
from facegender.training.teacher import check_crops, load_teacher, open_teachers


def train(
    csv: str | os.PathLike[str] | Table,
    out: str | os.PathLike[str],
    settings: TrainSettings | None = None,
    *,
    resume: bool = False,
    force: bool = False,
    on_change: str = OnChange.REFUSE,
    workers: int | None = None,
    credit: str = "",
    stop: StopRequest | None = None,
    on_event: OnEvent = ignore,
) -> Bundle:
    """Train a network on the train rows of faces.csv and write a model folder.

    The epoch with the lowest validation log loss is kept, or the last one if its loss is lower
    after calibration. Its probabilities are calibrated on the val rows. In the article's split,
    where the test rows validate, they are not calibrated and the best epoch is kept.

    Args:
        csv: a faces.csv with splits, or what `open_table` made of it.
        out: the model folder.
        settings: see `TrainSettings`; with `resume`, only what must be as it was.
        resume: continue the training in `out`; `epochs` and `patience` may then differ from
            before, which extends a finished training or ends one early.
        force: replace the model in `out`.
        on_change: what to do about photos that vanished or changed since `prepare`; one of
            `choices.OnChange`.
        workers: processes that read photos; None means one per core.
        credit: whose photos they are and under which licence, for the model card.
        stop: requests a stop; the state is saved first.
        on_event: called with progress.

    Raises:
        DataError: rows that cannot be trained on.
        BundleError: `out` holds a model already, or nothing to resume.
        UsageError: invalid options.
        Interrupted: a stop was requested; everything is saved.
    """
    out = Path(out)
    settings, stop = settings or TrainSettings(), stop or StopRequest()
    check_choice("--on-change", on_change, OnChange)
    check_workers(workers)
    check_output_folder("--output", out)
    state = _standing(out, settings, resume=resume, force=force)
    asked = None if state else check_start(settings)
    teachers = open_teachers((state.settings if state else settings).teacher or ())
    if state and state.taught_by != [teacher.fingerprint for teacher in teachers]:
        raise UsageError(
            f"the teachers of the training in {out} are not in their folders any more",
            "Put them back, or train anew with --force.",
        )
    resolve(settings, settings.arch or DEFAULT, settings.init or Start.BUNDLED)
    rows, sidecar = read_rows(csv)
    if state is None:
        start = choose_start(rows, settings, asked)
        resolved = resolve(settings, start.arch, start.init)
    else:
        start, resolved = None, state.settings
    geometry = choose_geometry(rows, resolved, _start_geometry(start, state))
    check_crops(teachers, geometry)
    read_tasks(rows.samples, resolved.also, rows.train)
    # From here on photos are opened.
    rows = check_photos(rows, sidecar, on_event, on_change=on_change, workers=workers)
    del sidecar  # it holds a digest of every photo
    if state and state.data != rows.learned:
        _refuse_other_rows(rows, out)
    with _folder(out), lock(out, "train"):
        # Read again: another run may have written there until a moment ago.
        now = _standing(out, settings, resume=resume, force=force)
        if state and now and _identity(now) != _identity(state):
            raise FaceGenderError(f"another training began in {out} meanwhile")
        return _train(
            rows, geometry, out, resolved, start, teachers, now, workers, credit, stop, on_event
        )


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """Create the folder if missing; remove it again if it stays empty."""
    there = out.exists()
    make_folder(out)
    try:
        yield
    finally:
        if not there:
            with suppress(OSError):  # it is not empty
                out.rmdir()


def _identity(state: State) -> tuple[Any, ...]:
    return state.settings, state.data, state.started_from


def _start_geometry(start: TrainingStart | None, state: State | None) -> Geometry | None:
    """The crop of the model that a training starts from, or did: that model may have changed."""
    if state is not None:
        return Geometry.from_json(state.started_from["crop"]) if state.started_from else None
    return None if start is None else start.geometry


def _refuse_other_rows(rows: Rows, out: Path) -> NoReturn:
    what = "without the rows left out is not what" if rows.skipped else "is not the table that"
    raise DataError(
        f"{rows.csv} {what} the training in {out} began with",
        "Give that table and its photos, or train anew with --force.",
    )


def _standing(out: Path, settings: TrainSettings, *, resume: bool, force: bool) -> State | None:
    """Return the state of the training in a folder, None for a new one.

    Raises:
        FaceGenderError: there is nothing to resume, or something that may not be replaced.
    """
    if resume:
        return _resumed(read_state(out), settings)
    if not force and holds_model(out):
        raise FaceGenderError(
            f"{out} already holds a model or an unfinished training",
            "Use --resume to go on with it, --force to replace it, or another --output.",
        )
    return None


def _resumed(state: State, settings: TrainSettings) -> State:
    """Take over the epochs and patience that are asked for, the only options that may differ.

    Raises:
        UsageError: another option differs, or more epochs than asked for were begun.
    """
    wanted = replace(
        state.settings,
        epochs=settings.epochs or state.settings.epochs,
        patience=settings.patience or state.settings.patience,
    )
    check_same(wanted, settings)
    begun = state.epoch + (state.step > 0)
    if wanted.epochs < begun:
        raise UsageError(
            f"--epochs {wanted.epochs}: the training has begun {begun} epochs",
            "Give at least as many, or train anew with --force.",
        )
    if wanted != state.settings:
        state.settings, state.finished = wanted, ""
    return state


def _train(
    rows: Rows,
    geometry: Geometry,
    out: Path,
    settings: Resolved,
    start: TrainingStart | None,
    teachers: Sequence[Bundle],
    state: State | None,
    workers: int | None,
    credit: str,
    stop: StopRequest,
    on_event: OnEvent,
) -> Bundle:
    photos = read_photos(rows, geometry, out, settings, workers, on_event)
    train_batches, validation = photos.batches, photos.validation
    if teachers:
        train_batches = replace(train_batches, teacher=load_teacher(teachers))
    # TensorFlow is imported after reading the photos, so that their problems are reported early.
    from facegender.training.devices import Devices, best_precision

    settings = replace(settings, precision=settings.precision or best_precision())
    devices = Devices(settings.devices, settings.precision or "")
    with devices.building():
        model = _ready_model(settings, train_batches, start, fuse=devices.plain)
    if state is None:
        state = State(settings, rows.learned, devices.facts)
        state.started_from = None if start is None else start.origin
        state.taught_by = [teacher.fingerprint for teacher in teachers]
        with stop.held():
            save_state(out, state, model, best=False)
    else:
        restore(out, model)
        if state.threads != devices.facts:
            on_event(
                Warn("the number of threads or devices changed: the weights may differ slightly")
            )
    on_event(
        Started(
            arch=settings.arch,
            parameters=model.count_params(),
            train=len(train_batches.rows),
            val=len(validation.labels),
            validated_on=rows.validated_on,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            seed=settings.seed,
            epoch=state.epoch,
            devices=devices.described,
        )
    )
    with stop.held():
        over = fit(
            model,
            train_batches,
            validation,
            state,
            out,
            devices=devices,
            stop=stop,
            on_event=on_event,
        )
        if not over:
            begun = state.epoch + (state.step > 0)
            raise Interrupted(
                f"stopped in epoch {state.epoch + 1} after {state.step} steps, which are saved",
                "Run the same command with --resume to continue."
                + (f" To finish a model now, add --epochs {begun}." if state.best_epoch else ""),
                stop.signal_number or 2,
            )
        ended = answering(model).get_weights()
        on_event(Finishing(why_over(state)))
        with stop.raising():
            model = build(settings.arch, seed=settings.seed, size=photos.geometry.size)
            contents, facts = finish(
                model, photos, rows, state, start, out, credit, on_event, ended
            )
        return save_bundle(out, contents, facts)


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


def _ready_model(
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
