"""What `predict` wrote -> the photos and faces that can be looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegender.dataset.review_labels import Box
from facegender.dataset.table import path_resolver, read_rows
from facegender.errors import DataError, UsageError
from facegender.labels import LABELS
from facegender.prediction.answers import best_boxes, open_answers
from facegender.review.track_pictures import Moment, moments_of

FOLDER = "folder"
_CSV = ("path", "error", "x", "y", "width", "height", *LABELS)
_EXPECTED = (
    "Expected what `facegender predict` writes with --json, --jsonl or --csv, a folder of photos, "
    "or a faces.csv."
)


@dataclass(frozen=True, slots=True)
class AnsweredFace:
    """A face that the model gave an answer for.

    Attributes:
        photo: number of its photo.
        box: x, y, width, height in pixels of the upright photo.
        p_male: probability of male, 0 to 1.
        label: 0 = female, 1 = male as a table says; None where there is no table.
    """

    photo: int
    box: Box
    p_male: float
    label: int | None = None


@dataclass(slots=True)
class Answers:
    """A model's answers for photos.

    Attributes:
        photos: absolute paths of the photos that were read, those without a face included.
        faces: of all photos.
        model: fingerprint of the model, "" where the file does not say.
        columns: name -> a value a photo, to draw by.
        moments: of the tracks of videos, by path and box: where they are shown, the best first.
    """

    photos: list[str] = field(default_factory=list)
    faces: list[AnsweredFace] = field(default_factory=list)
    model: str = ""
    columns: dict[str, list[str]] = field(default_factory=dict)
    moments: dict[tuple[str, Box], tuple[Moment, ...]] = field(default_factory=dict)

    @property
    def videos(self) -> bool:
        """Whether videos are among the photos; each of their tracks is a face, seen at its best."""
        return bool(self.moments)


def is_predict_csv(file: Path) -> bool:
    """Tell whether a CSV is `predict`'s, and not a table of labelled photos."""
    header, _ = read_rows(file)
    return header is not None and set(_CSV) <= set(header)


def read_answers(file: Path) -> Answers:
    """Read what `predict` wrote: JSON, JSON lines, CSV or Parquet.

    Paths are taken relative to the current folder, as `predict` took them, then to the file's.
    Photos that could not be read and photos that come again are left out, and so are videos in a
    CSV, which does not say where a track is seen best.

    Raises:
        DataError: it cannot be read, is none of these, or holds nothing that can be shown.
    """
    answers, found, unseen = open_answers(file), Answers(), False
    resolve = path_resolver([Path.cwd(), file.parent])
    seen: set[str] = set()
    for photo in answers:
        video = "faces" not in photo
        every = photo.get("tracks") or ()
        shown = zip(every, best_boxes(every), strict=True)
        tracks = [(track, best) for track, best in shown if best and moments_of(track)]
        if not photo["path"] or (not tracks if video else photo.get("error")):
            unseen = unseen or bool(photo.get("tracks"))
            continue
        path = os.path.abspath(resolve(photo["path"]))
        if path in seen:
            continue
        seen.add(path)
        number = len(found.photos)
        found.photos.append(path)
        for track, best in tracks:
            box = _box(file, best)
            found.moments[path, box] = moments_of(track)
            found.faces.append(AnsweredFace(number, box, _p_male(track)))
        for face in photo.get("faces", ()):
            found.faces.append(AnsweredFace(number, _box(file, face["box"]), _p_male(face)))
    if unseen and not found.faces:
        raise DataError(
            f"{file} does not say where in its videos the faces are seen",
            "CSV has no place for it: predict the videos with --output answers.jsonl.",
        )
    if not found.photos:
        raise DataError(f"{file} holds no photo that could be read", _EXPECTED)
    found.model = str((answers.head.get("model") or {}).get("fingerprint") or "")
    return found


def _p_male(face: dict[str, Any]) -> float:
    return float(face["probabilities"]["male"])


def _box(file: Path, sides: list[Any]) -> Box:
    try:
        x, y, width, height = (float(side) for side in sides)
    except (TypeError, ValueError):
        width = height = 0.0
    if not (width > 0 and height > 0):
        raise DataError(f"{file} holds the box {sides}", _EXPECTED)
    return x, y, width, height


def strata_of(answers: Answers, by: str | None) -> list[str]:
    """Return the stratum of each photo: its folder, or its value in a column; "" without `by`.

    Raises:
        UsageError: no such column.
    """
    if by is None:
        return [""] * len(answers.photos)
    if by == FOLDER:
        folders = [os.path.dirname(path) for path in answers.photos]
        base = os.path.commonpath(folders) if folders else ""
        return [os.path.relpath(folder, base) for folder in folders]
    for name, values in answers.columns.items():
        if name.casefold() == by.casefold():
            return values
    known = ", ".join([FOLDER, *answers.columns])
    raise UsageError(f"there is no column {by!r}, only {known}", "--attributes FILE adds columns.")
