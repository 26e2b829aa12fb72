"""What a run of `predict` found in all: the closing line, and a table of groups."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from facegender.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from facegender.prediction.tally import Tally

FOLDER: Final = "folder"
"""The summary by the folder that a photo lies in."""


class Summary:
    """Counts answers, in all and by group.

    Args:
        by: "folder", a column of `attributes`, or None for no groups.
        attributes: a CSV with a path column.

    Raises:
        UsageError: a column, but no table; or no such column.
        DataError: the table cannot be read.
    """

    def __init__(self, by: str | None = None, attributes: Path | None = None) -> None:
        from facegender.prediction.tally import Tally

        self.by = by
        self.all = Tally()
        self.groups: dict[str, Tally] = {}
        self._group_of = _grouping(by, attributes)

    def add(self, path: str, tally: Tally) -> None:
        """Count one photo's answer."""
        from facegender.prediction.tally import Tally

        self.all += tally
        if self._group_of is not None:
            group = self._group_of(path)
            self.groups[group] = self.groups.get(group, Tally()) + tally

    def table(self) -> Table:
        """Return a row a group and one for all."""
        from facegender.cli import _console as console

        heads: tuple[str, ...] = (
            ">photos",
            ">faces",
            ">women",
            ">men",
            ">uncertain",
            ">no face",
            ">failed",
        )
        videos = self.all.screen_time.seconds > 0
        if videos:
            heads += (">women on screen", ">men on screen", ">women's share")
        table = console.make_table(f"By {self.by}", self.by or "", *heads)
        for group in sorted(self.groups):
            cells = _cells(self.groups[group], videos=videos)
            table.add_row(console.plain(group or "(missing)"), *cells)
        table.add_section()
        table.add_row("all", *_cells(self.all, videos=videos))
        return table

    def closing_line(self, written: list[Path], *, shown: int, only: str | None) -> str:
        """Return one line: what was found and which files were written."""
        line = self.all.sentence()
        if only is not None:
            line += f"; {shown:,} shown ({only})"
        if written:
            line += f". Written: {', '.join(map(str, written))}"
        return line


def _grouping(by: str | None, attributes: Path | None) -> Callable[[str], str] | None:
    if by is None:
        if attributes is not None:
            raise UsageError("--attributes is for --summary COLUMN", "Add --summary COLUMN.")
        return None
    if attributes is None:
        if by != FOLDER:
            raise UsageError(
                f"--summary {by} needs a table with that column",
                "Add --attributes FILE, a CSV with a column path; or write --summary folder.",
            )
        return lambda path: os.path.dirname(path) or "."
    from facegender.dataset.attributes import ColumnByPath

    return ColumnByPath(attributes, by).value


def _cells(tally: Tally, *, videos: bool) -> list[str]:
    counts = (tally.photos, tally.faces, tally.women, tally.men, tally.uncertain)
    cells = [f"{count:,}" for count in (*counts, tally.no_face, tally.failed)]
    if not videos:
        return cells
    from facegender.images.clock import clock

    screen = tally.screen_time
    share = "" if screen.share_female is None else f"{100 * screen.share_female:.1f} %"
    return [*cells, clock(screen.female), clock(screen.male), share]
