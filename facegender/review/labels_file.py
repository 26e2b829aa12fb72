"""What an annotator has answered: read from labels.csv, and appended to it answer by answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from facegender.dataset.review_labels import (
    CHOSEN,
    FACES,
    NOT_FACE,
    PHOTOS,
    SETTLED,
    Box,
    LabelsWriter,
    ReviewLabel,
    current_labels,
    read_review_labels,
)
from facegender.errors import DataError
from facegender.labels import LABELS

FaceKey = tuple[str, Box | None]


@dataclass(frozen=True, slots=True)
class Item:
    """A face to be looked at.

    Attributes:
        path: of its photo, absolute.
        box: x, y, width, height in pixels of the upright photo.
        p_male: the model's probability of male; None where the model has no answer.
        sample, probability, stratum, model: as `ReviewLabel` has them.
    """

    path: str
    box: Box
    p_male: float | None
    sample: str
    probability: float | None = None
    stratum: str = ""
    model: str = ""

    @property
    def answer(self) -> str:
        """The model's answer, ``female`` or ``male``; "" where it has none."""
        return "" if self.p_male is None else LABELS[int(self.p_male >= 0.5)]


@dataclass(slots=True)
class Photo:
    """A photo of which every face is asked for.

    Attributes:
        path: absolute.
        items: numbers of its faces: those that were found, then those that were drawn.
        found: how many were found.
        closed: the annotator said that there are no further faces.
        probability, stratum: as `ReviewLabel` has them.
    """

    path: str
    items: list[int]
    found: int
    probability: float | None
    stratum: str
    closed: bool = False


def known_labels(file: Path) -> list[ReviewLabel]:
    """Return every row of labels.csv, with absolute paths; none where the file is missing."""
    if not file.exists() or not file.stat().st_size:
        return []
    rows = read_review_labels(file)
    return [replace(row, path=os.path.abspath(row.path)) for row in rows]


def refuse_other_sample(rows: Iterable[ReviewLabel], queue: Iterable[FaceKey], sample: str) -> None:
    """Refuse to mix two random samples in one file: nobody could tell their probabilities.

    Args:
        rows: of labels.csv.
        queue: the faces of the present sample; of a sample of photos, (path, None) of each.
        sample: `FACES` or `PHOTOS`.

    Raises:
        DataError: the file holds answers of another sample.
    """
    drawn, other = set(queue), FACES if sample == PHOTOS else PHOTOS
    for row in current_labels(rows):
        key = (row.path, None if sample == PHOTOS else row.box)
        if row.sample == other or (row.sample == sample and key not in drawn):
            raise DataError(
                f"the file of labels holds another sample than the one asked for: {row.path} is "
                "not in it",
                "Go on with the SOURCE, --sample or --photos, --seed and --by that it was begun "
                "with, or choose another --output.",
            )


def already_answered(rows: Iterable[ReviewLabel], annotator: str) -> set[FaceKey]:
    """Return the faces that an annotator answered otherwise than as `CHOSEN` ones."""
    return {
        row.face
        for row in current_labels(rows)
        if row.annotator == annotator and row.sample != CHOSEN
    }


def disagreements(rows: Sequence[ReviewLabel]) -> list[ReviewLabel]:
    """Return the first answer about each face on which annotators disagree."""
    by_face: dict[FaceKey, list[ReviewLabel]] = {}
    for row in current_labels(rows):
        if row.annotator != SETTLED and row.box is not None:
            by_face.setdefault(row.face, []).append(row)
    return [group[0] for group in by_face.values() if len({row.label for row in group}) > 1]


class Session:
    """The answers of one annotator, in memory and in labels.csv.

    Args:
        file: labels.csv; the caller holds `runtime.files.lock_target` on it.
        items: the faces to be looked at, in order.
        annotator: who answers.
        photos: of a sample of photos, their faces; empty else.

    Attributes:
        labels: the present answer about each item, "" if there is none yet; only to be read.
        answered: how many items have one.
    """

    def __init__(
        self, file: Path, items: list[Item], annotator: str, photos: list[Photo] | None = None
    ) -> None:
        self.file, self.items, self.annotator = file, items, annotator
        self.photos: list[Photo] = photos or []
        self.labels: list[str] = [""] * len(items)
        self.answered = self._right = self._both = 0  # kept up to date: counting takes milliseconds
        self._history: list[tuple[int, str]] = []
        self._turn = threading.Lock()
        rows = known_labels(file)
        self._writer = LabelsWriter(file)
        self._read(rows)
        self._restate(rows)

    def answer(self, number: int, label: str) -> None:
        """Write an answer about an item; it is on disk when this returns."""
        with self._turn:
            self._append(number, label)
            self._history.append((number, self.labels[number]))
            self._set(number, label)

    def undo(self) -> int | None:
        """Take the last answer back; return the item's number, None if there is none."""
        with self._turn:
            if not self._history:
                return None
            number, before = self._history[-1]
            self._append(number, before)
            self._history.pop()
            self._set(number, before)
            photo = self.photo_of(number)
            if photo is not None:
                self.photos[photo].closed = False
            return number

    def photo_of(self, number: int) -> int | None:
        """Return the number of the photo that an item is a face of, in a sample of photos."""
        path = self.items[number].path
        return next((n for n, photo in enumerate(self.photos) if photo.path == path), None)

    def add(self, photo: int, box: Box, label: str) -> int:
        """Write an answer about a face that was drawn; return its number."""
        with self._turn:
            entry = self.photos[photo]
            if entry.closed and not any(self.labels[n] for n in entry.items):
                self._writer.append(replace(self._row_of_empty(entry), label=""))
            number = self._added(entry, box)
            self._append(number, label)
            self._history.append((number, ""))
            self._set(number, label)
            return number

    def close_photo(self, photo: int) -> None:
        """Note that a photo shows no further face, in the file too where it shows none at all.

        Raises:
            ValueError: some of its faces have no answer.
        """
        with self._turn:
            entry = self.photos[photo]
            answered = [n for n in entry.items if self.labels[n]]
            if any(not self.labels[n] for n in entry.items[: entry.found]):
                raise ValueError("a face of the photo has no answer")
            if not answered and not entry.closed:
                self._writer.append(self._row_of_empty(entry))
            entry.closed = True

    def agreement(self) -> tuple[int, int]:
        """Return on how many faces the model agrees, and how many have both answers."""
        return self._right, self._both

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _set(self, number: int, label: str) -> None:
        """Note an answer, and count again what it changes."""
        before, answer = self.labels[number], self.items[number].answer
        self.labels[number] = label
        self.answered += bool(label) - bool(before)
        if answer:
            self._right += (label == answer) - (before == answer)
            self._both += (label in LABELS) - (before in LABELS)

    def _added(self, entry: Photo, box: Box) -> int:
        self.items.append(
            Item(entry.path, box, None, PHOTOS, entry.probability, entry.stratum, self._model)
        )
        self.labels.append("")
        entry.items.append(len(self.items) - 1)
        return len(self.items) - 1

    @property
    def _model(self) -> str:
        return self.items[0].model if self.items else ""

    def _append(self, number: int, label: str) -> None:
        item = self.items[number]
        self._writer.append(
            ReviewLabel(
                item.path,
                item.box,
                label,
                self.annotator,
                _now(),
                item.sample,
                item.probability,
                item.stratum,
                item.model,
            )
        )

    def _row_of_empty(self, entry: Photo) -> ReviewLabel:
        return ReviewLabel(
            entry.path,
            None,
            NOT_FACE,
            self.annotator,
            _now(),
            PHOTOS,
            entry.probability,
            entry.stratum,
            self._model,
        )

    def _read(self, rows: list[ReviewLabel]) -> None:
        """Take up what this annotator answered before."""
        place = {(item.path, item.box): n for n, item in enumerate(self.items)}
        photo_of = {photo.path: n for n, photo in enumerate(self.photos)}
        last_photo = -1
        for row in rows:
            if row.annotator != self.annotator:
                continue
            photo = photo_of.get(row.path)
            if photo is not None and row.sample == PHOTOS:
                last_photo = max(last_photo, photo)
                if row.box is None:
                    self.photos[photo].closed = row.label == NOT_FACE
                    continue
                if row.face not in place:
                    place[row.path, row.box] = self._added(self.photos[photo], row.box)
            number = place.get((row.path, row.box)) if row.box is not None else None
            if number is None or self._from_elsewhere(row, number):
                continue
            if row.label:
                self._history.append((number, self.labels[number]))
            else:
                self._forget(number)
            self._set(number, row.label)
        # The photo that was being looked at last is shown once more.
        for entry in self.photos[: max(last_photo, 0)]:
            entry.closed = all(self.labels[n] for n in entry.items[: entry.found])

    def _from_elsewhere(self, row: ReviewLabel, number: int) -> bool:
        """Whether an answer was given in another kind of review than the present one."""
        return row.sample != self.items[number].sample and self.annotator != SETTLED

    def _forget(self, number: int) -> None:
        """Drop the last answer about an item from what can be taken back."""
        for place in range(len(self._history) - 1, -1, -1):
            if self._history[place][0] == number:
                del self._history[place]
                return

    def _restate(self, rows: list[ReviewLabel]) -> None:
        """Write answers again whose probability has changed since the sample was enlarged."""
        known = {(item.path, item.box): item for item in self.items}
        photos = {photo.path: photo for photo in self.photos}
        for row in current_labels(rows):
            of: Item | Photo | None = known.get((row.path, row.box)) if row.box else None
            if row.sample == PHOTOS:
                of = photos.get(row.path)
            if of is None or row.sample not in (FACES, PHOTOS):
                continue
            if self.annotator == SETTLED or _same(row.probability, of.probability):
                continue
            changed = replace(row, probability=of.probability, stratum=of.stratum)
            self._writer.append(changed)


def _same(one: float | None, other: float | None) -> bool:
    return one == other or (
        one is not None and other is not None and abs(one - other) <= 1e-9 * other
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
