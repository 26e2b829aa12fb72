"""Judging a model on single faces that people looked at: the rows of labels.csv."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.choices import EvalSplit
from facegender.dataset.open_table import Table
from facegender.dataset.review_labels import Box, parse_box
from facegender.dataset.reviewed import BOX, Reviewed, is_reviewed, read_reviewed
from facegender.dataset.samples import Samples
from facegender.errors import UsageError
from facegender.faces.matching import match_boxes
from facegender.labels import MALE
from facegender.prediction.predictor import Predictor


@dataclass(frozen=True, slots=True)
class FacesJudged:
    """What `predict_reviewed` found.

    Attributes:
        p_male: float64 (n,), of the face that each row means, NaN where it was not found.
        no_face: rows whose face was not found.
        unreadable: rows whose photo cannot be read.
        false_faces: how many of the things that are no faces were taken for one.
    """

    p_male: NDArray[np.float64]
    no_face: int
    unreadable: int
    false_faces: int


@dataclass(frozen=True, slots=True)
class Framed:
    """A labels.csv as a table of single faces.

    Attributes:
        labels: what it says.
        table: its rows that are judged; their persons are the photos, since the faces of one photo
            are not independent.
    """

    labels: Reviewed
    table: Table


def read_framed(csv: str | os.PathLike[str] | Table, split: str, stress: bool) -> Framed | None:
    """Open a labels.csv to be judged on; None for a table of photos.

    Raises:
        UsageError: something was asked for that needs a table of photos.
        DataError: as `read_reviewed`.
    """
    if isinstance(csv, Table):
        return None
    csv = Path(csv)
    if not is_reviewed(csv):
        return None
    if split not in (EvalSplit.TEST, EvalSplit.ALL):
        raise UsageError(f"{csv} has no splits", "Leave --split out.")
    if stress:
        raise UsageError(
            f"--stress judges the largest face of each photo, {csv} frames single faces",
            f"Make crops of them first: facegender prepare --labels {csv}",
        )
    labels = read_reviewed(csv, sampled=True)
    labels.samples.persons = list(labels.samples.paths)
    return Framed(labels, Table(csv, labels.samples, sidecar=None, crop=None))


def predict_reviewed(
    predictor: Predictor,
    samples: Samples,
    not_faces: list[tuple[str, Box]],
    on_progress: Callable[[int, int], None] | None,
) -> FacesJudged:
    """Predict the photos of some faces, each once, and take the faces that overlap their boxes.

    Args:
        predictor: the model.
        samples: faces called female or male, with a column `BOX`.
        not_faces: (path, box) of things that are no faces.
        on_progress: called with (photos done, photos in all).
    """
    wanted: dict[str, list[tuple[int, Box]]] = {}
    for row, (path, text) in enumerate(zip(samples.paths, samples.attributes[BOX], strict=True)):
        box = parse_box(text)
        if box is not None:
            wanted.setdefault(path, []).append((row, box))
    for path, box in not_faces:
        wanted.setdefault(path, []).append((-1, box))
    p_male = np.full(len(samples), np.nan)
    no_face = unreadable = false_faces = 0
    for number, prediction in enumerate(predictor.stream(wanted), start=1):
        rows = wanted[prediction.path or ""]
        faces = [answer.face for answer in prediction.faces]
        for (row, _), place in zip(rows, match_boxes([b for _, b in rows], faces), strict=True):
            if row < 0:
                false_faces += place is not None
            elif place is not None:
                p_male[row] = prediction.faces[place].probabilities[MALE]
            elif prediction.error is None:
                no_face += 1
            else:
                unreadable += 1
        if on_progress is not None:
            on_progress(number, len(wanted))
    return FacesJudged(np.clip(p_male, 0, 1), no_face, unreadable, false_faces)


def describe_reviewed(reviewed: Reviewed, false_faces: int, photos: int) -> dict[str, Any]:
    """Return what people said beside female and male, for JSON.

    Returns:
        ``photos`` of the faces judged; ``not_face``, how many things were called no face, and
        ``taken_for_faces``, how many of them this model's detector takes for one; ``untellable``,
        of which ``disagreed`` for want of a majority; ``left_out``, see `Reviewed`.
    """
    return {
        "photos": photos,
        "not_face": len(reviewed.not_faces),
        "taken_for_faces": false_faces,
        "untellable": reviewed.untellable,
        "disagreed": reviewed.split,
        "left_out": reviewed.left_out,
    }


def warnings_of(reviewed: Reviewed) -> list[str]:
    """Say what a reader must know of how the faces were chosen."""
    found = []
    if reviewed.chosen:
        found.append(
            "these faces were chosen for the model's probabilities: the numbers say how it does on "
            "them, not on the archive"
        )
    if reviewed.left_out:
        found.append(
            f"{reviewed.left_out:,} faces that were chosen for the model's probabilities are left "
            "out, the random sample is judged alone"
        )
    if reviewed.of_videos:
        found.append(f"{reviewed.of_videos:,} faces in videos are left out: they are no photos")
    if reviewed.unequal:
        found.append(
            "the faces were drawn with different probabilities: the numbers are of these faces; "
            "count weighs them for the archive"
        )
    return found
