"""`facegender info`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender.cli._options import Debug, Json

if TYPE_CHECKING:
    from rich.table import Table

    from facegender.models.integrity import BundleState

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL",
        help="Model folder. Default: $FACEGENDER_MODEL, else ./gender_model, else the bundled one.",
    ),
]


def info_command(model: Folder = None, json: Json = False, debug: Debug = False) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender info[/cyan]

    [cyan]facegender info ./gender_model --json[/cyan]

    Prints a model's card: data, training, accuracy by group, and limits of
    use. Each of its files is checked and listed with its size; the exit code
    is 1 if one is missing or damaged.
    """
    from facegender.cli import _console as console
    from facegender.errors import BundleError
    from facegender.models.default_model import choose_model
    from facegender.models.integrity import inspect_bundle

    folder, chosen = choose_model(model)
    found = inspect_bundle(folder)
    if json:
        head = {"path": str(found.folder), "fingerprint": found.fingerprint, "chosen": chosen}
        facts = {"schema": 1, "model": head, **found.to_json()}
        console.write_result(console.json_text(facts) + "\n", None)
    else:
        _print_card(found.card)
        console.stdout().print(
            f"Model: {console.plain(found.folder)} ({chosen}, fingerprint {found.fingerprint})"
        )
        console.print_table(_file_table(found))
    if not found.whole:
        problems = "; ".join(file.problem for file in found.files if file.problem)
        raise BundleError(
            problems, "Train or copy the model again; a model folder must stay whole."
        )


def _print_card(text: str) -> None:
    """Print a card, rendered where people read it."""
    from facegender.cli import _console as console

    if not text:
        return
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        shown = "\n".join(map(console.visible, text.splitlines()))
        console.stdout().print(Markdown(shown))
    else:
        console.write_result(text + "\n", None)


def _file_table(found: BundleState) -> Table:
    from facegender.cli import _console as console

    title = "Files, all whole" if found.whole else "Files, NOT all whole"
    table = console.make_table(title, "file", ">bytes", "sha-256", "state")
    for file in found.files:
        digest = console.plain(file.sha256[:16]) + "…"
        table.add_row(console.plain(file.name), f"{file.bytes:,}", digest, file.state)
    table.add_section()
    table.add_row("all", f"{sum(file.bytes for file in found.files):,}", "", "")
    return table
