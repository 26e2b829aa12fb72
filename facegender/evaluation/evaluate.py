"""Evaluating a model on labelled photos: metrics, groups, robustness, leakage, comparison."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from facegender.choices import EvalSplit, Split
from facegender.dataset.open_table import Table
from facegender.dataset.samples import Samples
from facegender.dataset.table import read_table
from facegender.dataset.verify import find_changes
from facegender.dataset.where import parse_condition
from facegender.evaluation.calibration import check_target, describe_calibration
from facegender.evaluation.comparison import (
    Comparison,
    OtherPredictions,
    compare_predictions,
    read_predictions,
)
from facegender.evaluation.evaluation import Evaluation
from facegender.evaluation.gaps import SMALL
from facegender.evaluation.grouping import group_values
from facegender.evaluation.groups import estimate_all, estimate_robustness, group_by
from facegender.evaluation.intervals import Estimate
from facegender.evaluation.leakage import Leakage, find_leakage
from facegender.evaluation.metrics import Predictions
from facegender.evaluation.reviewed import warnings_of
from facegender.evaluation.rows import (
    Answers,
    OnProgress,
    Rows,
    answer_rows,
    p_male_of,
    select_rows,
)
from facegender.options import check_choice, check_number
from facegender.prediction.predictor import Predictor

NAMED = 3
"""Maximum number of photos that a warning names."""
SWAPPED_AUC = 0.25
"""A ROC AUC below this suggests swapped labels: a useless model has 0.5."""


def evaluate(
    csv: str | os.PathLike[str] | Table,
    predictor: Predictor,
    *,
    split: str = EvalSplit.TEST,
    where: list[str] | None = None,
    by: list[str] | None = None,
    stress: bool = False,
    target_accuracy: float | None = None,
    leaks: bool = True,
    against: str | os.PathLike[str] | None = None,
    compare: str | os.PathLike[str] | None = None,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Evaluate a model on rows of faces.csv, with the same predictions as `predict`.

    Args:
        csv: the table, or the result of `open_table`; or a labels.csv, whose rows are single
            faces.
        predictor: the model.
        split: rows to evaluate; one of `choices.EvalSplit`.
        where: conditions that rows must satisfy; see `parse_condition`.
        by: columns to break the result down by; ``race,gender`` crosses two.
        stress: repeat the evaluation under the conditions of `robustness.CONDITIONS`.
        target_accuracy: also find the lowest threshold that reaches it.
        leaks: search for photos and persons of the rows among the training rows.
        against: the table with the training rows; None means `csv`.
        compare: a model folder, or a CSV ``path,p_male`` of another tool's answers.
        seed: of the bootstrap and of simulations.
        on_progress: called with (photos done, photos in all), once for each pass over them.

    Raises:
        DataError: no such rows.
        UsageError: an unknown split or column, a condition that cannot be read, or a number out
            of range.
    """
    check_choice("--split", split, EvalSplit)
    check_target(target_accuracy)
    check_number("--seed", seed, 0)
    for condition in where or []:
        parse_condition(condition)
    trained = None if against is None or not leaks else read_table(Path(against))
    rows = select_rows(csv, split, where or [], stress=stress)
    cropped = rows.table.is_cropped_to(predictor.bundle.geometry)
    columns = dict(group_values(rows.samples, names) for names in by or [])
    other = None if compare is None else _other(compare, rows, predictor.workers)
    warnings = _warnings(predictor, rows) + _changed(rows, predictor.workers, on_progress)
    leakage = _leakage(rows, trained, predictor.workers, on_progress) if leaks else None
    answers = answer_rows(predictor, rows, cropped, on_progress)
    result = _described(predictor, rows, answers, columns, target_accuracy, seed)
    result.leakage, result.cropped = leakage, cropped
    result.warnings = warnings + result.warnings
    if stress:
        result.stress = estimate_robustness(
            predictor, rows.samples, result.answers, cropped, seed, on_progress
        )
    if other is not None:
        if isinstance(other, Predictor):
            other = _predictions_of(other, rows, cropped, on_progress)
        result.comparison = compare_predictions(
            result.answers, other, rows.samples.persons, seed=seed
        )
        result.warnings += _not_compared(result.comparison, rows.samples)
    return result


def _described(
    predictor: Predictor,
    rows: Rows,
    answers: Answers,
    columns: dict[str, list[str]],
    target_accuracy: float | None,
    seed: int,
) -> Evaluation:
    """Compute what the answers say, of all rows and of each group."""
    samples, predictions = rows.samples, Predictions(rows.samples.labels, answers.p_male)
    metrics, of_faces_found = estimate_all(samples, predictions, seed)
    certainty = describe_calibration(predictions, predictor.threshold, target_accuracy, seed=seed)
    grouped = {name: group_by(samples, predictions, v, seed) for name, v in columns.items()}
    bundle = predictor.bundle
    return Evaluation(
        csv=rows.table.csv,
        split=rows.split,
        where=rows.where,
        model={"path": os.fspath(bundle.folder), "fingerprint": bundle.fingerprint},
        samples=samples,
        answers=predictions,
        no_face=answers.no_face,
        unreadable=answers.unreadable,
        metrics=metrics,
        of_faces_found=of_faces_found,
        groups={name: groups for name, (groups, _) in grouped.items()},
        group_values=columns,
        extremes={name: extremes for name, (_, extremes) in grouped.items()},
        calibration={"temperature": bundle.manifest["temperature"], **certainty},
        seconds=answers.seconds,
        warnings=_swapped(metrics, samples),
        reviewed=answers.reviewed,
    )


def _changed(rows: Rows, workers: int | None, on_progress: OnProgress | None) -> list[str]:
    """Return a warning of photos that vanished or changed since `prepare`."""
    table, samples = rows.table, rows.samples
    changes = find_changes(
        samples, table.sidecar, table=table.samples, workers=workers, on_progress=on_progress
    )
    if not changes.rows:
        return []
    return [
        f"{changes.sentence(samples)}; every row counts: those that cannot be read as errors, "
        "the others as they are now"
    ]


def _leakage(
    rows: Rows, against: Samples | None, workers: int | None, on_progress: OnProgress | None
) -> Leakage | None:
    """Search the training rows of the table, `against` if given; None without such rows."""
    other = rows.table.samples if against is None else against
    trained = other.take(other.rows_of(Split.TRAIN))
    own = against is None and rows.split in (EvalSplit.TRAIN, EvalSplit.ALL)
    if not len(trained) or own:
        return None
    return find_leakage(rows.samples, trained, workers=workers, on_progress=on_progress)


def _other(
    compare: str | os.PathLike[str], rows: Rows, workers: int | None
) -> Predictor | OtherPredictions:
    """Load another model, or read predictions from a CSV, before any long work."""
    if not Path(compare).is_dir():
        return read_predictions(Path(compare), rows.samples)
    predictor = Predictor(compare, workers=workers)
    rows.table.is_cropped_to(predictor.bundle.geometry)
    return predictor


def _predictions_of(
    other: Predictor, rows: Rows, cropped: bool, on_progress: OnProgress | None
) -> OtherPredictions:
    """Run the other model on the rows."""
    answers = Predictions(rows.samples.labels, p_male_of(other, rows, cropped, on_progress))
    name = os.fspath(other.bundle.folder)
    return OtherPredictions(name, answers, np.ones(len(rows.samples), bool))


def _warnings(predictor: Predictor, rows: Rows) -> list[str]:
    """Return what the model's training and the choice of the rows mean for the numbers."""
    manifest, split = predictor.bundle.manifest, rows.split
    same = manifest.get("data", {}).get("fingerprint") == rows.table.fingerprint
    found = []
    if same and split in (EvalSplit.TRAIN, EvalSplit.ALL):
        found.append("the model was trained on these rows: the numbers do not generalise to others")
    if same and split == manifest.get("metrics", {}).get("validated_on"):
        found.append("these rows chose the model's best epoch: the numbers overestimate the model")
    return found + ([] if rows.faces is None else warnings_of(rows.faces))


def _not_compared(found: Comparison, samples: Samples) -> list[str]:
    """Return a warning that names the rows the other model does not list."""
    if not len(found.missing):
        return []
    shown = ", ".join(os.fspath(samples.paths[row]) for row in found.missing[:NAMED])
    more = ", ..." if len(found.missing) > NAMED else ""
    return [
        f"{len(found.missing):,} of {len(samples):,} photos are not in {found.other} and are not "
        f"compared: {shown}{more}"
    ]


def _swapped(metrics: dict[str, Estimate], samples: Samples) -> list[str]:
    """Return a warning if the labels are probably swapped."""
    auc = metrics["roc_auc"].value
    if auc is None or auc > SWAPPED_AUC or np.bincount(samples.labels).min() < SMALL:
        return []
    return [
        f"ROC AUC is {auc:.2f}, far below one half: the labels are probably swapped "
        "(0 is female and 1 is male here; UTKFace, for one, has 0 = male). Tell prepare what the "
        "labels mean: --female 1 --male 0"
    ]
