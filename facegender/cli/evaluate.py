"""`facegender eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facegender.cli.options import Debug, Json, Model, Output, Quiet, Workers

if TYPE_CHECKING:
    from facegender.evaluation import Evaluation
    from facegender.metrics import Estimate

TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "recall_female": "recall of women",
    "recall_male": "recall of men",
    "precision_female": "precision of women",
    "precision_male": "precision of men",
    "f1_female": "F1 of women",
    "f1_male": "F1 of men",
    "mcc": "Matthews correlation",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision (men)",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error (15 bins)",
}
SHARES = ("accuracy", "recall", "precision", "balanced", "f1", "ece")


Csv = Annotated[Path, typer.Argument(metavar="CSV", help="The table that prepare wrote.")]
Split = Annotated[
    str, typer.Option(metavar="NAME", help="Rows to judge on: test, val, train or all.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="CONDITION", help="Only rows such as 'age not in 0-2,3-9'. Repeatable."),
]
By = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN", help="Break down by a column; race,gender crosses two. Repeatable."
    ),
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the bootstrap.")]


Stress = Annotated[
    bool,
    typer.Option(
        "--stress",
        help="Repeat it under other crops (tighter, wider, shifted, turned) and worse photos "
        "(small, blurred, dark, JPEG, grey, mouth masked, eyes covered).",
    ),
]

Record = Annotated[
    str | None,
    typer.Option(metavar="TITLE", help="Add the result to the model's card, under this title."),
]


def evaluate_command(
    csv: Csv = Path("faces.csv"),
    model: Model = None,
    split: Split = "test",
    where: Where = None,
    by: By = None,
    stress: Stress = False,
    record: Record = None,
    seed: Seed = 0,
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

    Judges a model on photos it has not learned from: how good, for whom,
    with 95 % intervals. A photo without a face or that cannot be read
    counts as an error.
    """
    from facegender.card import record_evaluation
    from facegender.cli import console
    from facegender.errors import UsageError
    from facegender.evaluation import evaluate
    from facegender.predictor import Predictor

    if split not in ("train", "val", "test", "all"):
        raise UsageError(f"unknown split {split!r}", "Choose test, val, train or all.")
    if output is not None and not json:
        raise UsageError("--output writes JSON", "Add --json.")
    if output is not None and output.exists() and csv.exists() and output.samefile(csv):
        raise UsageError(f"--output {output} is the table to judge on", "Choose another name.")
    predictor = Predictor(model, workers=workers)
    if not quiet:
        console.note(f"Model: {predictor.bundle.folder} ({predictor.chosen})")
    with console.progress("Predicting", quiet=quiet or json) as on_progress:
        result = evaluate(
            csv,
            predictor,
            split=split,
            where=where,
            by=by,
            stress=stress,
            seed=seed,
            on_progress=on_progress,
        )
    if record is not None:
        record_evaluation(predictor.bundle, result.to_json(), record)
    for warning in result.warnings:
        console.warn(warning + ".")
    if json:
        console.write_result(console.json_text(result.to_json()) + "\n", output)
    else:
        _print(result)


def _print(result: Evaluation) -> None:
    from facegender.cli import console

    out = console.stdout()
    model = result.model or {}
    count = len(result.samples)
    out.print(f"Model {console.plain(model['path'])} (fingerprint {model['fingerprint']})")
    chosen = "".join(f", {text}" for text in result.where)
    out.print(
        f"Rows  {console.plain(str(result.csv))}, split {result.split}{console.plain(chosen)}: "
        f"{count:,} photos, {result.no_face:,} without a face, {result.unreadable:,} unreadable; "
        f"predicted in {result.seconds:.1f} s"
    )
    table = console.make_table("How good", "metric", ">value", ">95 % interval")
    for name, estimate in result.metrics.items():
        table.add_row(TITLES[name], *_cells(name, estimate))
    if result.no_face or result.unreadable:
        table.add_section()
        found = result.of_faces_found["accuracy"]
        table.add_row("accuracy of faces found", *_cells("accuracy", found))
    console.print_table(table)
    confusion = console.make_table(
        "Photos", "label", ">called female", ">called male", ">no answer"
    )
    totals = [int((result.answers.labels == label).sum()) for label in (0, 1)]
    for label, row in enumerate(result.confusion.tolist()):
        cells = [f"{value:,}" for value in (*row, totals[label] - sum(row))]
        confusion.add_row(("female", "male")[label], *cells)
    console.print_table(confusion)
    for by, groups in result.groups.items():
        console.print_table(_group_table(by, groups))
    if result.stress:
        table = console.make_table(
            "Under stress", "condition", "what", ">accuracy", ">95 % interval", ">answers changed"
        )
        for name, under in result.stress.items():
            shown = _cells("accuracy", under["accuracy"])
            table.add_row(name, under["what"], *shown, f"{under['flips']:,}")
        console.print_table(table)


def _group_table(by: str, groups: dict[str, dict[str, Any]]) -> Any:
    """A table of groups, the worst first; groups too small to judge come last, without numbers."""
    from facegender.cli import console

    names = ("accuracy", "recall_female", "recall_male")
    columns = (f">{title}" for name in names for title in (TITLES[name], "95 % interval"))
    table = console.make_table(f"By {by}, worst first", by, ">photos", *columns)
    order = sorted(
        groups, key=lambda value: (groups[value]["too_small"], groups[value]["accuracy"].value)
    )
    for value in order:
        group = groups[value]
        cells = [cell for name in names for cell in _cells(name, group[name])]
        if group["too_small"]:
            cells = ["too few", "", "", "", "", ""]
        table.add_row(console.plain(value or "(none)"), f"{group['photos']:,}", *cells)
    return table


def _cells(name: str, estimate: Estimate) -> tuple[str, str]:
    """Value and interval as text: shares in percent, the rest as numbers."""
    if estimate.value is None:
        return "undefined", ""

    def show(value: float) -> str:
        return f"{100 * value:.1f} %" if name.startswith(SHARES) else f"{value:.4f}"

    if estimate.low is None or estimate.high is None:
        return show(estimate.value), ""
    return show(estimate.value), f"{show(estimate.low)} to {show(estimate.high)}"
