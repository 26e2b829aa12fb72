"""The end of a training: calibrate, convert, check and describe the best weights."""

from __future__ import annotations

import hashlib
import io
import platform
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from facegender._version import __version__
from facegender.dataset.samples import SPLITS
from facegender.errors import BundleError
from facegender.faces.backends import default_backend
from facegender.faces.crop_cache import Crops
from facegender.labels import LABELS
from facegender.models.architectures import architecture, mirrored
from facegender.models.bundle import (
    CARD,
    DEFAULT_THRESHOLD,
    KERAS,
    LITERT,
    load_bundle,
)
from facegender.models.card import render_card
from facegender.models.inference import (
    TOLERANCE,
    KerasNetwork,
    LiteRtNetwork,
    Probabilities,
    compare,
    run_network,
)
from facegender.models.litert_conversion import convert_to_litert
from facegender.training.calibration import fit_temperature, fold_temperature
from facegender.training.events import OnEvent, Warn
from facegender.training.fit import ValidationSet, loss_and_accuracy, why_over
from facegender.training.history import history_files
from facegender.training.photos import TrainingPhotos
from facegender.training.rows import Rows
from facegender.training.start import TrainingStart, open_start
from facegender.training.state import State, restore_best
from facegender.training.weight_averaging import average_weights, keep_better

LITERT_CHECKS = 2000
"""Number of validation crops on which the LiteRT and the Keras model must agree."""
INT8_FLIPS = 0.01
"""Maximum share of answers that 8-bit numbers may change, where they were asked for."""
INT8_CALIBRATION = 500
"""Number of training crops from which the ranges of 8-bit numbers are taken."""


def finish(
    model: Any,
    photos: TrainingPhotos,
    rows: Rows,
    state: State,
    start: TrainingStart | None,
    out: Path,
    credit: str,
    on_event: OnEvent,
    ended: Sequence[Any],
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Choose the weights of a finished training, mix in the start, calibrate, convert and check.

    The best weights by validation loss are kept, or those of the last epoch, `ended`, where these
    are better after calibration. Nothing is written: a stop here costs nothing but time.

    Returns:
        the contents of the model folder and the facts of its manifest, for `save_bundle`.
    """
    began = time.perf_counter()
    validation = photos.validation
    calibrates = rows.validated_on == "val"  # test rows used for validation only choose the epoch
    restore_best(out, model)
    if architecture(state.settings.arch).recipe.mirrored:
        model = mirrored(model)
    temperature, share, best = 1.0, 0.0, state.best_epoch
    int8 = state.settings.int8
    if calibrates and best != state.epoch and keep_better(model, ended, validation):
        best = state.epoch
    share = _mix_in_start(model, state, start, validation, on_event, chooses=calibrates)
    if int8:
        round_to_half(model)
    answers = run_network(KerasNetwork(model), validation.crops)
    if calibrates:
        temperature = fit_temperature(answers, validation.labels)
        fold_temperature(model, temperature)
        answers = run_network(KerasNetwork(model), validation.crops)
    ranges = _calibration_crops(photos) if int8 else None
    litert, agreement = _litert(model, validation, answers, ranges, on_event)
    facts = {"fingerprint": model_fingerprint(model), **_facts(rows, photos, state, temperature)}
    facts["training"] |= {"best_epoch": best, "share_of_start": share}
    if credit:
        facts["credit"] = credit
    facts |= _kept_facts(out, facts["fingerprint"], credit)
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
        KERAS: keras_bytes(model, packed=int8),
        **litert,
        CARD: render_card(facts).encode(),
        **history_files(state.history),
    }
    return contents, facts


def _kept_facts(out: Path, fingerprint: str, credit: str) -> dict[str, Any]:
    """What `eval --record` and an earlier command said of a model with these very weights."""
    try:
        manifest = load_bundle(out).manifest
    except BundleError:
        return {}
    if manifest["fingerprint"] != fingerprint:
        return {}
    kept = ("evaluations",) if credit else ("evaluations", "credit")
    return {name: manifest[name] for name in kept if name in manifest}


def _litert(
    model: Any,
    validation: ValidationSet,
    answers: Probabilities,
    ranges: Crops | None,
    on_event: OnEvent,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Convert to LiteRT; return the file, or nothing if its answers differ, and the agreement.

    Args:
        model: the Keras model.
        validation: its first crops are compared.
        answers: of the Keras model to all of them.
        ranges: crops to calibrate 8-bit numbers with, None for a float model.
        on_event: called with a warning where the answers differ.
    """
    litert = convert_to_litert(model, ranges)
    checked = validation.crops[:LITERT_CHECKS]
    converted = run_network(LiteRtNetwork(litert), checked)
    difference, flips = compare(answers[: len(checked)], converted)
    agreement = {"twin_difference": difference, "twin_flips": flips}
    if ranges is None and difference < TOLERANCE and not flips:
        return {LITERT: litert}, agreement
    if ranges is not None and flips <= INT8_FLIPS * len(checked):
        agreement["twin_accuracy"] = loss_and_accuracy(
            converted, validation.labels[: len(checked)]
        )[1]
        return {LITERT: litert}, agreement
    on_event(
        Warn(
            f"the LiteRT model differs by {difference:.2g} and changes {flips} answers: it is left "
            "out, and predict will need TensorFlow for this model"
        )
    )
    return {}, agreement


def _calibration_crops(photos: TrainingPhotos) -> Crops:
    """Return training crops, always the same, from which the ranges of 8-bit numbers are taken."""
    rows = photos.batches.rows
    chosen = np.random.default_rng(0).permutation(rows)[:INT8_CALIBRATION]
    return np.asarray(photos.batches.crops[np.sort(chosen)])


def round_to_half(model: Any) -> None:
    """Round weights to half precision, so that `keras_bytes` can pack them to half the size.

    The rounding is a hundred times finer than that of 8-bit numbers.
    """
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])


def _mix_in_start(
    model: Any,
    state: State,
    start: TrainingStart | None,
    validation: ValidationSet,
    on_event: OnEvent,
    *,
    chooses: bool,
) -> float:
    """Mix in the given share of the initial weights, else the best one on the validation rows."""
    wanted = state.settings.start_share
    if wanted == 0 or (wanted is None and not chooses):
        return 0.0
    weights = _start_weights(state, start, on_event)
    return 0.0 if weights is None else average_weights(model, weights, validation, wanted)


def _start_weights(
    state: State, start: TrainingStart | None, on_event: OnEvent
) -> list[Any] | None:
    """The weights that training started from; None where they were random or are gone.

    A training that was resumed has no start at hand: it is read again.
    """
    if state.started_from is None:
        return None
    try:
        start = start or open_start(state.settings.init)
    except BundleError:
        start = None
    fingerprint = state.started_from["fingerprint"]
    if start is None or start.bundle is None or start.bundle.fingerprint != fingerprint:
        on_event(
            Warn(
                f"the model that training started from is not in {state.settings.init} any more: "
                "its weights are not mixed in"
            )
        )
        return None
    return start.weights


def keras_bytes(model: Any, *, packed: bool = False) -> bytes:
    """Return the model as a .keras file, without the optimizer's state.

    Args:
        model: the Keras model.
        packed: whether to compress it, which pays for weights in half precision.
    """
    from facegender.models.keras_backend import import_keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        bare = import_keras().Model(model.inputs, model.outputs, name=model.name)
        bare.save(path)
        return _packed(path) if packed else path.read_bytes()


def _packed(path: Path) -> bytes:
    content = io.BytesIO()
    with (
        zipfile.ZipFile(path) as plain,
        # Of zip's methods this packs rounded weights best: a fifth smaller than deflate.
        zipfile.ZipFile(content, "w", zipfile.ZIP_BZIP2) as small,
    ):
        for info in plain.infolist():
            small.writestr(info.filename, plain.read(info))
    return content.getvalue()


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
            "finished": why_over(state),
            "epochs_done": state.epoch,
            "seconds": round(state.seconds, 1),
            "taught_by": state.taught_by,
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
