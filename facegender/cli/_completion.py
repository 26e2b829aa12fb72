"""What the shell offers for the values of options; nothing here imports more than it must.

A completer gets what was typed so far and returns what it may become. The words are written out
here, because asking the modules that own them would import NumPy at every press of the tab key;
`tests/cli/test_completion.py` holds them to those modules.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import typer

Complete = Callable[[str], list[tuple[str, str]]]

ARCHITECTURES = {
    "lite": "the bundled model's",
    "compact": "quick from scratch",
    "classic": "the 2015 article's network",
}
CROPS = {
    "box": "a square around the face found",
    "eyes": "turned so that the eyes lie level",
    "photo": "each photo is one face",
}
SCHEDULES = {"cosine": "warm-up, then down to zero", "constant": "one rate"}
STARTS = {"bundled": "the bundled model", "none": "from scratch"}
SPLITS = {
    "test": "the rows for the test",
    "val": "the rows that chose the epoch",
    "train": "the rows that it learned from",
    "all": "every row",
}
METHODS = {
    "auto": "the folders' own, else by person, else by photo",
    "person": "nobody in two splits",
    "photo": "by photo",
    "folders": "as the folders say",
    "article": "as the 2015 article",
}
ALIGNMENTS = {"eyes": CROPS["eyes"], "box": "as they are"}
FACES = {"largest": "of each photo", "single": "leave out photos with several"}
FORMATS = {"png": "without loss", "jpeg": "smaller"}

LABEL_WORDS = ("label", "gender", "sex")
PATH_WORDS = ("path", "file", "filename", "file_name", "image", "photo")
_HEADER_BYTES = 65536


def one_of(words: dict[str, str]) -> Complete:
    """Offer fixed words, each with what it means."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        return [(word, what) for word, what in words.items() if word.startswith(incomplete)]

    return complete


def columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the columns of the table that the command line names; after a comma, another one.

    The option that waits for its value stops the parser, so that the table may still lie among
    the arguments that it has not come to.
    """
    before, comma, last = incomplete.rpartition(",")
    taken = before.split(",") if comma else []
    tables = [*ctx.args, ctx.params.get("csv") or "", "faces.csv"]
    names = next(filter(None, (_columns_of(Path(table)) for table in tables)), [])
    fits = [name for name in names if name.startswith(last) and name not in taken]
    return [before + comma + name for name in fits]


def _columns_of(table: Path) -> list[str]:
    """What rows can be grouped by, from the first line of a table; nothing without a header."""
    try:
        with table.open("rb") as file:
            line = file.readline(_HEADER_BYTES).decode("utf-8-sig")
    except (OSError, ValueError):
        return []
    delimiter = next((mark for mark in ",;\t" if mark in line), ",")
    header = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    if not {name.casefold() for name in header} & set(PATH_WORDS):
        return []
    found = [name for name in header if name.casefold() not in ("", *PATH_WORDS, *LABEL_WORDS)]
    return list(dict.fromkeys(["gender", *found]))
