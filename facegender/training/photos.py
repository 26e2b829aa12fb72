"""Cropping the rows of faces.csv for training and validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.samples import Samples
from facegender.errors import DataError, FaceGenderError, UsageError
from facegender.faces.crop_cache import CropSource
from facegender.faces.detection import AsCropped, detector_for
from facegender.faces.extraction import cache_crops
from facegender.faces.geometry import Geometry, parse_size
from facegender.models.architectures import architecture
from facegender.training.also import read_tasks
from facegender.training.batches import Batches, balanced_weights
from facegender.training.doubt import read_doubts
from facegender.training.events import OnEvent, Reading, Warn
from facegender.training.fit import ValidationSet
from facegender.training.rows import Rows
from facegender.training.settings import Resolved


@dataclass(frozen=True, slots=True)
class TrainingPhotos:
    """The data of a training.

    Attributes:
        train_batches: batches of training crops.
        validation: crops that choose the best epoch.
        geometry: of all crops, and of the trained model.
        no_face: training and validation rows left out because no face was found.
    """

    batches: Batches
    validation: ValidationSet
    geometry: Geometry
    no_face: tuple[int, int]


def choose_geometry(rows: Rows, settings: Resolved, start: Geometry | None) -> Geometry:
    """Return the crop to train on: the table's, else the one asked for, else the start's.

    Args:
        rows: what to learn from.
        settings: what was asked for.
        start: that of the model that training starts from, None for random weights, which take
            the network's own.

    Raises:
        DataError: the table's photos were cropped to something that the network does not take.
        UsageError: a kind or a size that the table's photos do not have.
    """
    network = architecture(settings.arch)
    usual = network.geometry
    size = parse_size(settings.size) if settings.size is not None else None
    if rows.crop is None:
        chosen = Geometry(settings.crop or usual.kind, usual.width, usual.height)
        if settings.crop is None and start is not None:
            chosen = start
        chosen = replace(chosen, width=(size or chosen.size)[0], height=(size or chosen.size)[1])
        network.check_size(chosen.size)
        return chosen
    cropped = Geometry.from_json(rows.crop)
    try:
        network.check_size(cropped.size)
    except UsageError as error:
        raise DataError(
            f"the photos of {rows.csv} were cropped to {cropped.width}x{cropped.height}, which "
            f"{settings.arch} does not take",
            f"Crop them with --size {usual.width}x{usual.height} --align box, or train on the "
            "original photos.",
        ) from error
    if size not in (None, cropped.size):
        raise UsageError(
            f"--size {settings.size}: the photos of {rows.csv} were cropped to "
            f"{cropped.width}x{cropped.height}",
            "Leave --size out, or train on the original photos.",
        )
    if settings.crop not in (None, cropped.kind):
        raise UsageError(
            f"--crop-kind {settings.crop}: the photos of {rows.csv} were cropped by {cropped.kind}",
            "Leave --crop-kind out, or train on the original photos.",
        )
    return cropped


def read_photos(
    rows: Rows,
    geometry: Geometry,
    out: Path,
    settings: Resolved,
    workers: int | None,
    on_event: OnEvent,
) -> TrainingPhotos:
    """Detect and crop the largest face of every row.

    Rows without a face are left out, counted and reported.

    Raises:
        DataError: a photo that cannot be read any more, or too few faces.
    """
    wanted = rows.samples.take(np.concatenate([rows.train, rows.val]))
    crops, failed = cache_crops(
        wanted.paths,
        geometry,
        detector=detector_for(geometry) if rows.crop is None else AsCropped(geometry.size),
        folder=out,
        workers=workers,
        on_progress=lambda done, total: on_event(Reading(done, total)),
    )
    _refuse_broken(wanted, failed)
    cut, labels = len(rows.train), wanted.labels
    kept = np.ones(len(labels), bool)
    kept[[row for row, _ in failed]] = False
    no_face = int((~kept[:cut]).sum()), int((~kept[cut:]).sum())
    for part in (labels[:cut][kept[:cut]], labels[cut:][kept[cut:]]):
        if len(set(part.tolist())) < 2:
            raise FaceGenderError(
                f"too few faces were found: {len(failed):,} of {len(kept):,} photos have none",
                "If the photos are faces already, use --crop-kind photo.",
            )
    if failed:
        on_event(
            Warn(
                f"no face was found in {no_face[0]:,} training and {no_face[1]:,} validation "
                f"photos, the first is {wanted.paths[failed[0][0]]}; they are left out"
            )
        )
    # Rows are selected by index, so that crops are not copied from disk into memory.
    train, val = np.flatnonzero(kept[:cut]), cut + np.flatnonzero(kept[cut:])
    validation = ValidationSet(crops.take(val), labels[val])
    return TrainingPhotos(_batches(wanted, crops, train, settings), validation, geometry, no_face)


def _refuse_broken(samples: Samples, failed: Sequence[tuple[int, FaceGenderError | None]]) -> None:
    """Refuse photos that cannot be read; those without a face are no error.

    Raises:
        DataError: there is one.
    """
    broken = [(row, error) for row, error in failed if error is not None]
    if broken:
        row, error = broken[0]
        raise DataError(
            f"{len(broken):,} photos cannot be used any more, the first is {samples.paths[row]}: "
            f"{error}",
            "Run facegender prepare again.",
        )


def _batches(
    samples: Samples, crops: CropSource, train: NDArray[np.int64], settings: Resolved
) -> Batches:
    """Return the batches of the rows `train`."""
    weights = None
    if architecture(settings.arch).recipe.class_weights:
        weights = balanced_weights(samples.labels[train])
    return Batches(
        crops=crops,
        labels=samples.labels,
        rows=train,
        batch_size=settings.batch_size,
        seed=settings.seed,
        augment=settings.augment,
        degrade=settings.augment and settings.degrade,
        class_weights=weights,
        mixup=settings.mixup,
        tasks=tuple(read_tasks(samples, settings.also, train)),
        teacher_share=settings.teacher_share,
        doubts=read_doubts(samples, settings.doubt) if settings.doubt else None,
    )
