"""Grouping rows by columns: crossing columns, merging spellings, binning numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import numpy as np

from facegender.dataset.samples import Samples
from facegender.dataset.where import column_name, column_of, merge_spellings
from facegender.errors import UsageError
from facegender.evaluation.gaps import SMALL

QUARTILES = "quartiles"
_MANY = 30
"""Maximum number of distinct numbers of a column that is not binned."""


def group_values(samples: Samples, names: str) -> tuple[str, list[str]]:
    """Return the name of a grouping, and the group of each row.

    Args:
        samples: the rows.
        names: one or more columns, such as ``race,gender``; ``age:10`` bins numbers by tens and
            ``score:quartiles`` into four groups of about equal size.

    Returns:
        the columns as spelled in the table, and a value per row such as ``Black, female``; ""
        is a missing value. Spellings that differ only in case and blanks are one value, in the
        most frequent spelling.

    Raises:
        UsageError: no such column, an invalid bin, or so many different numbers that few groups
            would have enough photos.
    """
    titles, columns = [], []
    for name in names.split(","):
        title, values = _column(samples, name.strip())
        titles.append(title)
        columns.append(values)
    shared: dict[str, str] = {}  # one string object per distinct value, as in the table
    crossed = (", ".join(row) for row in zip(*columns, strict=True))
    return ",".join(titles), [shared.setdefault(value, value) for value in crossed]


def _column(samples: Samples, name: str) -> tuple[str, list[str]]:
    column, binning = name, ""
    if ":" in name and not _exists(samples, name):
        column, _, binning = (part.strip() for part in name.rpartition(":"))
    title = column_name(samples, column)
    cells = merge_spellings(column_of(samples, title))
    if binning:
        return f"{title}:{binning}", _binned(title, cells, binning)
    _refuse_many_numbers(title, cells)
    return title, cells


def _exists(samples: Samples, name: str) -> bool:
    try:
        column_name(samples, name)
    except UsageError:
        return False
    return True


def _binned(title: str, cells: list[str], binning: str) -> list[str]:
    numbers = np.array([_number(cell) for cell in cells])
    if np.isnan(numbers).all():
        raise UsageError(f"the column {title} has no numbers to bin", f"Write --by {title}.")
    name_of = _quartile_names(numbers) if binning == QUARTILES else _bin_names(title, binning)
    return ["" if np.isnan(number) else name_of(float(number)) for number in numbers]


def _bin_names(title: str, binning: str) -> Callable[[float], str]:
    width = _number(binning)
    if not (np.isfinite(width) and width > 0):
        raise UsageError(
            f"cannot bin {title} by {binning!r}",
            f"Write a width or quartiles: --by {title}:10, --by {title}:{QUARTILES}.",
        )
    whole = width == round(width)

    def name_of(number: float) -> str:
        low = np.floor(number / width) * width
        # For integers, 20-29 is clearer than "20 to 30".
        return f"{low:g}-{low + width - 1:g}" if whole else f"{low:g} to {low + width:g}"

    return name_of


def _quartile_names(numbers: np.ndarray) -> Callable[[float], str]:
    edges = np.unique(np.nanquantile(numbers, [0, 0.25, 0.5, 0.75, 1]))

    def name_of(number: float) -> str:
        place = int(np.clip(np.searchsorted(edges, number, "left") - 1, 0, max(len(edges) - 2, 0)))
        return f"{edges[place]:g} to {edges[min(place + 1, len(edges) - 1)]:g}"

    return name_of


def _refuse_many_numbers(title: str, cells: list[str]) -> None:
    counts = Counter(cell for cell in cells if cell)
    if len(counts) <= _MANY or float(np.median(list(counts.values()))) >= SMALL:
        return
    if title != "person" and all(not np.isnan(_number(cell)) for cell in counts):
        raise UsageError(
            f"the column {title} has {len(counts):,} different numbers, most of them on fewer "
            f"than {SMALL} photos",
            f"Bin them: --by {title}:10 (any width), or --by {title}:{QUARTILES}.",
        )


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text.strip()):
        return float("nan")
    return float(text)
