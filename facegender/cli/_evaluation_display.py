"""Evaluations as tables."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegender.report.sections import (
    TITLES,
    comparison_rows,
    extremes_sentences,
    group_rows,
    show_estimate,
    worst_first,
)

if TYPE_CHECKING:
    from rich.table import Table

    from facegender.evaluation.comparison import Comparison
    from facegender.evaluation.evaluation import Evaluation

MAX_GROUPS = 60
"""Maximum number of groups in a table on the terminal."""


def print_evaluation(result: Evaluation) -> None:
    """Print an evaluation to stdout: warnings first, then the numbers."""
    from facegender.cli import _console as console

    out = console.stdout()
    _warn_of_leaks(result)
    model = result.model or {}
    out.print(f"Model {console.plain(model['path'])} (fingerprint {model['fingerprint']})")
    chosen = "".join(f", {text}" for text in result.where)
    if result.reviewed is not None:
        for sentence in _reviewed(result, result.reviewed):
            out.print(console.plain(sentence))
    else:
        out.print(
            f"Rows  {console.plain(str(result.csv))}, split {result.split}{console.plain(chosen)}: "
            f"{len(result.samples):,} photos, {result.no_face:,} without a face, "
            f"{result.unreadable:,} unreadable; predicted in {result.seconds:.1f} s"
        )
    console.print_table(_metrics_table(result))
    console.print_table(_confusion_table(result))
    for by, groups in result.groups.items():
        for sentence in extremes_sentences(by, result.extremes[by]):
            out.print(console.plain(sentence))
        console.print_table(_group_table(by, groups))
    if result.stress:
        console.print_table(_stress_table(result))
    if result.comparison is not None:
        console.print_table(_comparison_table(result.comparison))
    for sentence in _calibration(result):
        out.print(console.plain(sentence))


def _reviewed(result: Evaluation, reviewed: dict[str, int]) -> list[str]:
    """What was judged of a labels.csv, and what people called neither female nor male."""
    chosen = "".join(f", {text}" for text in result.where)
    sentences = [
        f"Rows  {result.csv}{chosen}: {len(result.samples):,} faces in {reviewed['photos']:,} "
        f"photos, {result.no_face:,} not found, {result.unreadable:,} unreadable; predicted in "
        f"{result.seconds:.1f} s"
    ]
    if reviewed["not_face"]:
        sentences.append(
            f"Not faces: {reviewed['not_face']:,}, of which {reviewed['taken_for_faces']:,} are "
            "taken for one."
        )
    if reviewed["untellable"]:
        sentences.append(f"Could not be told: {reviewed['untellable']:,}, which are not evaluated.")
    return sentences


def write_predictions(file: Path, result: Evaluation) -> None:
    """Write path, label and probability of every row; an empty one where there is no answer."""
    from facegender.dataset.encodings import BOM
    from facegender.dataset.table import relative_path
    from facegender.runtime.files import text_writer, write_csv_row

    folder = os.path.abspath(file.parent)
    rows = zip(result.samples.paths, result.samples.labels, result.answers.p_male, strict=True)
    with text_writer(file) as text:
        text.write(BOM if any(not path.isascii() for path in result.samples.paths) else "")
        write_csv_row(text, ["path", "label", "p_male"])
        for path, label, p_male in rows:
            answer = "" if math.isnan(p_male) else f"{p_male:.7g}"
            write_csv_row(text, [relative_path(path, folder), int(label), answer])


def _warn_of_leaks(result: Evaluation) -> None:
    """Print what the rows share with the training rows."""
    from facegender.cli import _console as console

    leaks = result.leakage
    if leaks is None:
        return
    for found, what in (
        (len(leaks.exact), "of these photos are among the training photos too, byte for byte"),
        (len(leaks.near), "of these photos look the same as a training photo"),
        (len(leaks.persons), "persons are in both"),
    ):
        if found:
            console.warn(f"LEAK: {found:,} {what}: the numbers overestimate the model.")


def _metrics_table(result: Evaluation) -> Table:
    from facegender.cli import _console as console

    table = console.make_table("Metrics", "metric", ">value", ">95 % interval")
    for name, estimate in result.metrics.items():
        value, interval = show_estimate(name, estimate)
        chance = result.calibration.get("chance_ece")
        if name == "ece" and chance is not None:
            interval = f"by chance up to {100 * chance:.1f} %"
        table.add_row(TITLES[name], value, interval)
    if result.no_face or result.unreadable:
        table.add_section()
        found = result.of_faces_found["accuracy"]
        table.add_row("accuracy of faces found", *show_estimate("accuracy", found))
    return table


def _confusion_table(result: Evaluation) -> Table:
    from facegender.cli import _console as console

    table = console.make_table("Photos", "label", ">called female", ">called male", ">no answer")
    totals = [int((result.answers.labels == label).sum()) for label in (0, 1)]
    for label, row in enumerate(result.confusion.tolist()):
        cells = [f"{value:,}" for value in (*row, totals[label] - sum(row))]
        table.add_row(("female", "male")[label], *cells)
    return table


def _stress_table(result: Evaluation) -> Table:
    from facegender.cli import _console as console

    table = console.make_table(
        "Robustness", "condition", "what", ">accuracy", ">95 % interval", ">answers changed"
    )
    for name, under in result.stress.items():
        shown = show_estimate("accuracy", under["accuracy"])
        table.add_row(name, under["what"], *shown, f"{under['flips']:,}")
    return table


def _calibration(result: Evaluation) -> list[str]:
    """Print coverage and accuracy at the threshold, and the threshold for a target accuracy."""
    level, target = result.calibration["uncertain"], result.calibration["target"]
    sentences = []
    if level["accuracy"] is not None:
        sentences.append(
            f"At the threshold {level['threshold']:g}, {100 * level['coverage']:.1f} % of the "
            f"photos get a sure answer, and {100 * level['accuracy']:.1f} % of these are correct."
        )
    if target is not None and target["level"] is None:
        sentences.append(f"No threshold reaches an accuracy of {target['accuracy']:g}.")
    elif target is not None:
        found = target["level"]
        sentences.append(
            f"An accuracy of {target['accuracy']:g} is reached at --threshold "
            f"{found['threshold']:.4f}, which answers {100 * found['coverage']:.1f} % of them. "
            "It was chosen on these photos: evaluate it on others."
        )
    return sentences


def _comparison_table(found: Comparison) -> Table:
    from facegender.cli import _console as console

    table = console.make_table("Comparison with another model", "", ">value")
    for name, value in comparison_rows(found):
        table.add_row(name, console.plain(value))
    return table


def _group_table(by: str, groups: dict[str, dict[str, Any]]) -> Table:
    """Return a table of groups, the worst first; those that are too small last, without numbers."""
    from facegender.cli import _console as console

    order = worst_first(groups)
    heads, rows = group_rows(groups, order[:MAX_GROUPS])
    title = f"By {by}, worst first"
    if len(order) > MAX_GROUPS:
        title += f" (the first {MAX_GROUPS} of {len(order):,}; --json has all)"
    table = console.make_table(title, by, *(f">{head}" for head in heads[1:]))
    for row in rows:
        table.add_row(*(console.plain(cell) for cell in row))
    return table
