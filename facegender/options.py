"""Checks of options before any work: words, numbers, and output paths.

Each raises a `UsageError` that names the option as on the command line, what was received and what
is expected.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from facegender.errors import UsageError

Place = str | os.PathLike[str]


def check_choice(option: str, value: str | None, known: Iterable[str]) -> None:
    """Refuse an unknown word; None is the default.

    Raises:
        UsageError: an unknown word.
    """
    words = [str(word) for word in known]
    if value is not None and value not in words:
        raise UsageError(f"unknown {option} {value!r}", f"Choose one of {', '.join(words)}.")


def check_number(
    option: str, value: float | None, low: float, high: float | None = None, what: str = ""
) -> None:
    """Refuse a number outside of `low` to `high`, both included, and NaN; None is the default.

    Args:
        option: as the command line spells it.
        value: what was given.
        low, high: the range; without `high` there is no upper end.
        what: the unit, for the message.

    Raises:
        UsageError: a number out of range.
    """
    top = float("inf") if high is None else high
    if value is None or (low <= value <= top and value != float("inf")):
        return
    unit = f" {what}" if what else ""
    expected = f"{low:g}{unit} or more" if high is None else f"{low:g} to {high:g}{unit}"
    raise UsageError(f"{option} is {value}", f"It must be {expected}.")


def check_workers(workers: int | None) -> None:
    """Refuse a number of processes below one.

    Raises:
        UsageError: zero or less.
    """
    check_number("--workers", workers, 1)


def check_output_file(option: str, file: Place) -> None:
    """Refuse a file that cannot be written: its folder must exist, and it must be no folder.

    Raises:
        UsageError: no place for a file.
    """
    path = Path(file)
    if not path.name or path.is_dir():
        raise UsageError(f"{option} {path} is a folder", "Give the name of a file.")
    _check_parent(option, path)
    if not path.exists() or path.is_file():  # a device is written in place
        _check_writable(option, path, Path(os.path.realpath(path)).parent)


def check_output_folder(option: str, folder: Place, *, parents: bool = True) -> None:
    """Refuse a folder that cannot be made.

    Args:
        option: as the command line spells it.
        folder: it may exist.
        parents: folders above it are made too; otherwise its parent must exist.

    Raises:
        UsageError: no place for a folder.
    """
    path = Path(folder)
    if not os.fspath(folder):
        raise UsageError(f"{option} is empty", "Give the name of a folder.")
    if not parents:
        _check_parent(option, path)
    there = next((place for place in (path, *path.parents) if os.path.lexists(place)), Path())
    if not there.is_dir():
        raise UsageError(f"{option} {path}: {there} is not a folder", "Choose another place.")
    _check_writable(option, path, there)


def _check_writable(option: str, path: Path, folder: Path) -> None:
    if not os.access(folder, os.W_OK):
        raise UsageError(
            f"{option} {path}: the folder {folder} cannot be written",
            "Choose another place; this one is read-only, or not yours.",
        )


def _check_parent(option: str, path: Path) -> None:
    if not path.parent.is_dir():
        raise UsageError(
            f"{option} {path}: there is no folder {path.parent}",
            "Create it first, or choose another.",
        )
