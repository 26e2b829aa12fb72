"""Conditions that select rows, such as ``age not in 0-2,3-9``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.samples import Samples
from facegender.errors import UsageError

MISSING = frozenset({"", "-", "--", "?", "n/a", "na", "nan", "null", "<na>"})
"""Spellings of a missing value in tables, in lower case."""
_PATTERN = re.compile(
    r"\s*(?P<column>.+?)\s*(?P<op>!=|==?|\s+not\s+in\s+|\s+in\s+)\s*(?P<values>.*)\s*"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A column, the values it is compared with in any case, and whether to keep or drop them."""

    column: str
    values: tuple[str, ...]
    wanted: bool

    def rows(self, samples: Samples) -> NDArray[np.bool_]:
        """Return which rows satisfy the condition.

        Raises:
            UsageError: no such column, or a value that no row has.
        """
        name = column_name(samples, self.column)
        cells = merge_spellings(column_of(samples, name))
        known = {cell.casefold() for cell in cells}
        unknown = [value for value in self.values if value.casefold() not in known]
        if unknown:
            shown = ", ".join(sorted(set(cells))[:20])
            raise UsageError(f"no row has {name} {', '.join(unknown)}", f"The column has: {shown}.")
        values = {value.casefold() for value in self.values}
        return np.array([(cell.casefold() in values) == self.wanted for cell in cells], dtype=bool)


def parse_condition(text: str) -> Condition:
    """Parse ``COLUMN in A,B``, ``COLUMN not in A,B``, ``COLUMN=A`` or ``COLUMN!=A``.

    Values are separated by commas and may contain spaces.

    Raises:
        UsageError: anything else.
    """
    match = _PATTERN.fullmatch(text)
    values = tuple(v.strip() for v in match["values"].split(",")) if match else ()
    if match is None or not all(values):
        raise UsageError(
            f"cannot read the condition {text!r}",
            "Write for example 'age not in 0-2,3-9', 'race=Black' or 'gender!=male'.",
        )
    operator = match["op"].split()
    return Condition(match["column"], values, operator[0] not in ("!=", "not"))


def merge_spellings(cells: Sequence[str]) -> list[str]:
    """Return the cells with blanks stripped, spellings merged and every missing value as ""."""
    stripped = Counter(cell.strip() for cell in cells)
    best: dict[str, str] = {}
    for cell, _count in stripped.most_common():
        best.setdefault(cell.casefold(), cell)
    known = {c: "" if c.casefold() in MISSING else best[c.casefold()] for c in stripped}
    return [known[cell.strip()] for cell in cells]


def column_name(samples: Samples, name: str) -> str:
    """Return a column's name as the table spells it; case matters only if two
    columns differ by them alone.

    Raises:
        UsageError: no such column, or several.
    """
    known = list(dict.fromkeys(["gender", "person", "split", *samples.attributes]))
    fits = [column for column in known if column.casefold() == name.casefold()]
    if name in known or len(fits) == 1:
        return name if name in known else fits[0]
    if fits:
        raise UsageError(
            f"the column {name!r} may be {' or '.join(fits)}",
            "Write it in the same case as in the table.",
        )
    raise UsageError(f"no column {name!r} in the table", f"It has: {', '.join(known)}.")


def column_of(samples: Samples, name: str) -> list[str]:
    """Return a column as text; see `column_name`.

    Raises:
        UsageError: no such column, or several.
    """
    return samples.column(column_name(samples, name)) or []
