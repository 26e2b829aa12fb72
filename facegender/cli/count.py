"""`facegender count`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender import choices
from facegender.cli import _completion as completion
from facegender.cli._options import Debug, Json, Output, Quiet, output_file

if TYPE_CHECKING:
    from facegender.evaluation.recorded_recalls import Recalls
    from facegender.evaluation.shares import Shares

Answers = Annotated[
    Path,
    typer.Argument(
        metavar="ANSWERS",
        help="What predict wrote: .jsonl, .json, .csv, or the folder of --engine ray; - reads "
        "standard input.",
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="labels.csv of review, or a CSV path,box,label made elsewhere: corrects the shares.",
    ),
]
By = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.groupings,
        help="Break down by folder, year, or a column of --attributes; race,age crosses two. "
        "Repeatable.",
    ),
]
Attributes = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        metavar="CSV",
        help="A table with a path column and what to group by.",
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        metavar="FOLDER",
        help="The model that answered: its card's recalls give a range where there are no "
        "labels. Default: as predict.",
    ),
]
Plan = Annotated[
    float | None,
    typer.Option(metavar="X", help="Say how many labels give ± X: .02 for two points."),
]
UnitOption = Annotated[
    str | None,
    typer.Option(
        "--unit",
        metavar="WHICH",
        autocompletion=completion.one_of(choices.Unit),
        help="Of answers that hold both: face counts the photos, track the videos.",
    ),
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, a row a group.")]
Report = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        callback=output_file,
        help="Write a report as one HTML file, with plots.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace what is at --output and --report, whatever it is.")
]


def count_command(
    answers: Answers,
    labels: Labels = None,
    by: By = None,
    attributes: Attributes = None,
    model: Model = None,
    plan: Plan = None,
    unit: UnitOption = None,
    json: Json = False,
    csv: Csv = False,
    output: Output = None,
    report: Report = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender count answers.jsonl --by year[/cyan]

    [cyan]facegender count answers.jsonl --labels labels.csv --by folder[/cyan]

    [cyan]facegender count answers.jsonl --plan .02[/cyan]

    [cyan]facegender count answers.jsonl --labels labels.csv --report shares.html[/cyan]

    Counts the share of women in what predict answered. With labels of a
    random sample it is corrected for the model's errors and has a 95 %
    interval; without, it is a raw count. It is the perceived gender.
    """
    from facegender.cli import _console as console
    from facegender.cli._shares_display import print_shares, shares_csv
    from facegender.errors import UsageError
    from facegender.evaluation.shares import count_shares
    from facegender.options import check_choice
    from facegender.runtime.own_files import refuse_foreign

    check_choice("--unit", unit, choices.Unit)
    if json and csv:
        raise UsageError("--json and --csv are two formats", "Choose one.")
    if output is not None and not (json or csv):
        json, csv = output.suffix == ".json", output.suffix == ".csv"
        if not (json or csv):
            raise UsageError("--output writes JSON or CSV", "Add --json or --csv.")
    _refuse_inputs((output, report), (answers, labels, attributes))
    for target in (output, report):
        if target is not None:
            refuse_foreign(target, force=force)
    recalls, fingerprint = _recalls_of(model) if labels is None else ([], "")
    with console.progress("Counting", quiet=quiet or json) as on_progress:
        result = count_shares(
            answers,
            by=by or (),
            attributes=attributes,
            labels=labels,
            recalls=recalls,
            fingerprint=fingerprint,
            plan=plan,
            unit=unit,
            on_progress=on_progress,
        )
    for warning in result.warnings:
        console.warn(warning + ".")
    if report is not None:
        _write_report(report, result)
    if json:
        console.write_result(console.json_text(result.to_json()) + "\n", output)
    elif csv:
        console.write_result(shares_csv(result), output)
    else:
        print_shares(result)


def _refuse_inputs(written: tuple[Path | None, ...], read: tuple[Path | None, ...]) -> None:
    """Refuse to write over what is read.

    Raises:
        UsageError: a file is to be both.
    """
    from facegender.errors import UsageError

    for target in written:
        for source in read:
            if target is None or source is None or not (target.exists() and source.exists()):
                continue
            if target.samefile(source):
                raise UsageError(f"{target} is to be read and written", "Choose another name.")


def _recalls_of(model: Path | None) -> tuple[list[Recalls], str]:
    """Return what the card of the model says, and its fingerprint; nothing without a model."""
    from facegender.errors import BundleError
    from facegender.evaluation.recorded_recalls import recorded_recalls
    from facegender.models.bundle import load_manifest
    from facegender.models.default_model import choose_model

    try:
        manifest = load_manifest(choose_model(model)[0])
    except BundleError:
        if model is not None:
            raise
        return [], ""
    return recorded_recalls(manifest), str(manifest["fingerprint"])


def _write_report(file: Path, result: Shares) -> None:
    import shlex
    import sys

    from facegender.cli import _console as console
    from facegender.report.shares import render_shares
    from facegender.runtime.files import write_text

    command = console.visible(shlex.join(["facegender", *sys.argv[1:]]))
    write_text(file, render_shares(result, command))
