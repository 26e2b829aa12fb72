"""One share, or every part of an archive: answers summed by photo, corrected by its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facegender.evaluation.answered import Answered
from facegender.evaluation.groups import natural_key
from facegender.evaluation.intervals import Estimate
from facegender.evaluation.label_sample import LabelSample
from facegender.evaluation.photo_columns import Column
from facegender.evaluation.prevalence import (
    Corrected,
    Frame,
    Labelled,
    Missed,
    adjusted_count,
    allowed_range,
    labels_needed,
    prediction_powered,
    recalls_of,
)
from facegender.evaluation.recorded_recalls import Recalls

UNCORRECTED: Final = "uncorrected"
POOLED: Final = "pooled"
CORRECTED: Final = "ppi++"
METHODS: Final = {
    UNCORRECTED: "the model's answers counted as they are",
    POOLED: "the model's answers, corrected by its recalls on the labels of the whole archive: "
    "too few labels for a figure of its own",
    CORRECTED: "prediction-powered inference (PPI++), with an interval of 95 %",
}
MIN_LABELS: Final = 20
"""Labels that a group needs for an estimate and an interval of its own."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A share.

    Attributes:
        estimate: with its interval, where `method` gives one.
        method: one of `METHODS`.
        uncorrected: the model's answers counted; None without any.
        alone: what the labels alone say, where there are enough.
        needed: labels that `plan` needs, and how many without help from predictions.
    """

    estimate: Estimate
    method: str
    uncorrected: float | None
    alone: Estimate | None = None
    needed: tuple[int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form of the JSON contract."""
        return {**self.estimate.to_json(), "method": self.method}


@dataclass(frozen=True, slots=True)
class Share:
    """What was counted in an archive or in a part of it.

    Attributes:
        faces: answered faces, or tracks of videos.
        photos, photos_with_face: photos or videos, and those of them with a face.
        labels: labelled faces among these, whatever the label.
        untellable, not_face: labels of that kind.
        missed: labelled faces that the model did not find.
        female: share of women among faces (of seconds on screen, for videos).
        with_woman: share of the photos with a face that show a woman; None for videos.
        mean: the share of women in a photo, averaged over photos with a face; None for videos.
        allowed: the range that the card's recalls allow; None where it was not asked for.
    """

    faces: int
    photos: int
    photos_with_face: int
    labels: int
    untellable: int
    not_face: int
    missed: int
    female: Measure
    with_woman: Measure | None
    mean: Measure | None
    allowed: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        """Return the form of the JSON contract."""
        found: dict[str, Any] = {
            "faces": self.faces,
            "labels": self.labels,
            "share_female": self.female.to_json(),
            "uncorrected": self.female.uncorrected,
            "labels_alone": None if self.female.alone is None else self.female.alone.to_json(),
            "assumed_range": None,
            "photos": self.photos,
            "photos_with_face": self.photos_with_face,
            "untellable": self.untellable,
            "not_face": self.not_face,
            "missed": self.missed,
        }
        if self.allowed is not None:
            low, high = self.allowed
            found["assumed_range"] = {"low": low, "high": high, "method": "rogan-gladen"}
        for name, measure in (("photos_with_woman", self.with_woman), ("mean_a_photo", self.mean)):
            found[name] = None
            if measure is not None:
                found[name] = {**measure.to_json(), "uncorrected": measure.uncorrected}
        if self.female.needed is not None:
            with_answers, alone = self.female.needed
            found["plan"] = {"labels": with_answers, "labels_alone": alone}
        return found


class Counts:
    """Answers summed by photo, and what the sample says of any part of them.

    Args:
        answered: the archive.
        sample: its labels, or None.
        recalls: of the model's card, for the range that they allow; may be empty.
        plan: half width of the interval that labels are planned for, or None.
    """

    def __init__(
        self,
        answered: Answered,
        sample: LabelSample | None,
        recalls: Sequence[Recalls],
        plan: float | None,
    ) -> None:
        self._answered, self._sample = answered, sample
        self._allow, self._plan = recalls, plan
        photo, count = answered.photo, answered.photos
        self._called = answered.female > 0.5
        self._faces = np.bincount(photo, minlength=count)
        self._some_called = np.bincount(photo, self._called, minlength=count) > 0
        none = np.log1p(-np.minimum(answered.female.astype(np.float64), 1 - 1e-12))
        self._any = 1 - np.exp(np.bincount(photo, none, minlength=count))
        several = np.maximum(self._faces, 1)
        self._mean = np.bincount(photo, answered.female, minlength=count) / several
        self._mean_called = np.bincount(photo, self._called, minlength=count) / several
        self._single = bool((self._faces <= 1).all())
        self._wholes: dict[str, Corrected] = {}
        self._recalls = recalls_of(sample.faces) if sample and len(sample.faces) else None

    def whole(self) -> Share:
        """Return the share of the whole archive; ask for it before its parts."""
        return self._share(slice(None), slice(None), None)

    def groups(self, column: Column) -> dict[str, Share]:
        """Return the share of each value of a column, in natural order."""
        codes = column.codes[self._answered.photo]
        units, photos = _rows_by_code(codes), _rows_by_code(column.codes)
        found = {}
        none = np.zeros(0, np.int64)
        for code in sorted(photos, key=lambda code: natural_key(column.values[code])):
            share = self._share(units.get(code, none), photos[code], column.codes == code)
            found[column.values[code]] = share
        return found

    def _share(self, units: Any, photos: Any, within: NDArray[np.bool_] | None) -> Share:
        answered, sample = self._answered, self._sample
        faces, size = answered.female[units], answered.size[units]
        called = self._called[units]
        raw = float(size @ called / size.sum()) if len(faces) and size.sum() > 0 else None
        held = self._faces[photos] > 0
        part = None if sample is None else sample.within(within, len(held))
        weight = float(size.sum())
        frame = Frame(len(faces), weight, weight, float(size @ faces))
        labels = (None, None) if part is None else part.of_faces()
        female = self._measure("faces", raw, frame, *labels)
        with_woman = mean = None
        if not answered.video:
            with_woman, mean = self._by_photo(photos, held, units, part)
        return Share(
            faces=len(faces),
            photos=len(held),
            photos_with_face=int(held.sum()),
            labels=0 if part is None else len(part.faces),
            untellable=0 if part is None else part.untellable,
            not_face=0 if part is None else part.not_face,
            missed=0 if part is None else part.missed_faces,
            female=female,
            with_woman=with_woman,
            mean=mean,
            allowed=allowed_range(raw, self._allow) if raw is not None and self._allow else None,
        )

    def _by_photo(
        self, photos: Any, held: NDArray[np.bool_], units: Any, part: LabelSample | None
    ) -> tuple[Measure, Measure]:
        """Return the share of photos with a woman, and the mean share of a photo."""
        total = int(held.sum())
        raws = [
            float(values[photos][held].mean()) if total else None
            for values in (self._some_called, self._mean_called)
        ]
        if part is not None and len(part.whole):
            measures = []
            for kind, raw, values in zip(
                ("any", "mean"), raws, (self._any, self._mean), strict=True
            ):
                frame = Frame(len(held), len(held), total, float(values[photos][held].sum()))
                labels = part.of_photos(values, self._faces, mean=kind == "mean")
                measures.append(self._measure(kind, raw, frame, labels))
            return measures[0], measures[1]
        size = 1 / self._faces[self._answered.photo[units]]
        faces = self._answered.female[units]
        frame = Frame(len(faces), float(size.sum()), float(size.sum()), float(size @ faces))
        shares = None if part is None else part.of_photo_shares(self._faces)
        mean = self._measure("photo shares", raws[1], frame, shares)
        if self._single:  # then to show a woman and to be of a woman are the same
            return mean, mean
        return Measure(Estimate(raws[0]), UNCORRECTED, raws[0]), mean

    def _measure(
        self,
        kind: str,
        raw: float | None,
        frame: Frame,
        labels: Labelled | None,
        missed: Missed | None = None,
    ) -> Measure:
        """Return one share of a part of the archive by the best method that its labels allow."""
        if raw is None:
            return Measure(Estimate(None), UNCORRECTED, None)
        whole = self._wholes.get(kind)
        found = alone = None
        if labels is not None and len(labels) >= MIN_LABELS:
            found = prediction_powered(labels, frame, missed=missed, whole=whole)
            alone = prediction_powered(labels, frame, missed=missed, tune=False)
        needed = self._needed(raw, frame, found) if kind == "faces" else None
        if found is not None:
            self._wholes.setdefault(kind, found)
            other = None if alone is None else alone.estimate
            return Measure(found.estimate, CORRECTED, raw, other, needed)
        if whole is not None and self._recalls is not None and kind != "any":
            pooled = adjusted_count(raw, *self._recalls)
            if pooled is not None:
                return Measure(Estimate(pooled), POOLED, raw, None, needed)
        return Measure(Estimate(raw), UNCORRECTED, raw, None, needed)

    def _needed(self, raw: float, frame: Frame, found: Corrected | None) -> tuple[int, int] | None:
        """Return how many labels the plan needs, with the answers' help and without it."""
        if self._plan is None:
            return None
        value = raw if found is None or found.estimate.value is None else found.estimate.value
        mixed = value * (1 - value)
        spread = self._own_spread() if found is None else found.spread
        return (
            labels_needed(self._plan, min(spread, mixed), frame.units),
            labels_needed(self._plan, mixed, frame.units),
        )

    def _own_spread(self) -> float:
        """What the answers themselves say of their errors, if they are calibrated here."""
        female = self._answered.female.astype(np.float64)
        return float((female * (1 - female)).mean())


def _rows_by_code(codes: NDArray[np.int32]) -> dict[int, NDArray[np.int64]]:
    """Return the rows of each code but -1."""
    if not len(codes):
        return {}
    order = np.argsort(codes, kind="stable")
    values, starts = np.unique(codes[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {int(v): rows for v, rows in zip(values, parts, strict=True) if v >= 0}
