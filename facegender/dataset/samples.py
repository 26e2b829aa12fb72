"""Labelled photos stored by column, compact enough for a million rows."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facegender.choices import Split
from facegender.dataset.paths import Paths

SPLITS: Final = tuple(split.value for split in Split)
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), Split.TRAIN.value),
    **dict.fromkeys(("val", "valid", "validation", "dev"), Split.VAL.value),
    **dict.fromkeys(("test", "testing"), Split.TEST.value),
}
"""Names of a split in folders and tables, in lower case."""


@dataclass(slots=True)
class Samples:
    """Rows of faces.csv, by column; every column has the same length.

    Attributes:
        paths: photo paths; absolute, or relative to the current folder. A list, or `Paths` for
            many.
        labels: int8 array (n,), 0 = female, 1 = male.
        persons: person names, "" if unknown.
        splits: one of `SPLITS`, or "" if not given.
        attributes: further columns by name, such as age or race, as they were read.
    """

    paths: MutableSequence[str]
    labels: NDArray[np.int8]
    persons: list[str]
    splits: list[str]
    attributes: dict[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> Samples:
        """Return the given rows, in the given order."""
        paths = self.paths if isinstance(self.paths, Paths) else Paths(self.paths)
        return Samples(
            paths.take(rows),
            self.labels[np.asarray(rows, dtype=np.intp)],
            [self.persons[i] for i in rows],
            [self.splits[i] for i in rows],
            {name: [column[i] for i in rows] for name, column in self.attributes.items()},
        )

    def rows_of(self, split: str) -> list[int]:
        """Return the indices of the rows of a split."""
        return [i for i, name in enumerate(self.splits) if name == split]

    def column(self, name: str) -> list[str] | None:
        """Return an attribute, `person`, `split` or `gender` (the label's name) as text."""
        from facegender.labels import LABELS

        if name == "gender":
            return [LABELS[label] for label in self.labels]
        if name in ("person", "split"):
            return self.persons if name == "person" else self.splits
        return self.attributes.get(name)
