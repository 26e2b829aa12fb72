"""Conditions that select rows, such as ``age not in 0-2,3-9``."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.samples import Samples
from facegender.errors import UsageError

_PATTERN = re.compile(
    r"\s*(?P<column>.+?)\s*(?P<op>!=|==?|\s+not\s+in\s+|\s+in\s+)\s*(?P<values>.*)\s*"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A column, the values it is compared with, and whether it must be among them."""

    column: str
    values: tuple[str, ...]
    wanted: bool

    def rows(self, samples: Samples) -> NDArray[np.bool_]:
        """Return which rows satisfy the condition.

        Raises:
            UsageError: no such column, or a value that no row has.
        """
        name = column_name(samples, self.column)
        cells = column_of(samples, name)
        unknown = [value for value in self.values if value not in set(cells)]
        if unknown:
            known = ", ".join(sorted(set(cells))[:20])
            raise UsageError(
                f"no row has {name} {', '.join(unknown)}", f"The column holds: {known}."
            )
        return np.array([(cell in self.values) == self.wanted for cell in cells], dtype=bool)


def parse_condition(text: str) -> Condition:
    """Parse ``COLUMN in A,B``, ``COLUMN not in A,B``, ``COLUMN=A`` or ``COLUMN!=A``.

    Values are separated by commas and may hold spaces.

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


def column_name(samples: Samples, name: str) -> str:
    """Return a column's name as the table writes it; upper and lower case count only where two
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
            f"the column {name!r} may be {' or '.join(fits)}", "Write it as it stands."
        )
    raise UsageError(f"no column {name!r} in the table", f"It has: {', '.join(known)}.")


def column_of(samples: Samples, name: str) -> list[str]:
    """Return a column as text; see `column_name`.

    Raises:
        UsageError: no such column, or several.
    """
    return samples.column(column_name(samples, name)) or []
