"""labels.csv -> samples: the faces that people called female or male, and the rest, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facegender.dataset.review_labels import (
    CHOSEN,
    NOT_FACE,
    UNTELLABLE,
    Box,
    ReviewLabel,
    agreed_labels,
    format_box,
    read_review_labels,
)
from facegender.dataset.samples import Samples
from facegender.dataset.table import PATH_WORDS, read_rows
from facegender.errors import DataError
from facegender.images.footage import is_video_name
from facegender.labels import LABELS

PHOTO = "photo"
BOX = "box"
"""Columns of the samples: the photo of a face, and its place there."""


@dataclass(slots=True)
class Reviewed:
    """What labels.csv says, a face a row.

    Attributes:
        samples: faces called female or male; `BOX` is among the attributes, and ``stratum`` and
            ``sample`` where the file has them.
        not_faces: (path, box) of what was called no face.
        untellable: faces of which nobody could tell, or on which people could not agree.
        split: how many of these people could not agree on.
        left_out: faces that were chosen for their probabilities, beside a random sample.
        chosen: all faces were chosen so.
        unequal: the faces' probabilities of inclusion differ.
        of_videos: faces in videos, which are left out: they are no photos.
    """

    samples: Samples
    not_faces: list[tuple[str, Box]] = field(default_factory=list)
    untellable: int = 0
    split: int = 0
    left_out: int = 0
    chosen: bool = False
    unequal: bool = False
    of_videos: int = 0


def is_reviewed(file: Path) -> bool:
    """Tell whether a table is a labels.csv: of faces with a box, and not yet split."""
    try:
        header, _ = read_rows(file)
    except DataError:
        return False
    words = {name.casefold() for name in header or []}
    return {BOX, "label"} <= words and bool(words & set(PATH_WORDS)) and "split" not in words


def read_reviewed(file: Path, roots: Sequence[Path] = (), *, sampled: bool = False) -> Reviewed:
    """Read labels.csv; of several annotators' answers see `agreed_labels`.

    Args:
        file: the labels.
        roots: further folders that paths may be relative to.
        sampled: of a file with a random sample, take that alone: the faces that were chosen for
            their probabilities beside it would make a model look better or worse than it is.

    Raises:
        DataError: as `read_review_labels`, or no face is called female or male.
    """
    agreed, split = agreed_labels(read_review_labels(file, roots))
    framed = [label for label in agreed if label.box is not None]
    faces = [label for label in framed if not is_video_name(label.path)]
    drawn = [label for label in faces if label.sample != CHOSEN]
    of_videos = len(framed) - len(faces)
    left_out = len(faces) - len(drawn) if sampled and drawn else 0
    if left_out:
        faces = drawn
    kept = [label for label in faces if label.label in LABELS]
    if not kept:
        if of_videos:
            raise DataError(
                f"{file} only labels faces in videos, which are not photos",
                "Count with them: facegender count ANSWERS --labels LABELS",
            )
        raise DataError(f"{file} calls no face female or male", "Review some: facegender review")
    probabilities = {round(p, 9) for label in kept if (p := label.probability) is not None}
    return Reviewed(
        _samples(kept),
        [(label.path, label.box) for label in faces if label.label == NOT_FACE and label.box],
        sum(label.label == UNTELLABLE for label in faces),
        sum(label in faces for label in split),
        left_out,
        chosen=not drawn,
        unequal=len(probabilities) > 1,
        of_videos=of_videos,
    )


def _samples(labels: list[ReviewLabel]) -> Samples:
    attributes = {BOX: [format_box(label.box) for label in labels]}
    for name in ("sample", "stratum"):
        values = [str(getattr(label, name)) for label in labels]
        if any(values):
            attributes[name] = values
    count = len(labels)
    return Samples(
        [label.path for label in labels],
        np.array([LABELS.index(label.label) for label in labels], np.int8),
        [""] * count,
        [""] * count,
        attributes,
    )
