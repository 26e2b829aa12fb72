"""From a source and what is wanted to a session: which faces, and what was answered before."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from facegender.dataset.review_labels import CHOSEN, FACES, PHOTOS, SETTLED
from facegender.dataset.samples import Samples
from facegender.errors import DataError, UsageError
from facegender.labels import MALE
from facegender.prediction.predictor import Predictor
from facegender.review.labels_file import (
    FaceKey,
    Item,
    Photo,
    Session,
    already_answered,
    disagreements,
    known_labels,
    refuse_other_sample,
)
from facegender.review.queue import doubtful_and_surest, draw
from facegender.review.sources import AnsweredFace, Answers, strata_of

SETTLE = "settle"
KINDS = (FACES, PHOTOS, CHOSEN, SETTLE)


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """What is to be reviewed.

    Attributes:
        out: labels.csv.
        annotator: who answers.
        kind: a random sample of faces or of photos, `CHOSEN` ones, or the disagreements.
        count: how many faces or photos at most.
        by: a column or ``folder`` to draw by, or None.
        seed: of the draw.
    """

    out: Path
    annotator: str
    kind: str = FACES
    count: int = 200
    by: str | None = None
    seed: int = 0


@dataclass(slots=True)
class Table:
    """A faces.csv whose faces are found when they are needed.

    Attributes:
        samples: its rows.
        predictor: finds the faces and answers.
        cropped: its photos are the model's crops.
        on_progress: called with (photos done, photos in all).
    """

    samples: Samples
    predictor: Predictor
    cropped: bool = False
    on_progress: Callable[[int, int], None] | None = None

    def frame(self) -> Answers:
        """Return the photos without any face."""
        paths = [os.path.abspath(path) for path in self.samples.paths]
        return Answers(paths, [], self.predictor.bundle.fingerprint, self.samples.attributes)

    def answers(self, rows: Sequence[int]) -> Answers:
        """Return the answers for some rows: their photos, and the faces in them."""
        found = Answers([], [], self.predictor.bundle.fingerprint)
        paths = [os.path.abspath(self.samples.paths[row]) for row in rows]
        predicted = self.predictor.stream(paths, cropped=self.cropped)
        for number, (row, prediction) in enumerate(zip(rows, predicted, strict=True)):
            found.photos.append(paths[number])
            label = int(self.samples.labels[row])
            for face in prediction.faces:
                x, y, width, height = (float(round(side)) for side in face.face.box)
                p_male = min(max(face.probabilities[MALE], 0.0), 1.0)
                found.faces.append(AnsweredFace(number, (x, y, width, height), p_male, label))
            if self.on_progress is not None:
                self.on_progress(number + 1, len(rows))
        return found


def open_session(source: Answers | Table, settings: ReviewSettings) -> Session:
    """Choose what is looked at, and take up what was answered before.

    The caller holds `runtime.files.lock_target` on `settings.out`.

    Raises:
        DataError: there is nothing to look at, or the file of labels holds another sample.
        UsageError: no such column to draw by, or too many groups for the sample.
    """
    if settings.kind == PHOTOS and isinstance(source, Answers) and source.videos:
        raise UsageError(
            "videos are not photos that are shown whole", "Leave --photos out: tracks are shown."
        )
    rows = known_labels(settings.out)
    photos: list[Photo] = []
    if settings.kind == SETTLE:
        answers_of = _p_male_of(source)
        items = [
            Item(
                row.path,
                row.box,
                answers_of.get(row.face),
                row.sample,
                row.probability,
                row.stratum,
                row.model,
            )
            for row in disagreements(rows)
            if row.box is not None
        ]
        if not items:
            raise DataError(f"nobody disagrees in {settings.out}", "")
        return Session(settings.out, items, SETTLED)
    if settings.kind == PHOTOS:
        items, photos = _sampled_photos(source, settings)
        refuse_other_sample(rows, [(photo.path, None) for photo in photos], PHOTOS)
    elif settings.kind == CHOSEN:
        items = _chosen(source, settings, already_answered(rows, settings.annotator))
    else:
        items = _sampled_faces(source, settings)
        refuse_other_sample(rows, [(item.path, item.box) for item in items], FACES)
    if not items and not photos:
        raise DataError("there is no face to look at", "")
    return Session(settings.out, items, settings.annotator, photos)


def _sampled_faces(source: Answers | Table, settings: ReviewSettings) -> list[Item]:
    """Draw faces; of a table, rows, of which the largest face is meant."""
    if isinstance(source, Answers):
        strata = strata_of(source, settings.by)
        drawn = draw([strata[face.photo] for face in source.faces], settings.count, settings.seed)
        faces = [(source.faces[d.index], d) for d in drawn]
        answers = source
    else:
        drawn = draw(strata_of(source.frame(), settings.by), settings.count, settings.seed)
        answers = source.answers([d.index for d in drawn])
        faces = [(face, drawn[face.photo]) for face in _largest(answers)]
    return [
        Item(
            answers.photos[face.photo],
            face.box,
            face.p_male,
            FACES,
            d.probability,
            d.stratum,
            answers.model,
        )
        for face, d in faces
    ]


def _sampled_photos(
    source: Answers | Table, settings: ReviewSettings
) -> tuple[list[Item], list[Photo]]:
    """Draw photos, each with all faces that were found in it."""
    frame = source if isinstance(source, Answers) else source.frame()
    drawn = draw(strata_of(frame, settings.by), settings.count, settings.seed)
    photos = [Photo(frame.photos[d.index], [], 0, d.probability, d.stratum) for d in drawn]
    if isinstance(source, Answers):
        place = {d.index: number for number, d in enumerate(drawn)}
        faces = [(place[f.photo], f) for f in source.faces if f.photo in place]
        faces.sort(key=lambda pair: pair[0])
    else:
        faces = [(f.photo, f) for f in source.answers([d.index for d in drawn]).faces]
    items: list[Item] = []
    for number, face in faces:
        photo = photos[number]
        photo.items.append(len(items))
        photo.found += 1
        items.append(
            Item(
                photo.path,
                face.box,
                face.p_male,
                PHOTOS,
                photo.probability,
                photo.stratum,
                frame.model,
            )
        )
    return items, photos


def _chosen(
    source: Answers | Table, settings: ReviewSettings, answered: set[FaceKey]
) -> list[Item]:
    """Take the doubtful and the surest that this annotator has not answered in a sample."""
    if isinstance(source, Answers):
        answers, faces = source, source.faces
    else:
        answers = source.answers(range(len(source.samples)))
        faces = _largest(answers)
    order = doubtful_and_surest([f.p_male for f in faces], [f.label for f in faces])
    ordered = (faces[i] for i in order)
    open_ = (f for f in ordered if (answers.photos[f.photo], f.box) not in answered)
    return [
        Item(answers.photos[f.photo], f.box, f.p_male, CHOSEN, model=answers.model)
        for f, _ in zip(open_, range(settings.count), strict=False)
    ]


def _largest(answers: Answers) -> list[AnsweredFace]:
    """Return the first face of each photo, which is the largest."""
    first: dict[int, AnsweredFace] = {}
    for face in answers.faces:
        first.setdefault(face.photo, face)
    return list(first.values())


def _p_male_of(source: Answers | Table) -> dict[FaceKey, float]:
    if not isinstance(source, Answers):
        return {}
    return {(source.photos[face.photo], face.box): face.p_male for face in source.faces}
