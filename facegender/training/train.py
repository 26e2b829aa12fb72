"""`train`: from faces.csv to a model folder."""

from __future__ import annotations

import platform
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from facegender import __version__
from facegender.bundle import (
    DEFAULT_THRESHOLD,
    KERAS,
    LAST,
    TWIN,
    Bundle,
    holds_model,
    load_bundle,
    save_bundle,
)
from facegender.crops import cache_crops
from facegender.dataset.samples import SPLITS, Samples
from facegender.dataset.sidecar import Sidecar, read_sidecar
from facegender.dataset.table import read_table
from facegender.dataset.verify import fingerprint_of, verify_files, verify_splits
from facegender.errors import DataError, FaceGenderError, Interrupted
from facegender.files import lock
from facegender.interrupt import StopRequest
from facegender.labels import LABELS
from facegender.model import architecture, build, compile_for_training
from facegender.networks import (
    KerasNetwork,
    LiteRtNetwork,
    compare,
    convert_twin,
    run_network,
)
from facegender.pipeline import Feed, balanced_weights
from facegender.training.calibration import fit_temperature, fold_temperature
from facegender.training.card import card_and_history
from facegender.training.events import Finishing, OnEvent, Reading, Started, Warn, ignore
from facegender.training.fit import ValidationSet, fit, loss_and_accuracy, why_over
from facegender.training.settings import Resolved, TrainSettings, check_same, resolve
from facegender.training.state import State, read_state, restore, restore_best, save_state

TWIN_CHECKS = 2000
"""Validation crops on which the twin must agree with the Keras model."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a faces.csv and what they are used for."""

    csv: Path
    samples: Samples
    fingerprint: str
    train: list[int]
    val: list[int]
    validated_on: str


def train(
    csv: Path,
    out: Path,
    settings: TrainSettings | None = None,
    *,
    resume: bool = False,
    force: bool = False,
    workers: int | None = None,
    stop: StopRequest | None = None,
    on_event: OnEvent = ignore,
) -> Bundle:
    """Train a network on the train rows of faces.csv and write a model folder.

    The epoch with the least validation log loss is kept. Its probabilities are calibrated on the
    val rows (not where the test rows had to validate, as in the article's split).

    Args:
        csv: a faces.csv with splits.
        out: the model folder.
        settings: see `TrainSettings`; with `resume`, only what must be as it was.
        resume: go on with the training that `out` holds.
        force: train anew over a model that `out` holds.
        workers: processes that read photos; None means one a core.
        stop: asks for a stop; the state is saved first.
        on_event: told of progress.

    Raises:
        DataError: rows that cannot be trained on.
        BundleError: `out` holds a model already, or nothing to resume.
        UsageError: options that make no sense.
        Interrupted: a stop was asked for; everything is saved.
    """
    settings, stop = settings or TrainSettings(), stop or StopRequest()
    state = _resumed(out, settings) if resume else None
    resolved = state.settings if state else resolve(settings)
    if not resume and not force and holds_model(out):
        raise FaceGenderError(
            f"{out} already holds a model or an unfinished training",
            "Use --resume to go on with it, --force to replace it, or another --out.",
        )
    rows = _read_rows(csv, on_event)
    if state and state.data != rows.fingerprint:
        raise DataError(
            f"{csv} is not the table that the training in {out} began with",
            "Give that table, or train anew with --force.",
        )
    _make_folder(out)
    with lock(out, "train"):
        if state is None:
            shutil.rmtree(out / LAST, ignore_errors=True)
        return _train(rows, out, resolved, state, workers, stop, on_event)


def _resumed(out: Path, settings: TrainSettings) -> State:
    state = read_state(out)
    check_same(state.settings, settings)
    return state


def _read_rows(csv: Path, on_event: OnEvent) -> _Rows:
    """Read and check the table; nothing slow happens before this has passed."""
    samples, sidecar = read_table(csv), read_sidecar(csv)
    like_article = sidecar is not None and sidecar.settings.get("split") == "article"
    validated_on = "test" if like_article else "val"
    verify_splits(samples, ("train", validated_on))
    verify_files(samples, sidecar)
    _check_crop(csv, sidecar)
    if like_article:
        on_event(
            Warn(
                "the article's split has no val rows: the test rows choose the best epoch here, as "
                "they did in the article, so the test accuracy will flatter the model"
            )
        )
    return _Rows(
        csv=csv,
        samples=samples,
        fingerprint=fingerprint_of(samples, sidecar),
        train=samples.rows_of("train"),
        val=samples.rows_of(validated_on),
        validated_on=validated_on,
    )


def _check_crop(csv: Path, sidecar: Sidecar | None) -> None:
    if sidecar is not None and sidecar.crop is not None:
        raise DataError(
            f"the photos of {csv} were cropped to {sidecar.crop}, which no network here takes",
            "Prepare the original photos.",
        )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FaceGenderError(f"cannot make the folder {out}: {error.strerror}") from error


def _train(
    rows: _Rows,
    out: Path,
    settings: Resolved,
    state: State | None,
    workers: int | None,
    stop: StopRequest,
    on_event: OnEvent,
) -> Bundle:
    feed, validation = _read_photos(rows, out, settings, workers, on_event)
    from facegender.backend import threads  # TensorFlow comes after the reading processes forked

    model = _ready_model(settings, feed)
    if state is None:
        state = State(settings, rows.fingerprint, threads())
        with stop.held():
            save_state(out, state, model, best=False)
    else:
        restore(out, model)
        if state.threads != threads():
            on_event(Warn("other thread counts than before: the weights may differ a little"))
    on_event(
        Started(
            arch=settings.arch,
            parameters=model.count_params(),
            train=len(rows.train),
            val=len(rows.val),
            validated_on=rows.validated_on,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            seed=settings.seed,
            epoch=state.epoch,
        )
    )
    with stop.held():
        over = fit(model, feed, validation, state, out, stop=stop, on_event=on_event)
        if state.best_epoch:
            on_event(Finishing(why_over(state) or "stopped"))
            bundle = _finish(model, validation, rows, state, out, on_event)
    if not over:
        kept = (
            f"; the best epoch so far, {state.best_epoch}, is in {out}" if state.best_epoch else ""
        )
        raise Interrupted(
            f"stopped in epoch {state.epoch + 1} after {state.step} steps, which are saved{kept}",
            "Go on with the same command and --resume.",
            stop.signal_number or 2,
        )
    return bundle


def _read_photos(
    rows: _Rows, out: Path, settings: Resolved, workers: int | None, on_event: OnEvent
) -> tuple[Feed, ValidationSet]:
    chosen = architecture(settings.arch)
    wanted = rows.samples.take(rows.train + rows.val)
    crops, failed = cache_crops(
        wanted.paths,
        chosen.geometry,
        folder=out,
        workers=workers,
        on_progress=lambda done, total: on_event(Reading(done, total)),
    )
    if failed:
        path, why = failed[0]
        raise DataError(
            f"{len(failed):,} photos cannot be used any more, the first is {path}: {why}",
            "Run facegender prepare again.",
        )
    cut = len(rows.train)
    labels = wanted.labels
    weights = balanced_weights(labels[:cut]) if chosen.recipe.class_weights else None
    feed = Feed(
        crops[:cut], labels[:cut], settings.batch_size, settings.seed, settings.augment, weights
    )
    return feed, ValidationSet(crops[cut:], labels[cut:])


def _ready_model(settings: Resolved, feed: Feed) -> Any:
    """Build, initialise and compile; afterwards every variable that training changes exists."""
    model = build(settings.arch, seed=settings.seed)
    if settings.init is not None:
        initial = load_bundle(Path(settings.init))
        if initial.arch != settings.arch:
            raise FaceGenderError(
                f"{settings.init} holds the network {initial.arch!r}, not {settings.arch!r}",
                "Choose --arch to match, or leave --init out.",
            )
        model.set_weights(initial.load_keras().get_weights())
    recipe = architecture(settings.arch).recipe
    compile_for_training(model, recipe, lr=settings.lr, steps=feed.steps * settings.epochs)
    model.optimizer.build(model.trainable_variables)
    return model


def _finish(
    model: Any,
    validation: ValidationSet,
    rows: _Rows,
    state: State,
    out: Path,
    on_event: OnEvent,
) -> Bundle:
    """Calibrate, convert, check and save the best weights."""
    began = time.perf_counter()
    restore_best(out, model)
    keras_answers = run_network(KerasNetwork(model), validation.crops)
    temperature = 1.0
    if rows.validated_on == "val":
        temperature = fit_temperature(keras_answers, validation.labels)
        fold_temperature(model, temperature)
        keras_answers = run_network(KerasNetwork(model), validation.crops)
    contents = {KERAS: _keras_bytes(model)}
    twin = convert_twin(model)
    checked = validation.crops[:TWIN_CHECKS]
    difference, flips = compare(
        keras_answers[:TWIN_CHECKS], run_network(LiteRtNetwork(twin), checked)
    )
    if difference < 1e-3 and not flips:
        contents[TWIN] = twin
    else:
        on_event(
            Warn(
                f"the LiteRT twin differs by {difference:.2g} and flips {flips} photos: it is left "
                "out, and predict will need TensorFlow for this model"
            )
        )
    loss, accuracy = loss_and_accuracy(keras_answers, validation.labels)
    facts = _facts(rows, state, temperature)
    facts["training"]["finishing_seconds"] = round(time.perf_counter() - began, 1)
    facts["metrics"] = {
        "validated_on": rows.validated_on,
        "photos": len(rows.val),
        "accuracy": accuracy,
        "log_loss": loss,
        "twin_difference": difference,
        "twin_flips": flips,
    }
    contents |= card_and_history(facts, state)
    return save_bundle(out, contents, facts)


def _keras_bytes(model: Any) -> bytes:
    """The model as a .keras file; the optimizer's state stays in ``last/``."""
    from facegender.backend import import_keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        bare = import_keras().Model(model.inputs, model.outputs, name=model.name)
        bare.save(path)
        return path.read_bytes()


def _facts(rows: _Rows, state: State, temperature: float) -> dict[str, Any]:
    """What the manifest says beside its files and metrics."""
    settings, samples = state.settings, rows.samples
    counts = {split: Counter(samples.labels[samples.rows_of(split)].tolist()) for split in SPLITS}
    return {
        "arch": settings.arch,
        "crop": architecture(settings.arch).geometry.to_json(),
        "threshold": DEFAULT_THRESHOLD,
        "temperature": temperature,
        "training": {
            **settings.to_json(),
            "finished": why_over(state) or "no, it was interrupted",
            "epochs_done": state.epoch,
            "best_epoch": state.best_epoch,
            "seconds": round(state.seconds, 1),
        },
        "data": {
            "csv": str(rows.csv),
            "fingerprint": rows.fingerprint,
            "splits": {s: {n: c[i] for i, n in enumerate(LABELS)} for s, c in counts.items()},
        },
        "versions": {
            "facegender": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        },
    }
