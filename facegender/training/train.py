"""`train`: training a model on faces.csv."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from facegender.choices import OnChange, Start
from facegender.dataset.open_table import Table
from facegender.errors import DataError, FaceGenderError, Interrupted, UsageError
from facegender.faces.geometry import Geometry
from facegender.models.architectures import (
    DEFAULT,
    build,
)
from facegender.models.bundle import (
    Bundle,
    holds_model,
    save_bundle,
)
from facegender.options import check_choice, check_output_folder, check_workers
from facegender.runtime.files import lock, make_folder
from facegender.runtime.signals import StopRequest
from facegender.training.also import answering, read_tasks
from facegender.training.batches import Batches
from facegender.training.doubt import read_doubts
from facegender.training.events import Finishing, OnEvent, Started, Warn, ignore
from facegender.training.finish import finish
from facegender.training.fit import fit, why_over
from facegender.training.network import ready_model
from facegender.training.photos import TrainingPhotos, choose_geometry, read_photos
from facegender.training.rows import Rows, check_photos, read_rows
from facegender.training.settings import Resolved, TrainSettings, check_same, resolve
from facegender.training.start import TrainingStart, check_start, choose_start
from facegender.training.state import State, read_state, restore, save_state
from facegender.training.taught import forget_answers, taught_once
from facegender.training.teacher import Teachers, check_crops, load_teacher, open_teachers
from facegender.training.tensorboard import EpochWriter

if TYPE_CHECKING:
    from facegender.training.devices import Devices


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
    tensorboard: str | os.PathLike[str] | None = None,
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
        tensorboard: a folder to write each epoch's losses and accuracies to for TensorBoard.
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
    if tensorboard is not None:
        check_output_folder("--tensorboard", tensorboard)
    state = _standing(out, settings, resume=resume, force=force)
    asked = None if state else check_start(settings)
    teachers = open_teachers((state.settings if state else settings).teacher or ())
    if state and state.taught_by != list(teachers.fingerprints):
        raise UsageError(
            f"the teachers of the training in {out} are not in their places any more",
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
    check_crops(teachers.bundles, geometry)
    read_tasks(rows.samples, resolved.also, rows.train)
    if resolved.doubt:
        read_doubts(rows.samples, resolved.doubt)
    teachers.read_files(rows.samples, rows.train)
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
        if tensorboard is not None:
            on_event = EpochWriter(Path(tensorboard), on_event)
        return _train(
            _Training(
                rows, geometry, out, resolved, start, teachers, workers, credit, stop, on_event
            ),
            now,
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


@dataclass(frozen=True, slots=True)
class _Training:
    """What a training begins with, all of it checked."""

    rows: Rows
    geometry: Geometry
    out: Path
    settings: Resolved
    start: TrainingStart | None
    teachers: Teachers
    workers: int | None
    credit: str
    stop: StopRequest
    on_event: OnEvent


def _train(training: _Training, state: State | None) -> Bundle:
    """Train, from `state` on if there is one, and write the model."""
    out, stop, on_event = training.out, training.stop, training.on_event
    photos = read_photos(
        training.rows, training.geometry, out, training.settings, training.workers, on_event
    )
    batches, asked = photos.batches, ""
    if training.teachers.fingerprints and not (state and why_over(state)):
        batches, asked = _with_teachers(training, batches, state)
        if state is not None:  # asked again, they may have said something else
            state.asked = asked
    # TensorFlow is imported after reading the photos, so that their problems are reported early.
    from facegender.training.devices import Devices, best_precision

    precision = training.settings.precision or best_precision()
    settings = replace(training.settings, precision=precision)
    devices = Devices(settings.devices, precision)
    with devices.building():
        model = ready_model(settings, batches, training.start, fuse=devices.plain)
    if state is None:
        state = _begun(training, settings, model, devices, asked)
    else:
        restore(out, model)
        if state.threads != devices.facts:
            on_event(
                Warn("the number of threads or devices changed: the weights may differ slightly")
            )
    on_event(_started(photos, settings, model, training.rows, state, devices))
    with stop.held():
        if not fit(
            model,
            batches,
            photos.validation,
            state,
            out,
            devices=devices,
            stop=stop,
            on_event=on_event,
        ):
            raise _stopped(state, stop)
        ended = answering(model).get_weights()
        on_event(Finishing(why_over(state)))
        with stop.raising():
            model = build(settings.arch, seed=settings.seed, size=photos.geometry.size)
            contents, facts = finish(
                model,
                photos,
                training.rows,
                state,
                training.start,
                out,
                training.credit,
                on_event,
                ended,
            )
        return save_bundle(out, contents, facts)


def _with_teachers(
    training: _Training, batches: Batches, state: State | None
) -> tuple[Batches, str]:
    """Return batches that teach what the teachers say, for each photo or for each crop.

    Also returns the SHA-256 of what they said of each photo, "" where they are asked for crops.
    """
    if not training.settings.teacher_once:
        return replace(batches, teacher=load_teacher(training.teachers.bundles)), ""
    rows = training.rows
    return taught_once(
        training.teachers,
        rows.samples.take(np.concatenate([rows.train, rows.val])),
        batches,
        training.out,
        state.asked if state else "",
        training.on_event,
    )


def _begun(
    training: _Training, settings: Resolved, model: Any, devices: Devices, asked: str
) -> State:
    """Save and return the state of a training that has not learned anything yet."""
    state = State(settings, training.rows.learned, devices.facts)
    state.started_from = None if training.start is None else training.start.origin
    state.taught_by, state.asked = list(training.teachers.fingerprints), asked
    with training.stop.held():
        save_state(training.out, state, model, best=False)
        if not asked:
            forget_answers(training.out)
    return state


def _started(
    photos: TrainingPhotos,
    settings: Resolved,
    model: Any,
    rows: Rows,
    state: State,
    devices: Devices,
) -> Started:
    return Started(
        arch=settings.arch,
        parameters=model.count_params(),
        train=len(photos.batches.rows),
        val=len(photos.validation.labels),
        validated_on=rows.validated_on,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        seed=settings.seed,
        epoch=state.epoch,
        devices=devices.described,
    )


def _stopped(state: State, stop: StopRequest) -> Interrupted:
    """Return what to say of a training that a signal stopped."""
    begun = state.epoch + (state.step > 0)
    return Interrupted(
        f"stopped in epoch {state.epoch + 1} after {state.step} steps, which are saved",
        "Run the same command with --resume to continue."
        + (f" To finish a model now, add --epochs {begun}." if state.best_epoch else ""),
        stop.signal_number or 2,
    )
