"""`facegender predict`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender.cli.options import Debug, Json, Model, Output, Quiet, Workers

if TYPE_CHECKING:
    from facegender.predictor import Prediction, Predictor


Photos = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHOTO",
        help="Photos, folders, patterns, or - for a list on stdin.",
        show_default=False,
    ),
]
Nul = Annotated[
    bool, typer.Option("-0", "--null", help="Names on stdin end in NUL bytes, as find -print0.")
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Take the folders inside folders too.")
]
Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="P", help="Below this probability a face is uncertain. Default: the model's."
    ),
]
Jsonl = Annotated[
    bool, typer.Option("--jsonl", help="Print a line of JSON a photo, in groups as they are done.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


def predict_command(
    photos: Photos = None,
    nul: Nul = False,
    recursive: Recursive = False,
    model: Model = None,
    threshold: Threshold = None,
    json: Json = False,
    jsonl: Jsonl = False,
    csv: Csv = False,
    output: Output = None,
    workers: Workers = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender predict face.jpg[/cyan]

    [cyan]facegender predict ./faces --recursive --csv --output genders.csv[/cyan]

    [cyan]find . -name '*.jpg' -print0 | facegender predict -0 - --jsonl[/cyan]

    Says for each photo whether its face is perceived as female or male, and
    how sure that is. A photo is taken as one face. A broken photo is one
    line on stderr and exit code 3; the others are still answered.
    """
    from facegender.cli import console, inputs, writers
    from facegender.errors import DataError, UsageError
    from facegender.predictor import Predictor

    if json + jsonl + csv > 1:
        raise UsageError("--json, --jsonl and --csv contradict each other", "Give one of them.")
    failed = _Failures()
    names = inputs.expand(photos or [], recursive=recursive, nul=nul, on_empty=failed)
    first = next(names, None)
    if first is None:
        raise DataError("there is no photo to predict", "")
    predictor = Predictor(model, threshold=threshold, workers=workers)
    if not quiet:
        fingerprint = predictor.bundle.fingerprint
        console.note(
            f"Model: {predictor.bundle.folder} ({predictor.chosen}, fingerprint {fingerprint})"
        )
    write = (
        writers.write_json
        if json
        else writers.write_jsonl
        if jsonl
        else writers.write_csv
        if csv
        else writers.write_table
    )
    with writers.opened(output) as stream:
        photos_in = _spared(chain([first], names), output)
        write(_watched(photos_in, predictor, failed), predictor, stream)
    if failed.count:
        raise typer.Exit(3)


class _Failures:
    """Prints a line on stderr for everything that failed, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, name: str, why: str) -> None:
        from facegender.cli import console

        self.count += 1
        console.stderr().print(f"[red]Failed:[/] {console.plain(name)}: {console.plain(why)}")


def _spared(names: Iterator[str], output: Path | None) -> Iterator[str]:
    """Pass the photos on, but refuse to write the answers over one of them."""
    from facegender.errors import UsageError

    there = output is not None and output.is_file()
    for name in names:
        if there and output is not None and os.path.exists(name) and output.samefile(name):
            raise UsageError(f"--output {output} is one of the photos", "Choose another name.")
        yield name


def _watched(names: Iterator[str], predictor: Predictor, failed: _Failures) -> Iterator[Prediction]:
    """Predict, and report every photo that could not be used."""
    for prediction in predictor.stream(names):
        if prediction.error is not None:
            failed(prediction.path or "", prediction.error.message)
        yield prediction
