"""`facegender export`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender.choices import ExportFormat
from facegender.cli import _completion as completion
from facegender.cli._options import Debug, Json, Quiet, Workers

if TYPE_CHECKING:
    from facegender.exporting.export import Export
    from facegender.exporting.samples import Photos

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL",
        help="Model folder. Default: $FACEGENDER_MODEL, else ./gender_model, else the bundled one.",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        autocompletion=completion.one_of(ExportFormat),
        help=completion.described(ExportFormat) + ".",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FOLDER", help="Where to write. Default: ./gender_FORMAT."
    ),
]
PhotosOption = Annotated[
    list[str] | None,
    typer.Option(
        "--photos",
        metavar="PHOTOS",
        help="Compare on 200 faces of these: a folder, pattern, photo or faces.csv. Repeatable. "
        "Default: synthetic pictures.",
    ),
]
Int8 = Annotated[
    bool,
    typer.Option("--int8", help="8-bit weights and activations (litert): a quarter of the size."),
]
Calibrate = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PHOTOS",
        help="Photos like those that the int8 model will see, as for --photos. A model that "
        "predict runs in 8 bits needs none.",
    ),
]
MaxDifference = Annotated[
    float | None,
    typer.Option(metavar="P", help="Maximum difference of int8 probabilities. Default: 0.3."),
]
MaxFlips = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE", help="Maximum share of answers that int8 changes. Default: 0.03."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an older export.")]


def export_command(
    format: Format,
    model: Folder = None,
    output: Output = None,
    photos: PhotosOption = None,
    int8: Int8 = False,
    calibrate: Calibrate = None,
    max_difference: MaxDifference = None,
    max_flips: MaxFlips = None,
    force: Force = False,
    workers: Workers = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender export --format onnx --photos ./photos[/cyan]

    [cyan]facegender export ./gender_model --format saved_model --output ./served[/cyan]

    [cyan]facegender export --format litert --int8 --calibrate faces.csv[/cyan]

    Converts a model for another engine, with its labels, crop and a README
    on how to run it without facegender. Before the folder is written, the
    engine runs the export and its answers are compared with the model's.
    """
    from facegender.cli import _console as console
    from facegender.exporting.export import export
    from facegender.exporting.formats import choose_format
    from facegender.models.default_model import choose_model

    choose_format(format, int8=int8)  # before photos are looked for
    folder, chosen = choose_model(model)
    if not quiet:
        console.note(f"Model: {folder} ({chosen})")
    with console.progress("Finding faces", quiet=quiet or json) as on_progress:
        result = export(
            format,
            output or Path(f"gender_{format}_int8" if int8 else f"gender_{format}"),
            model=folder,
            int8=int8,
            photos=_photos("--photos", photos),
            calibrate=_photos("--calibrate", calibrate),
            max_difference=max_difference,
            max_flips=max_flips,
            force=force,
            workers=workers,
            on_progress=on_progress,
            on_step=None if quiet else lambda step: console.note(f"{step} …"),
        )
    _warn(result)
    if json:
        console.write_result(console.json_text(result.to_json()) + "\n", None)
    else:
        _print(result)


def _photos(option: str, names: list[str] | None) -> Photos | None:
    """What an option names: the path of a table, or photos."""
    from facegender.cli import _console as console
    from facegender.cli import _inputs as inputs
    from facegender.errors import DataError, UsageError

    if not names:
        return None
    for name in names:
        if not (os.path.lexists(name) or name == "-" or any(mark in name for mark in "*?[")):
            raise UsageError(f"{option} {name}: there is no such file or folder", "")
    if any(name.lower().endswith(".csv") for name in names):
        if len(names) > 1:
            raise UsageError(f"{option} takes a faces.csv alone", "Give one CSV, or photos.")
        return Path(names[0])
    how = inputs.Inputs(recursive=True)
    named = inputs.expand(names, how, lambda name, why: console.warn(f"{name}: {why}"))
    sources = [photo.source for photo in named]
    if not sources:
        raise DataError(f"{option}: no photo was found", "")
    return sources


def _warn(result: Export) -> None:
    """Say what a reader must know before believing the comparison."""
    from facegender.cli import _console as console

    agreement = result.agreement
    if agreement.made:
        console.note("Compared on made pictures: use --photos to compare on your faces.")
    if agreement.sample.unreadable:
        console.warn(f"{agreement.sample.unreadable:,} photos could not be read.")


def _print(result: Export) -> None:
    from facegender.cli import _console as console

    facts, agreement = result.facts, result.agreement
    table = console.make_table("Files", "file", ">bytes")
    for name, entry in facts["files"].items():
        table.add_row(console.plain(name), f"{entry['bytes']:,}")
    console.print_table(table)
    engine, limits = facts["engine"], facts["comparison"]["limits"]
    console.stdout().print(
        f"Run by {engine['name']} {engine['version']} on {agreement.what}, beside the Keras model: "
        f"largest difference {agreement.largest:.2g} (allowed {limits['largest_difference']:g}), "
        f"answers changed {agreement.flips:,} (allowed {limits['flips']:,}).\n"
        f"Written: {console.plain(result.folder)}"
    )
