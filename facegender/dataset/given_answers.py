"""Answers that were given to a table's photos before: by another tool, a model, or people."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.samples import Samples
from facegender.dataset.table import PhotoFinder, read_rows
from facegender.errors import DataError


@dataclass(frozen=True, slots=True)
class GivenAnswers:
    """Answers to the rows of a table.

    Attributes:
        p_male: float64 (n,), probability of male; NaN without an answer.
        listed: bool (n,), rows that the file lists.
    """

    p_male: NDArray[np.float64]
    listed: NDArray[np.bool_]


def read_given_answers(file: Path, samples: Samples) -> GivenAnswers:
    """Read answers from a CSV with the columns ``path`` and ``p_male``.

    Paths are those of the table, absolute or relative to the CSV's folder or to the current one.
    ``p_male`` is empty where there is no answer.

    Raises:
        DataError: unreadable, without these columns, a probability out of range, or no photo of
            the table.
    """
    header, rows = read_rows(file)
    words = [name.casefold() for name in header or ()]
    if not {"path", "p_male"} <= set(words):
        raise DataError(f"{file} has the columns {header}", "It needs the columns path and p_male.")
    path_at, value_at = words.index("path"), words.index("p_male")
    finder = PhotoFinder(samples.paths, [file.parent, Path()], os.path.realpath)
    p_male = np.full(len(samples), np.nan)
    listed = np.zeros(len(samples), dtype=bool)
    for row in rows:
        cells = [*row, "", ""]
        value = _probability(file, cells[value_at])
        found = finder.find(cells[path_at])
        if found is not None:
            p_male[found], listed[found] = value, True
    p_male, listed = p_male[finder.index.first], listed[finder.index.first]
    if not listed.any() or np.isnan(p_male).all():
        raise DataError(
            f"{file} has an answer for none of the table's photos",
            "Its paths must be those of the table.",
        )
    return GivenAnswers(p_male, listed)


def _probability(file: Path, text: str | None) -> float:
    if not (text or "").strip():
        return math.nan
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise DataError(f"{file} has the p_male {text!r}", "It must be 0 to 1, or empty.")
    return value
