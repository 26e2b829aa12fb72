"""Terminal output: results on stdout; progress, warnings and errors on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from facegender.errors import FaceGenderError, Interrupted

OnProgress = Callable[[int, int], None]


def stdout() -> Console:
    """A console for results."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


_shown: list[Console] = []
"""The console of the visible progress bar: text printed through it appears above the bar."""
_beside: list[Callable[[str], None]] = []
"""Writes beside that bar."""


def stderr() -> Console:
    """A console for progress, warnings and errors."""
    from rich.console import Console

    if _shown:
        return _shown[-1]
    return Console(file=sys.stderr, highlight=False, soft_wrap=not sys.stderr.isatty())


def live() -> bool:
    """Return whether a bar can be drawn on stderr; not in a pipe, even with FORCE_COLOR."""
    console = stderr()
    return sys.stderr.isatty() and console.is_terminal and not console.is_dumb_terminal


def plain(text: str | os.PathLike[str]) -> str:
    """Return text that any terminal can show: markup escaped, odd bytes and controls visible."""
    from rich.markup import escape

    return escape(visible(text))


def visible(text: str | os.PathLike[str]) -> str:
    """Escape undecodable bytes and control characters, such as a newline in a file name."""
    decoded = os.fspath(text).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() or c == " " else ascii(c)[1:-1] for c in decoded)


def warn(message: str) -> None:
    """Print a warning."""
    stderr().print(f"[yellow]Warning:[/] {plain(message)}")


def failed(name: str, why: str) -> None:
    """Print a line for one input that could not be used."""
    stderr().print(f"[red]Failed:[/] {plain(name)}: {plain(why)}")


def note(message: str) -> None:
    """Print an informational message."""
    stderr().print(f"[dim]{plain(message)}[/]")


def fail(error: FaceGenderError) -> None:
    """Print an error and its hint."""
    console = stderr()
    console.print(f"[bold red]Error:[/] {plain(error.message)}")
    if error.hint:
        console.print(f"       {plain(error.hint)}")


def stopped(by: Interrupted) -> None:
    """Print what a stop that was asked for left, and how to go on: it is no error."""
    console = stderr()
    console.print(f"[bold]{plain(by.message[:1].upper() + by.message[1:])}[/]")
    if by.hint:
        console.print(plain(by.hint))


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Serialise for the JSON contract: ASCII-safe names, null and never NaN."""
    return json.dumps(value, ensure_ascii=True, indent=indent, allow_nan=False)


def write_result(text: str, output: Path | None) -> None:
    """Write a result to `output` atomically, or to stdout."""
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    from facegender.runtime.files import write_text

    write_text(output, text)


def print_table(table: Table, stream: TextIO | None = None) -> None:
    """Print a table to stdout, or to a file, which stays plain even where FORCE_COLOR is set;
    piped, at a width that cuts nothing."""
    from rich.console import Console

    to = sys.stdout if stream is None else stream
    colors: Any = "auto" if to is sys.stdout else None
    size: dict[str, Any] = (
        {} if to.isatty() else {"width": 200, "height": 60}
    )  # both, or Rich keeps neither
    Console(file=to, highlight=False, color_system=colors, **size).print(table)


def print_above_bar(table: Table, stream: TextIO) -> None:
    """Print part of a result to `stream`, above the bar if both are on the same terminal."""
    if _shown and stream.isatty():
        _shown[-1].print(table)
    else:
        print_table(table, stream)


def make_table(title: str, *columns: str) -> Table:
    """Start a table in the house style; columns that begin with ``>`` are right-aligned."""
    from rich import box
    from rich.table import Table

    style = box.SIMPLE_HEAD if unicode() else box.ASCII2
    table = Table(title=title, title_justify="left", title_style="bold", box=style, pad_edge=False)
    for column in columns:
        name = column.removeprefix(">")
        table.add_column(name, justify="right" if column != name else "left", overflow="fold")
    return table


@contextmanager
def progress(text: str, *, quiet: bool = False) -> Iterator[OnProgress | None]:
    """Show a bar with rate and time left on stderr; nothing if it is not a terminal."""
    if quiet or not live():
        yield None
        return
    console = stderr()
    from rich import progress as rich_progress

    bar = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[rate]}"),
        rich_progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        auto_refresh=False,  # no refresh thread: the bar is refreshed on change
    )
    task = bar.add_task(text, total=None, rate="")
    started, first, last = _Throttle(), 0, 0

    def update(done: int, total: int) -> None:
        nonlocal started, first, last
        if done < last:  # a new pass over the photos has its own rate
            started, first = _Throttle(), done
            bar.reset(task, total=total, rate="")
        if not last:
            first = done  # what an earlier run did took no time
        last = done
        if started.due() or done == total:
            rate = f"{(done - first) / max(started.elapsed(), 1e-9):,.0f}/s"
            bar.update(task, completed=done, total=total, rate=rate)
            bar.refresh()

    def tell(words: str) -> None:
        if started.due():
            bar.update(task, rate=words)
            bar.refresh()

    _shown.append(console)
    _beside.append(tell)
    try:
        with bar:
            yield update
    finally:
        _beside.pop()
        _shown.pop()


def beside_bar(words: str) -> None:
    """Write beside the bar instead of its rate, where one is shown: how far a long step is."""
    if _beside:
        _beside[-1](words)


class _Throttle:
    """Limits updates to one per tenth of a second."""

    def __init__(self) -> None:
        import time

        self._clock = time.monotonic
        self._first = self._last = self._clock()

    def due(self) -> bool:
        """Return whether an update is due."""
        now = self._clock()
        if now - self._last < 0.1:
            return False
        self._last = now
        return True

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._first


def unicode() -> bool:
    """Return whether stdout can encode box characters (some Windows code pages cannot)."""
    try:
        "─│✓".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
