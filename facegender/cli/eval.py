"""`facegender eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender.choices import Condition, EvalSplit
from facegender.cli import _completion as completion
from facegender.cli._options import (
    Debug,
    Force,
    Json,
    Model,
    Output,
    Quiet,
    Workers,
    output_file,
    share,
)

if TYPE_CHECKING:
    from facegender.evaluation.evaluation import Evaluation
    from facegender.prediction.predictor import Predictor

Csv = Annotated[Path, typer.Argument(metavar="CSV", help="The table that prepare wrote.")]
Split = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.one_of(EvalSplit),
        help=f"Rows to evaluate on: {', '.join(EvalSplit)}.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        autocompletion=completion.columns,
        help="Only rows such as 'age not in 0-2,3-9'. Repeatable.",
    ),
]
By = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        autocompletion=completion.columns,
        help="Break down by a column; race,gender crosses two. Repeatable.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the bootstrap.")]

Stress = Annotated[
    bool,
    typer.Option(
        "--stress",
        help=f"Repeat it with other crops and degraded photos: {', '.join(Condition)}.",
    ),
]

Target = Annotated[
    float | None,
    typer.Option(metavar="P", help="Also find the lowest threshold that reaches this accuracy."),
]
Compare = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        metavar="OTHER",
        help="Compare with another model folder, or a CSV path,p_male of any tool's answers.",
    ),
]
Predictions = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        callback=output_file,
        help="Write path,label,p_male of every row as CSV.",
    ),
]
NoLeaks = Annotated[
    bool,
    typer.Option(
        "--no-leaks", help="Do not search the training rows for copies and persons of these rows."
    ),
]
Against = Annotated[
    Path | None,
    typer.Option(
        exists=True, metavar="CSV", help="The table with the training rows. Default: the same."
    ),
]
MinAccuracy = Annotated[
    float | None,
    typer.Option(metavar="P", callback=share, help="Exit with 1 below this accuracy."),
]
MinGroup = Annotated[
    float | None,
    typer.Option(
        "--min-group-accuracy",
        metavar="P",
        callback=share,
        help="Exit with 1 if a group of --by with enough photos is below this accuracy.",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        callback=output_file,
        help="Write a report as one HTML file: plots, groups, mistakes.",
    ),
]
Gallery = Annotated[
    int,
    typer.Option(
        min=0, metavar="N", help="Thumbnails in each part of the report's gallery; 0: none."
    ),
]
Record = Annotated[
    str | None,
    typer.Option(metavar="TITLE", help="Add the result to the model's card, under this title."),
]


def evaluate_command(
    csv: Csv = Path("faces.csv"),
    model: Model = None,
    split: Split = EvalSplit.TEST.value,
    where: Where = None,
    by: By = None,
    stress: Stress = False,
    target_accuracy: Target = None,
    compare: Compare = None,
    predictions: Predictions = None,
    no_leaks: NoLeaks = False,
    against: Against = None,
    min_accuracy: MinAccuracy = None,
    min_group_accuracy: MinGroup = None,
    report: Report = None,
    gallery: Gallery = 60,
    record: Record = None,
    seed: Seed = 0,
    force: Force = False,
    output: Output = None,
    workers: Workers = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender eval[/cyan]

    [cyan]facegender eval --by age --by race,gender[/cyan]

    [cyan]facegender eval --split val --where 'age not in 0-2,3-9' --json[/cyan]

    [cyan]facegender eval --compare ./older_model --min-accuracy .95[/cyan]

    Evaluates a model on photos that it was not trained on, by group and with
    95 % intervals. A photo without a face, or that cannot be read, counts
    as an error.
    """
    from facegender.cli import _console as console
    from facegender.cli._evaluation_display import print_evaluation, write_predictions
    from facegender.errors import UsageError
    from facegender.evaluation.evaluate import evaluate
    from facegender.models.card import check_record, record_evaluation
    from facegender.options import check_choice
    from facegender.prediction.predictor import Predictor

    check_choice("--split", split, EvalSplit)
    if output is not None and not json:
        raise UsageError("--output writes JSON", "Add --json.")
    _check_files(csv, [output, predictions, report], force=force)
    if min_group_accuracy is not None and not by:
        raise UsageError("--min-group-accuracy needs groups", "Add --by COLUMN.")
    predictor = Predictor(model, workers=workers)
    if record is not None:
        check_record(predictor.bundle, record)
    if not quiet:
        console.note(f"Model: {predictor.bundle.folder} ({predictor.chosen})")
    with console.progress("Judging", quiet=quiet or json) as on_progress:
        result = evaluate(
            csv,
            predictor,
            split=split,
            where=where,
            by=by,
            stress=stress,
            target_accuracy=target_accuracy,
            leaks=not no_leaks,
            against=against,
            compare=compare,
            seed=seed,
            on_progress=on_progress,
        )
    if record is not None:
        record_evaluation(predictor.bundle, result.to_json(), record)
    for warning in result.warnings:
        console.warn(warning + ".")
    if report is not None:
        _write_report(report, result, predictor, gallery)
    if predictions is not None:
        write_predictions(predictions, result)
    if json:
        console.write_result(console.json_text(result.to_json()) + "\n", output)
    else:
        print_evaluation(result)
    _demand(result, min_accuracy, min_group_accuracy)


def _check_files(csv: Path, written: list[Path | None], *, force: bool) -> None:
    """Refuse to write over the table, or over a file of somebody else.

    Raises:
        UsageError: it says which.
    """
    from facegender.errors import UsageError
    from facegender.runtime.own_files import refuse_foreign

    for file in written:
        if file is not None and file.exists() and csv.exists() and file.samefile(csv):
            raise UsageError(f"{file} is the table to judge on", "Choose another name.")
        if file is not None:
            refuse_foreign(file, force=force)


def _write_report(file: Path, result: Evaluation, predictor: Predictor, gallery: int) -> None:
    import shlex
    import sys

    from facegender.cli import _console as console
    from facegender.report.report import render_report
    from facegender.runtime.files import write_text

    html = render_report(
        result,
        predictor,
        shown=gallery,
        command=console.visible(shlex.join(["facegender", *sys.argv[1:]])),
    )
    write_text(file, html)


def _demand(result: Evaluation, accuracy: float | None, of_groups: float | None) -> None:
    """Fail where an accuracy that was asked for is not reached.

    Raises:
        FaceGenderError: it is not.
    """
    from facegender.errors import FaceGenderError

    found = result.metrics["accuracy"].value
    if accuracy is not None and not (found is not None and found >= accuracy):
        raise FaceGenderError(f"the accuracy is {found}, below the {accuracy} asked for")
    if of_groups is None:
        return
    judged = [
        (group["accuracy"].value, by, name)
        for by, groups in result.groups.items()
        for name, group in groups.items()
        if not group["too_small"]
    ]
    if not judged:
        raise FaceGenderError(
            "no group has enough photos to be judged, so --min-group-accuracy shows nothing",
            "Judge more photos, or bin the column, such as --by age:10.",
        )
    value, by, name = min(judged)
    if value < of_groups:
        below = sum(value < of_groups for value, _, _ in judged)
        raise FaceGenderError(
            f"the accuracy of {by} {name} is {value:.4f}, below the {of_groups} asked for; it is "
            f"the worst of {below} such groups"
        )
