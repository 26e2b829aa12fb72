"""Labels that are less certain than others, by a column of the table.

Annotators often cannot tell the gender of a small child's face. A network that learns such labels
like all others becomes sure of what nobody could know. Softer targets for these rows keep it
`uncertain` unless the evidence is strong; its answer, decided at one half, stays the same. Source
of softened targets: Szegedy et al., "Rethinking the Inception architecture", 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.samples import Samples
from facegender.errors import UsageError

MAX_SHARE: Final = 0.9
"""Maximum share of a target that goes to both genders alike."""
EXAMPLE: Final = "Write it like age:0-2=.5,3-9=.2."


@dataclass(frozen=True, slots=True)
class Doubt:
    """Shares of the target that go to both genders alike.

    Attributes:
        column: of the table.
        shares: of each value of the column, 0 to `MAX_SHARE`; other values have 0.
    """

    column: str
    shares: dict[str, float]


def parse_doubt(text: str) -> Doubt:
    """Parse ``COLUMN:VALUE=SHARE,VALUE=SHARE``.

    Raises:
        UsageError: it is not written so, names a value twice, or a share is out of range.
    """
    column, colon, rest = text.partition(":")
    if not (column.strip() and colon):
        raise UsageError(f"--doubt {text!r} names no column", EXAMPLE)
    shares: dict[str, float] = {}
    for part in rest.split(","):
        value, _, number = part.rpartition("=")
        value = value.strip()
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not value or not 0 <= share <= MAX_SHARE:
            raise UsageError(
                f"--doubt {text!r}: {part!r} is no value with a share of 0 to {MAX_SHARE:g}",
                EXAMPLE,
            )
        if value in shares:
            raise UsageError(f"--doubt {text!r} names {value!r} twice", EXAMPLE)
        shares[value] = share
    return Doubt(column.strip(), shares)


def read_doubts(samples: Samples, text: str) -> NDArray[np.float32]:
    """Return the share of each row's target that goes to both genders alike, float32 (rows,).

    Raises:
        UsageError: the table has no such column, or no row with one of the values.
    """
    doubt = parse_doubt(text)
    column = samples.attributes.get(doubt.column)
    if column is None:
        known = ", ".join(samples.attributes) or "none"
        raise UsageError(
            f"--doubt {text}: the table has no column {doubt.column!r}",
            f"It has {known}. prepare --attributes adds columns.",
        )
    values = [value.strip() for value in column]
    if missing := sorted(doubt.shares.keys() - set(values)):
        raise UsageError(
            f"--doubt {text}: no photo has {doubt.column} {missing[0]!r}",
            f"It is one of {', '.join(sorted(set(values) - {''})[:20])}.",
        )
    return np.array([doubt.shares.get(value, 0.0) for value in values], np.float32)
