"""An archive's answers as columns, each photo's groups, and the labels that belong to them."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facegender.choices import Unit
from facegender.dataset.review_labels import Box, ReviewLabel
from facegender.errors import DataError, UsageError
from facegender.evaluation.photo_columns import (
    AttributeTable,
    Column,
    below_common,
    crossed,
    make_column,
)
from facegender.prediction.answers import best_boxes, open_answers

FOLDER: Final = "folder"
YEAR: Final = "year"
OVERLAP: Final = 0.5
"""Least intersection over union of two boxes that are of one face."""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Match:
    """A label and what it is about.

    Attributes:
        label: as the file has it.
        photo: number of its photo.
        unit: number of the answered face, -1 where no answer overlaps its box.
    """

    label: ReviewLabel
    photo: int
    unit: int


@dataclass(slots=True)
class Answered:
    """The answers of an archive; a unit is a face, or a track of a video.

    Attributes:
        photo: int32 (units,), the number of each unit's photo or video.
        female: float32 (units,), the model's probability of female.
        size: float64 (units,): 1 a face, its seconds on screen a track.
        photos: photos or videos that were answered, those without a face included.
        failed: photos with an error.
        repeated: photos that came again and were left out.
        video: the units are tracks.
        shown: the answers say where each unit is seen, so that it can be reviewed; a CSV does not
            say it of tracks.
        columns: what the photos are grouped by.
        persons: who is in each photo, where attributes say it.
        matches: the labels of these photos.
        model: fingerprint of the model, "" where the file does not say.
        complete: False where the run that answers an archive has not ended yet.
    """

    photo: NDArray[np.int32]
    female: NDArray[np.float32]
    size: NDArray[np.float64]
    photos: int
    failed: int
    repeated: int
    video: bool
    shown: bool
    columns: dict[str, Column]
    persons: Column | None
    matches: list[Match]
    model: str
    complete: bool = True


def read_answers(
    file: Path,
    *,
    by: Sequence[str] = (),
    attributes: Path | None = None,
    labels: Sequence[ReviewLabel] = (),
    labels_folder: Path | None = None,
    unit: str | None = None,
    on_progress: OnProgress | None = None,
) -> Answered:
    """Read what `predict` wrote, without holding more of a photo than numbers.

    Args:
        file: JSON, JSON lines, CSV or Parquet; ``-`` is standard input.
        by: ``folder``, ``year`` (a column of that name, else the year of EXIF) or columns of
            `attributes`; ``race,age`` crosses two.
        attributes: a CSV with a path column and others; ``person`` names who errs together.
        labels: one a face at most.
        labels_folder: what relative paths of labels may be relative to.
        unit: count photos only, or videos only; see `choices.Unit`. None takes what is there.
        on_progress: called with bytes read and bytes in all.

    Raises:
        DataError: a file cannot be read, is something else, or fits no photo.
        UsageError: `by` names a column that is nowhere.
    """
    table = None if attributes is None else AttributeTable(attributes, file.parent)
    names = list(dict.fromkeys(name.strip() for text in by for name in text.split(",")))
    for name in names:
        if name not in (FOLDER, YEAR) and (table is None or not table.has(name)):
            raise _unknown(name, table)
    reading = _Reading(file, labels, labels_folder or file.parent, unit)
    reading.wants_folder = FOLDER in names
    reading.wants_year = YEAR in names and (table is None or not table.has(YEAR))
    reading.read(on_progress)
    found = reading.finish()
    columns = reading.own_columns()
    if table is not None:
        rows = table.rows_of(reading.keys())
        columns |= {name: table.column(name, rows) for name in names if name not in columns}
        if table.has("person"):
            found.persons = table.column("person", rows)
    found.columns = {text: crossed([columns[n.strip()] for n in text.split(",")]) for text in by}
    return found


@dataclass(slots=True)
class _Reading:
    """Photos as they are read, in arrays."""

    file: Path
    labels: Sequence[ReviewLabel]
    labels_folder: Path
    unit: str | None = None
    wants_folder: bool = False
    wants_year: bool = False
    _photo: Any = field(default_factory=lambda: array("i"))
    _female: Any = field(default_factory=lambda: array("f"))
    _size: Any = field(default_factory=lambda: array("d"))
    _keys: Any = field(default_factory=lambda: array("q"))
    _folders: Any = field(default_factory=lambda: array("i"))
    _years: Any = field(default_factory=lambda: array("i"))
    _folder_names: dict[str, int] = field(default_factory=dict)
    _year_names: dict[str, int] = field(default_factory=dict)
    _failed: int = 0
    _repeated: int = 0
    _kinds: set[str] = field(default_factory=set)
    _shown: bool = False
    _matches: list[Match] = field(default_factory=list)
    _model: str = ""
    _complete: bool = True

    def read(self, on_progress: OnProgress | None) -> None:
        waiting = self._by_path()
        answers = open_answers(self.file)
        seen: set[int] = set()
        here = os.getcwd()  # asking a million times takes a second
        size = 0  # of a pipe nobody knows it
        for number, element in enumerate(answers):
            if on_progress is not None and number % 1000 == 0 and (size := answers.size):
                on_progress(min(answers.position, size), size)
            if self.unit is not None and ("faces" in element) is (self.unit == Unit.TRACK):
                continue
            if element.get("error"):
                self._failed += 1
                if not element.get("tracks"):  # of a video that breaks off, what was read counts
                    continue
            path = element["path"]
            place = os.path.normpath(os.path.join(here, path))
            key = hash(place)
            if path and key in seen:
                self._repeated += 1
                continue
            seen.add(key)
            self._add(element, path, key)
            if waiting and (labels := waiting.pop(place, None)):
                self._match(labels, element)
        if on_progress is not None and size:
            on_progress(size, size)
        self._model = str((answers.head.get("model") or {}).get("fingerprint") or "")
        self._complete = bool(answers.head.get("complete", True))

    def _add(self, element: dict[str, Any], path: str, key: int) -> None:
        kind = "faces" if "faces" in element else "tracks"
        units = element[kind]
        if units:
            self._kinds.add(kind)
        number = len(self._keys)
        for unit in units:
            self._shown = self._shown or kind == "faces" or isinstance(unit.get("best"), dict)
            self._photo.append(number)
            self._female.append(unit["probabilities"]["female"])
            self._size.append(unit["seconds"] if kind == "tracks" else 1.0)
        self._keys.append(key)
        if self.wants_folder:
            folder = os.path.dirname(path)
            self._folders.append(self._folder_names.setdefault(folder, len(self._folder_names)))
        if self.wants_year:
            year = self._year_of(path)
            self._years.append(self._year_names.setdefault(year, len(self._year_names)))

    def _year_of(self, path: str) -> str:
        from facegender.images.exif import year_taken

        if not os.path.exists(path):
            path = os.path.join(self.file.parent, path)
        return year_taken(path)

    def _by_path(self) -> dict[str, list[ReviewLabel]]:
        """Labels under every way in which their path may be meant."""
        found: dict[str, list[ReviewLabel]] = {}
        by_path: dict[str, list[ReviewLabel]] = {}
        for label in self.labels:
            by_path.setdefault(label.path, []).append(label)
        for path, labels in by_path.items():
            found[os.path.abspath(path)] = labels
            written = os.path.relpath(path, self.labels_folder)
            for root in (Path(), self.file.parent):
                found.setdefault(os.path.abspath(root / written), labels)
        return found

    def _match(self, labels: list[ReviewLabel], element: dict[str, Any]) -> None:
        """Give each label of a photo the answer that it is about: the same box, else the best."""
        photo = len(self._keys) - 1
        units = element.get("faces") or element.get("tracks") or ()
        boxes = best_boxes(units) if "tracks" in element else [unit["box"] for unit in units]
        if None in boxes:
            raise DataError(
                f"{self.file} does not say where each track is seen best, which its labels are of",
                "Count the JSON or JSONL that predict writes: a CSV has the mean boxes only.",
            )
        first = len(self._photo) - len(units)
        pairs = [
            (-overlap(label.box, box), i, j)
            for i, label in enumerate(labels)
            for j, box in enumerate(boxes)
            if label.box is not None and box is not None
        ]
        unit_of: dict[int, int] = {}
        taken: set[int] = set()
        for negative, i, j in sorted(pairs):
            if -negative >= OVERLAP and i not in unit_of and j not in taken:
                unit_of[i] = j
                taken.add(j)
        for i, label in enumerate(labels):
            self._matches.append(Match(label, photo, first + unit_of[i] if i in unit_of else -1))

    def finish(self) -> Answered:
        if len(self._kinds) > 1:
            raise DataError(
                f"{self.file} has faces of photos and tracks of videos",
                "Count them apart, since a track counts by its seconds: --unit face for the "
                "photos, --unit track for the videos.",
            )
        if not len(self._keys):
            raise DataError(f"{self.file} holds no photo that could be read", "Run predict again.")
        return Answered(
            np.array(self._photo, np.int32),
            np.array(self._female, np.float32),
            np.array(self._size, np.float64),
            len(self._keys),
            self._failed,
            self._repeated,
            "tracks" in self._kinds,
            self._shown,
            {},
            None,
            self._matches,
            self._model,
            self._complete,
        )

    def keys(self) -> NDArray[np.int64]:
        """Hashes of the photos' absolute paths."""
        return np.array(self._keys, np.int64)

    def own_columns(self) -> dict[str, Column]:
        """Return what the photos themselves say, of what is wanted."""
        found = {}
        if self.wants_folder:
            names = below_common(list(self._folder_names))
            found[FOLDER] = make_column(np.array(self._folders, np.int32), names)
        if self.wants_year:
            found[YEAR] = make_column(np.array(self._years, np.int32), list(self._year_names))
        return found


def overlap(one: Box | Sequence[float] | None, other: Sequence[float]) -> float:
    """Return the intersection over union of two boxes (x, y, width, height)."""
    if one is None:
        return 0.0
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (one[2] * one[3] + other[2] * other[3] - width * height)


def _unknown(name: str, table: AttributeTable | None) -> UsageError:
    if table is None:
        return UsageError(
            f"--by {name} needs a table that has this column",
            f"Add --attributes FILE, or choose {FOLDER} or {YEAR}.",
        )
    known = ", ".join([FOLDER, YEAR, *table.shown])
    return UsageError(f"no column {name!r} in the attributes", f"Choose one of: {known}.")
