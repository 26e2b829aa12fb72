"""Shares as a table with a bar a row, and as CSV."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from facegender.report.shares import (
    explain_methods,
    measure_of,
    percent,
    show_interval,
    unit_of,
    verdict,
)

if TYPE_CHECKING:
    from rich.table import Table

    from facegender.evaluation.counting import Share
    from facegender.evaluation.shares import Shares

BAR = 30
"""Characters of a bar of 100 %."""
COLUMNS = (
    "column",
    "value",
    "faces",
    "labels",
    "share_female",
    "low",
    "high",
    "method",
    "uncorrected",
    "assumed_low",
    "assumed_high",
    "unit",
)


def print_shares(result: Shares) -> None:
    """Print shares to stdout: what a reader must know, then a table of each grouping."""
    from facegender.cli import _console as console

    out = console.stdout()
    for sentence in verdict(result):
        out.print(console.plain(sentence))
    console.print_table(_whole_table(result))
    for by, groups in result.groups.items():
        console.print_table(_group_table(result, by, groups))
    for sentence in explain_methods(result):
        out.print(console.plain(sentence))


def shares_csv(result: Shares) -> str:
    """Return a row for the archive and one for each group; nothing where there is no number."""
    from facegender.runtime.files import no_formula, write_csv_row

    text = io.StringIO()
    write_csv_row(text, COLUMNS)
    rows = [("", "all", result.whole)]
    for by, groups in result.groups.items():
        rows += [(by, value, share) for value, share in groups.items()]
    for by, value, share in rows:
        estimate = share.female.estimate
        numbers = (estimate.value, estimate.low, estimate.high)
        cells: list[Any] = [no_formula(by), no_formula(value), share.faces, share.labels]
        cells += [_number(number) for number in numbers]
        cells += [share.female.method, _number(share.female.uncorrected)]
        cells += [_number(end) for end in share.allowed or (None, None)]
        cells.append("track" if result.video else "face")
        write_csv_row(text, cells)
    return text.getvalue()


def bar(low: float | None, value: float | None, high: float | None, *, ascii_only: bool) -> str:
    """Draw a share as a bar; what lies within its interval or range is lighter.

    Args:
        low, value, high: 0 to 1; without ends the bar is one to `value`.
        ascii_only: for terminals that show nothing else.
    """
    if value is None:
        return ""
    full, light, rest = ("#", "+", ".") if ascii_only else ("█", "▒", "·")
    start = round(BAR * (value if low is None else low))
    end = round(BAR * (value if high is None else high))
    return full * start + light * (end - start) + rest * (BAR - end)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _whole_table(result: Shares) -> Table:
    from facegender.cli import _console as console

    table = console.make_table(
        "Shares", "", ">share", ">95 % interval", ">uncorrected", "0 to 100 %"
    )
    whole = result.whole
    kinds = (
        (measure_of(result), whole.female),
        ("photos with a face that show a woman", whole.with_woman),
        ("women in a photo, averaged", whole.mean),
    )
    for name, measure in kinds:
        if measure is None:
            continue
        estimate = measure.estimate
        drawn = bar(estimate.low, estimate.value, estimate.high, ascii_only=not console.unicode())
        table.add_row(
            name,
            percent(estimate.value),
            show_interval(measure),
            percent(measure.uncorrected),
            drawn,
        )
    return table


def _group_table(result: Shares, by: str, groups: dict[str, Share]) -> Table:
    from facegender.cli import _console as console

    interval = ">range by recalls" if _assumed(result) else ">95 % interval"
    heads = (console.plain(by), f">{unit_of(result)}", ">labels", ">share", interval)
    table = console.make_table(f"By {by}", *heads, ">uncorrected", "0 to 100 %")
    for value, share in groups.items():
        estimate = share.female.estimate
        low, high, words = estimate.low, estimate.high, show_interval(share.female)
        if _assumed(result) and share.allowed is not None:
            low, high = share.allowed
            words = f"{100 * low:.1f} to {100 * high:.1f} %"
        table.add_row(
            console.plain(value),
            f"{share.faces:,}",
            f"{share.labels:,}",
            percent(estimate.value),
            words,
            percent(share.female.uncorrected),
            bar(low, estimate.value, high, ascii_only=not console.unicode()),
        )
    return table


def _assumed(result: Shares) -> bool:
    """Whether there are no labels to correct with, and ranges stand in for intervals."""
    from facegender.evaluation.counting import UNCORRECTED

    return result.whole.female.method == UNCORRECTED and result.whole.allowed is not None
