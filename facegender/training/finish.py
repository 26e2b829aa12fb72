"""The end of a training: calibrate, convert, check, describe and save the best weights."""

from __future__ import annotations

import hashlib
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from facegender._version import __version__
from facegender.dataset.samples import SPLITS
from facegender.errors import BundleError
from facegender.faces.backends import default_backend
from facegender.labels import LABELS
from facegender.models.architectures import architecture, mirrored
from facegender.models.bundle import (
    CARD,
    DEFAULT_THRESHOLD,
    HISTORY,
    KERAS,
    LITERT,
    Bundle,
    save_bundle,
)
from facegender.models.card import render_card
from facegender.models.inference import (
    TOLERANCE,
    KerasNetwork,
    LiteRtNetwork,
    Probabilities,
    compare,
    convert_to_litert,
    run_network,
)
from facegender.training.calibration import fit_temperature, fold_temperature
from facegender.training.events import OnEvent, Warn
from facegender.training.fit import ValidationSet, loss_and_accuracy, why_over
from facegender.training.history import history_csv
from facegender.training.photos import TrainingPhotos, initial_bundle
from facegender.training.rows import Rows
from facegender.training.state import State, restore_best
from facegender.training.weight_averaging import average_weights, keep_better

LITERT_CHECKS = 2000
"""Number of validation crops on which the LiteRT and the Keras model must agree."""


def finish(
    model: Any,
    photos: TrainingPhotos,
    rows: Rows,
    state: State,
    out: Path,
    credit: str,
    on_event: OnEvent,
    ended: Sequence[Any] = (),
) -> Bundle:
    """Choose the weights, average them with the initial ones, calibrate, convert, check and save.

    The weights with the lowest validation loss are kept, or those of the last epoch, `ended`, if a
    finished training is better with them after calibration.
    """
    began = time.perf_counter()
    validation = photos.validation
    calibrates = rows.validated_on == "val"  # test rows used for validation only choose the epoch
    restore_best(out, model)
    if architecture(state.settings.arch).recipe.mirrored:
        model = mirrored(model)
    temperature, share, best = 1.0, 0.0, state.best_epoch
    # Not if training was stopped: it continues from unmixed weights, and the user is waiting.
    if why_over(state):
        if calibrates and ended and best != state.epoch and keep_better(model, ended, validation):
            best = state.epoch
        share = _mix_in_start(model, state, validation, on_event, chooses=calibrates)
    answers = run_network(KerasNetwork(model), validation.crops)
    if calibrates:
        temperature = fit_temperature(answers, validation.labels)
        fold_temperature(model, temperature)
        answers = run_network(KerasNetwork(model), validation.crops)
    twin, agreement = _twin(model, validation, answers, on_event)
    facts = {"fingerprint": model_fingerprint(model), **_facts(rows, photos, state, temperature)}
    facts["training"] |= {"best_epoch": best, "share_of_start": share}
    if credit:
        facts["credit"] = credit
    facts["training"]["finishing_seconds"] = round(time.perf_counter() - began, 1)
    loss, accuracy = loss_and_accuracy(answers, validation.labels)
    facts["metrics"] = {
        "validated_on": rows.validated_on,
        "photos": len(validation.labels),
        "accuracy": accuracy,
        "log_loss": loss,
        **agreement,
    }
    contents = {
        KERAS: keras_bytes(model),
        **twin,
        CARD: render_card(facts).encode(),
        HISTORY: history_csv(state.history).encode(),
    }
    return save_bundle(out, contents, facts)


def _twin(
    model: Any, validation: ValidationSet, answers: Probabilities, on_event: OnEvent
) -> tuple[dict[str, bytes], dict[str, float]]:
    """Convert to LiteRT; return the file, or nothing if its answers differ, and the agreement."""
    twin = convert_to_litert(model)
    twins = run_network(LiteRtNetwork(twin), validation.crops[:LITERT_CHECKS])
    difference, flips = compare(answers[:LITERT_CHECKS], twins)
    agreement = {"twin_difference": difference, "twin_flips": flips}
    if difference < TOLERANCE and not flips:
        return {LITERT: twin}, agreement
    on_event(
        Warn(
            f"the LiteRT model differs by {difference:.2g} and changes {flips} answers: it is left "
            "out, and predict will need TensorFlow for this model"
        )
    )
    return {}, agreement


def _mix_in_start(
    model: Any, state: State, validation: ValidationSet, on_event: OnEvent, *, chooses: bool
) -> float:
    """Mix in the given share of the initial weights, else the best one on the validation rows."""
    wanted = state.settings.start_share
    if wanted == 0 or (wanted is None and not chooses):
        return 0.0
    start = _start(state, on_event)
    return 0.0 if start is None else average_weights(model, start, validation, wanted)


def _start(state: State, on_event: OnEvent) -> list[Any] | None:
    """Return the weights that training started from; None if random or no longer there."""
    if state.started_from is None:
        return None
    try:
        bundle = initial_bundle(state.settings.init)
    except BundleError:
        bundle = None
    if bundle is None or bundle.fingerprint != state.started_from["fingerprint"]:
        on_event(
            Warn(
                f"the model that training started from is not in {state.settings.init} any more: "
                "its weights are not mixed in"
            )
        )
        return None
    return list(bundle.load_keras().get_weights())


def keras_bytes(model: Any) -> bytes:
    """Return the model as a .keras file, without the optimizer's state."""
    from facegender.models.keras_backend import import_keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        bare = import_keras().Model(model.inputs, model.outputs, name=model.name)
        bare.save(path)
        return path.read_bytes()


def model_fingerprint(model: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of the weights; .keras files contain times."""
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(weights.tobytes())
    return digest.hexdigest()[:16]


def _facts(rows: Rows, photos: TrainingPhotos, state: State, temperature: float) -> dict[str, Any]:
    """Return the entries of the manifest other than files and metrics."""
    settings, samples = state.settings, rows.samples
    counts = {split: Counter(samples.labels[samples.rows_of(split)].tolist()) for split in SPLITS}
    return {
        "arch": settings.arch,
        "crop": photos.geometry.to_json(),
        "finder": default_backend() if photos.geometry.finds and rows.crop is None else None,
        "threshold": DEFAULT_THRESHOLD,
        "temperature": temperature,
        "training": {
            **settings.to_json(),
            "started_from": state.started_from,
            "finished": why_over(state) or "no, it was interrupted",
            "epochs_done": state.epoch,
            "seconds": round(state.seconds, 1),
        },
        "data": {
            "csv": str(rows.csv),
            "fingerprint": rows.fingerprint,
            "left_out": rows.skipped,
            "no_face": {"train": photos.no_face[0], rows.validated_on: photos.no_face[1]},
            "splits": {s: {n: c[i] for i, n in enumerate(LABELS)} for s, c in counts.items()},
        },
        "versions": {
            "facegender": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        },
    }
