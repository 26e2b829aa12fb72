"""Exporting a model for another engine, after running and comparing it there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facegender.errors import UsageError
from facegender.exporting.agreement import Agreement, Tolerances, agree, choose_limits
from facegender.exporting.formats import ExportSource, Format, choose_format
from facegender.exporting.manifest import MANIFEST, check_place, describe, list_files
from facegender.exporting.readme import render_readme
from facegender.exporting.samples import (
    CALIBRATED,
    COMPARED,
    MIN_CALIBRATION_CROPS,
    OnProgress,
    Photos,
    Sample,
    made_crops,
    split_sample,
    take_crops,
    too_few,
)
from facegender.exporting.snippets import EXAMPLE
from facegender.faces.crop_cache import Crops
from facegender.labels import LABELS
from facegender.models.bundle import CARD, Bundle, load_bundle
from facegender.models.default_model import choose_model
from facegender.models.inference import KerasNetwork, check_answers, run_network
from facegender.options import check_output_folder, check_workers
from facegender.runtime.files import errors_of, lock
from facegender.runtime.write_set import complete, write_set

MODEL_CARD = "MODEL_CARD.md"
README = "README.md"
EXAMPLES = 20
"""Synthetic pictures among which the example is chosen."""


@dataclass(frozen=True, slots=True)
class Export:
    """An exported model.

    Attributes:
        folder: its path.
        bundle: the model that it was made from.
        agreement: how well it agrees with that model.
        facts: the content of its export.json.
    """

    folder: Path
    bundle: Bundle
    agreement: Agreement
    facts: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract: export.json and the folder."""
        source = {**self.facts["source"], "path": str(self.bundle.folder)}
        return {**self.facts, "source": source, "path": str(self.folder)}


def export(
    format: str,
    out: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    int8: bool = False,
    photos: Photos | None = None,
    calibrate: Photos | None = None,
    max_difference: float | None = None,
    max_flips: float | None = None,
    force: bool = False,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Export:
    """Write a model for another engine, with everything needed to run it there.

    Before the folder is created, the engine runs the export and its probabilities are compared
    with the Keras model's. An export that disagrees is refused.

    Args:
        format: one of `choices.ExportFormat`.
        out: the folder to create.
        model: as for `Predictor`.
        int8: quantise weights and activations to 8 bits; ``litert`` only.
        photos: a faces.csv, or photos, of which up to 200 faces are compared. None means those
            of `calibrate` that are not used for calibration, else synthetic pictures.
        calibrate: the same, for the ranges of an int8 model. With `photos` alone the network is
            the one that `predict` runs, where that is in 8 bits (`train --int8`).
        max_difference, max_flips: maximum difference of int8 in probability, and maximum share
            of faces whose label may change; see `agreement`.
        force: replace an older export. Nothing else is ever replaced.
        workers: processes that read photos; None means one per core.
        on_progress: called with (faces found, faces wanted).
        on_step: called with a description of each step.

    Raises:
        UsageError: an unknown format, or options that contradict each other.
        BundleError: the model is missing, damaged or incompatible.
        DataError: no face in the photos.
        FaceGenderError: packages are missing, `out` exists or cannot be written, or the
            export does not agree with the model.
    """
    form = choose_format(format, int8=int8)
    limits = choose_limits(int8, max_difference, max_flips)
    if calibrate is not None and not int8:
        raise UsageError("--calibrate is for --int8", "Compare on photos with --photos.")
    check_workers(workers)
    check_output_folder("--output", out, parents=False)
    form.check_installed()
    bundle = load_bundle(choose_model(model)[0])
    if int8 and calibrate is None and (photos is None or not bundle.predicts_in_8_bits):
        option = "--photos" if bundle.predicts_in_8_bits else "--calibrate"
        raise UsageError("--int8 needs photos of faces", f"Name some with {option}.")
    with _place(Path(out), force=force) as folder:
        sample, calibration = _samples(bundle, photos, calibrate, workers, on_progress)
        if on_step is not None:
            on_step(f"Converting to {form.name}, and comparing on {len(sample.crops)} crops")
        source = ExportSource(bundle, bundle.load_keras(), int8, calibration)
        agreement, example = _convert(form, source, folder, sample, limits)
        facts = {**describe(bundle, form, int8=int8), "example": example}
        facts["comparison"] = agreement.to_json()
        facts["calibration"] = None if calibration is None else {"crops": len(calibration)}
        (folder / README).write_text(render_readme(facts), "utf-8")
        if CARD in bundle.files:
            (folder / MODEL_CARD).write_bytes(bundle.files[CARD].read_bytes())
        facts["files"] = list_files(folder)
        text = json.dumps(facts, indent=2, allow_nan=False) + "\n"
        (folder / MANIFEST).write_text(text, "utf-8")
    return Export(Path(out), bundle, agreement, facts)


@contextmanager
def _place(out: Path, *, force: bool) -> Iterator[Path]:
    """Yield a folder whose content becomes that of `out` when the block succeeds."""
    made = not out.exists()
    if not out.is_dir():
        check_place(out, force=force)
        with errors_of(out):
            out.mkdir()
    try:
        with lock(out, "export"):
            complete(out / MANIFEST)
            check_place(out, force=force)
            with write_set(out / MANIFEST) as new:
                yield new
                check_place(out, force=force)  # the block may take minutes
    finally:
        if made:
            with suppress(OSError):  # it is not empty: the export is there
                out.rmdir()


def _samples(
    bundle: Bundle,
    photos: Photos | None,
    calibrate: Photos | None,
    workers: int | None,
    on_progress: OnProgress | None,
) -> tuple[Sample, Crops | None]:
    """Return the crops to compare on and those to calibrate with; no crop is in both."""

    def take(source: Photos, wanted: int, without: Crops | None = None) -> Sample:
        return take_crops(
            source, bundle, wanted, without=without, workers=workers, on_progress=on_progress
        )

    if calibrate is None:
        return made_crops(bundle.geometry) if photos is None else take(photos, COMPARED), None
    if photos is None:
        return split_sample(take(calibrate, COMPARED + CALIBRATED))
    sample = take(photos, COMPARED)
    calibration = take(calibrate, CALIBRATED, sample.crops).crops
    if len(calibration) < MIN_CALIBRATION_CROPS:
        raise too_few(len(calibration), MIN_CALIBRATION_CROPS)
    return sample, calibration


def _convert(
    form: Format,
    source: ExportSource,
    folder: Path,
    sample: Sample,
    limits: Tolerances,
) -> tuple[Agreement, dict[str, Any]]:
    """Write the model, run it with its engine and compare; also return an example and its answer.

    Raises:
        FaceGenderError: the export does not agree with the model.
    """
    made = made_crops(source.bundle.geometry, EXAMPLES).crops
    crops = np.concatenate([sample.crops, made, made[..., ::-1]])
    ours = run_network(KerasNetwork(source.keras), crops)
    check_answers(source.bundle, ours)
    network = form.make(source, folder / form.file)
    theirs = run_network(network, crops)
    number = len(sample.crops)
    agreement = agree(sample, ours[:number], theirs[:number], limits)
    agreement.check()
    answers, exchanged = theirs[number:-EXAMPLES], theirs[-EXAMPLES:]
    # The crop that changes most when red and blue are swapped: the most common mistake.
    chosen = int(np.abs(answers - exchanged).max(axis=1).argmax())
    Image.fromarray(made[chosen]).save(folder / EXAMPLE)
    probabilities = {name: float(p) for name, p in zip(LABELS, answers[chosen], strict=True)}
    return agreement, {"file": EXAMPLE, "probabilities": probabilities}
