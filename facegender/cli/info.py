"""`facegender info`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from facegender.cli.options import Debug, Json

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

    Prints a model's card: data, training, how good it is and for whom, what
    it must not be used for. Its files are checked first; a damaged one is
    named and the exit code is 1.
    """
    from facegender.bundle import CARD, load_bundle
    from facegender.choice import choose_model
    from facegender.cli import console

    folder, chosen = choose_model(model)
    bundle = load_bundle(folder)
    if json:
        head = {"path": str(bundle.folder), "fingerprint": bundle.fingerprint, "chosen": chosen}
        facts = {"schema": 1, "model": head, "whole": True, **_facts(bundle.manifest)}
        console.write_result(console.json_text(facts) + "\n", None)
        return
    table = console.make_table("Files, all whole", "file", ">bytes", "sha-256")
    for role, entry in bundle.manifest["files"].items():
        table.add_row(console.plain(role), f"{entry['bytes']:,}", entry["sha256"][:16] + "…")
    total = sum(entry["bytes"] for entry in bundle.manifest["files"].values())
    table.add_section()
    table.add_row("all", f"{total:,}", "")
    card = bundle.files.get(CARD)
    if card is not None:
        text = card.read_text("utf-8")
        if sys.stdout.isatty():
            from rich.markdown import Markdown

            shown = "\n".join(map(console.visible, text.splitlines()))
            console.stdout().print(Markdown(shown))
        else:
            console.write_result(text + "\n", None)
    out = console.stdout()
    out.print(f"Model: {console.plain(bundle.folder)} ({chosen}, fingerprint {bundle.fingerprint})")
    console.print_table(table)


def _facts(manifest: object) -> dict[str, object]:
    assert isinstance(manifest, dict)
    return {key: value for key, value in manifest.items() if key not in ("schema", "fingerprint")}
