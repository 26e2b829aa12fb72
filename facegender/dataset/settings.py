"""The settings of `prepare`, and its result."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from facegender.choices import SplitMethod
from facegender.dataset.cropping import CropSettings
from facegender.dataset.samples import SPLITS, Samples
from facegender.errors import UsageError
from facegender.labels import LABELS
from facegender.options import check_choice, check_number


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """Settings of `prepare`; stored in faces.json.

    Attributes:
        female, male: names of the gender folders, or the labels in `labels`, if they are not the
            defaults.
        labels: a label file to use instead of folders.
        attributes: a file with attribute columns.
        min_size: minimum length of a photo's shorter side, in pixels.
        split: one of `choices.SplitMethod`.
        val, test: fractions of the photos for validation and test.
        seed: of the split.
        drop_duplicates: leave out all but one of photos with the same content.
        drop_conflicts: leave out content and persons under both genders.
        apart_from: a table whose photos, and all that look the same, are left out: what a model
            will be judged on must not be learned.
        crop: detect, crop and write the faces, and list the crops; None lists the photos.

    Raises:
        UsageError: an unknown value or a number out of range.
    """

    female: str | None = None
    male: str | None = None
    labels: str | None = None
    attributes: str | None = None
    min_size: int = 24
    split: str = SplitMethod.AUTO
    val: float = 0.1
    test: float = 0.2
    seed: int = 0
    drop_duplicates: bool = False
    drop_conflicts: bool = False
    apart_from: str | None = None
    crop: CropSettings | None = None

    def __post_init__(self) -> None:
        check_choice("--split", self.split, SplitMethod)
        check_number("--min-size", self.min_size, 1, what="pixel")
        check_number("--seed", self.seed, 0)
        if not (self.val >= 0 and self.test >= 0 and self.val + self.test < 1):
            raise UsageError(
                f"--val {self.val:g} and --test {self.test:g} are not two fractions that leave "
                "something to train on",
                "For example --val .1 --test .2.",
            )

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in faces.json."""
        crop = None if self.crop is None else self.crop.to_json()
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"crop": crop}


@dataclass(slots=True)
class Preparation:
    """The result of `prepare`.

    Attributes:
        csv: the faces.csv written.
        rejected_csv: the list of rejected photos written.
        samples: the rows of faces.csv.
        rejected: reason -> number of photos left out.
        sizes: (width, height) -> number of photos.
        method: how the photos were split, one of `choices.SplitMethod` but `auto`.
        outside: files outside the gender folders, which were ignored.
        others: files inside them that are no photos, by name and first bytes.
        copies: photos with the same content as an earlier one.
        content_conflicts: photos whose content is under both genders.
        person_conflicts: photos of persons who are under both genders.
        dropped: reason -> photos left out by `drop_duplicates`, `drop_conflicts` and
            `apart_from`.
        near_copies: paths of photos that look the same and are in two splits.
        moved: photos moved to the split of their copy or person.
        persons_in_two_splits: persons in both train and held-out rows (the article's split only).
        without_attributes: photos that the attribute file does not list.
        encodings: table -> its encoding, for those that are not UTF-8.
    """

    csv: Path
    rejected_csv: Path
    samples: Samples
    rejected: Counter[str]
    sizes: Counter[tuple[int, int]]
    method: str = ""
    outside: int = 0
    others: int = 0
    copies: int = 0
    content_conflicts: int = 0
    person_conflicts: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    near_copies: list[tuple[str, str]] = field(default_factory=list)
    moved: int = 0
    persons_in_two_splits: int = 0
    without_attributes: int = 0
    encodings: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain JSON types."""
        table: dict[str, dict[str, int]] = {}
        for split in (*SPLITS, ""):
            rows = self.samples.rows_of(split)
            if rows or split:
                labels = Counter(LABELS[self.samples.labels[row]] for row in rows)
                table[split] = {name: labels[name] for name in LABELS}
        return {
            "schema": 1,
            "csv": os.fspath(self.csv),
            "rejected_csv": os.fspath(self.rejected_csv),
            "photos": len(self.samples),
            "persons": len(set(self.samples.persons) - {""}),
            "split": self.method,
            "splits": table,
            "rejected": dict(self.rejected),
            "dropped": dict(self.dropped),
            "outside": self.outside,
            "others": self.others,
            "copies": self.copies,
            "content_conflicts": self.content_conflicts,
            "person_conflicts": self.person_conflicts,
            "near_copies": [list(pair) for pair in self.near_copies],
            "moved": self.moved,
            "persons_in_two_splits": self.persons_in_two_splits,
            "without_attributes": self.without_attributes,
            "encodings": self.encodings,
        }
