"""Shell completion of option values, with minimal imports.

A completer gets the text typed so far and returns possible values. The names of columns are
listed here, because the module that reads tables imports NumPy, which is too slow for completion;
`tests/cli/test_completion.py` checks that both lists agree.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import typer

from facegender.choices import Choice

Complete = Callable[[str], list[tuple[str, str]]]

LABEL_WORDS = ("label", "gender", "sex")
PATH_WORDS = ("path", "file", "filename", "file_name", "image", "photo")
_HEADER_BYTES = 65536


def one_of(kind: type[Choice]) -> Complete:
    """Complete the words of a vocabulary, with their meanings."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        return [(word.value, word.meaning) for word in kind if word.startswith(incomplete)]

    return complete


def described(kind: type[Choice], default: Choice | None = None) -> str:
    """List the words of a vocabulary with their meanings, for a help text."""
    usual = {default: "; the default"}
    words = [f"{word} ({word.meaning}{usual.get(word, '')})" for word in kind]
    return f"{', '.join(words[:-1])} or {words[-1]}"


def columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the columns of the table on the command line; after a comma, another one.

    The parser stops at the option without a value, so the table may be among the arguments that
    are not parsed yet.
    """
    before, comma, last = incomplete.rpartition(",")
    taken = before.split(",") if comma else []
    tables = [*ctx.args, ctx.params.get("csv") or "", "faces.csv"]
    names = next(filter(None, (_columns_of(Path(table)) for table in tables)), [])
    fits = [name for name in names if name.startswith(last) and name not in taken]
    return [before + comma + name for name in fits]


def groupings(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer what `count` can group by: the folder, the year, and the columns of --attributes."""
    before, comma, last = incomplete.rpartition(",")
    table = ctx.params.get("attributes")
    names = [name for name in _columns_of(Path(table)) if name != "gender"] if table else []
    fits = [name for name in dict.fromkeys(["folder", "year", *names]) if name.startswith(last)]
    return [before + comma + name for name in fits]


def _columns_of(table: Path) -> list[str]:
    """Return the columns for grouping from the first line of a table; none without a header."""
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
