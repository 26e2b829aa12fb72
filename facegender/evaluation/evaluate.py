"""Evaluating a model on labelled photos: metrics, groups, robustness, leakage, comparison."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.choices import EvalSplit, Split
from facegender.dataset.open_table import Table, open_table
from facegender.dataset.samples import Samples
from facegender.dataset.table import read_table
from facegender.dataset.verify import find_changes
from facegender.dataset.where import parse_condition
from facegender.errors import BundleError, DataError
from facegender.evaluation.calibration import check_target, describe_calibration
from facegender.evaluation.comparison import (
    Comparison,
    OtherPredictions,
    compare_predictions,
    read_predictions,
)
from facegender.evaluation.gaps import SMALL, Extremes
from facegender.evaluation.grouping import group_values
from facegender.evaluation.groups import estimate_all, estimate_robustness, group_by
from facegender.evaluation.intervals import Estimate
from facegender.evaluation.leakage import Leakage, find_leakage
from facegender.evaluation.metrics import Predictions, WeightedMetrics
from facegender.evaluation.reviewed import (
    describe_reviewed,
    predict_reviewed,
    read_framed,
    warnings_of,
)
from facegender.labels import MALE
from facegender.options import check_choice, check_number
from facegender.prediction.predictor import Predictor

NAMED = 3
"""Maximum number of photos that a warning names."""
SWAPPED_AUC = 0.25
"""A ROC AUC below this suggests swapped labels: a useless model has 0.5."""


@dataclass(slots=True)
class Evaluation:
    """The result of `evaluate`; `to_json` gives the JSON contract.

    Attributes:
        csv: the table; `split` and `where` select the evaluated rows.
        model: path and fingerprint of the model, None for other tools' answers.
        samples: the evaluated rows.
        answers: their labels and probabilities.
        no_face, unreadable: photos without an answer, counted as errors.
        metrics: name -> estimate, every row counted.
        of_faces_found: the same metrics over photos with an answer.
        groups: column or columns -> value -> group; see `groups.group_by`.
        group_values: column or columns -> the group of each row.
        extremes: column or columns -> the worst group and the largest gaps.
        calibration: reliability, expected error by chance, coverage; see `describe_calibration`.
        stress: condition -> description, accuracy, and number of changed labels.
        leakage: what the rows share with training rows, None if it was not searched for.
        comparison: with another model's answers, or None.
        cropped: whether the photos were already cropped to the model's geometry.
        seconds: time of reading and predicting.
        warnings: what a reader must know to interpret the numbers.
        reviewed: if the rows are single faces of a labels.csv, their other labels; see
            `describe_reviewed`. The persons of the samples are then their photos.
    """

    csv: Path
    split: str
    where: list[str]
    model: dict[str, str] | None
    samples: Samples
    answers: Predictions
    no_face: int
    unreadable: int
    metrics: dict[str, Estimate]
    of_faces_found: dict[str, Estimate]
    groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    group_values: dict[str, list[str]] = field(default_factory=dict)
    extremes: dict[str, Extremes] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    stress: dict[str, dict[str, Any]] = field(default_factory=dict)
    leakage: Leakage | None = None
    comparison: Comparison | None = None
    cropped: bool = False
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    reviewed: dict[str, Any] | None = None

    @property
    def persons(self) -> int | None:
        """How many persons the rows name, None where they name none."""
        return None if self.reviewed else len(set(self.samples.persons) - {""}) or None

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts of photos with an answer (2, 2): rows are labels, columns predictions."""
        return WeightedMetrics(self.answers).confusion()[:, :2].astype(np.int64)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract, with native numbers only."""
        return {
            "schema": 1,
            "model": self.model,
            "data": {
                "csv": os.fspath(self.csv),
                "split": self.split,
                "where": self.where,
                "photos": len(self.samples),
                "persons": self.persons,
                "no_face": self.no_face,
                "unreadable": self.unreadable,
                "reviewed": self.reviewed,
            },
            "metrics": {name: value.to_json() for name, value in self.metrics.items()},
            "of_faces_found": {n: value.to_json() for n, value in self.of_faces_found.items()},
            "confusion": self.confusion.tolist(),
            "groups": {
                by: {value: _group_json(group) for value, group in groups.items()}
                for by, groups in self.groups.items()
            },
            "extremes": {by: found.to_json() for by, found in self.extremes.items()},
            "calibration": self.calibration,
            "stress": {name: _group_json(found) for name, found in self.stress.items()},
            "leakage": None if self.leakage is None else self.leakage.to_json(),
            "comparison": None
            if self.comparison is None
            else self.comparison.to_json(self.samples),
            "seconds": round(self.seconds, 3),
            "warnings": self.warnings,
        }


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
    on_progress: Callable[[int, int], None] | None = None,
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
    reviewed = read_framed(csv, split, stress)
    opened = open_table(csv) if reviewed is None else reviewed.table
    split = split if reviewed is None else EvalSplit.ALL
    csv, table = opened.csv, opened.samples
    cropped = opened.is_cropped_to(predictor.bundle.geometry)
    samples = _select(csv, table, split, where or [])
    columns = dict(group_values(samples, names) for names in by or [])
    warnings = _warnings(predictor, split, opened.fingerprint)
    other = _other(compare, samples, opened, predictor.workers) if compare is not None else None
    changes = find_changes(
        samples, opened.sidecar, table=table, workers=predictor.workers, on_progress=on_progress
    )
    if changes.rows:
        warnings.append(
            f"{changes.sentence(samples)}; every row counts: those that cannot be read as errors, "
            "the others as they are now"
        )
    leakage = None
    if leaks:
        leakage = _leakage(samples, split, table, trained, predictor.workers, on_progress)
    start = time.perf_counter()
    judged = None
    if reviewed is None:
        p_male, no_face, unreadable = _predict(predictor, samples, cropped, on_progress)
    else:
        warnings += warnings_of(reviewed.labels)
        faces = predict_reviewed(predictor, samples, reviewed.labels.not_faces, on_progress)
        p_male, no_face, unreadable = faces.p_male, faces.no_face, faces.unreadable
        judged = describe_reviewed(reviewed.labels, faces.false_faces, len(set(samples.paths)))
    seconds = time.perf_counter() - start
    if unreadable == len(samples):
        raise DataError(
            f"none of the {len(samples):,} photos can be read, the first is {samples.paths[0]}",
            "Were they moved? Run prepare again where they are now.",
        )
    answers = Predictions(samples.labels, p_male)
    metrics, of_faces_found = estimate_all(samples, answers, seed)
    certainty = describe_calibration(answers, predictor.threshold, target_accuracy, seed=seed)
    grouped = {name: group_by(samples, answers, v, seed) for name, v in columns.items()}
    warnings += _swapped(metrics, samples)
    result = Evaluation(
        csv=csv,
        split=split,
        where=where or [],
        model=_named(predictor),
        samples=samples,
        answers=answers,
        no_face=no_face,
        unreadable=unreadable,
        metrics=metrics,
        of_faces_found=of_faces_found,
        groups={name: groups for name, (groups, _) in grouped.items()},
        group_values=columns,
        extremes={name: extremes for name, (_, extremes) in grouped.items()},
        calibration={"temperature": predictor.bundle.manifest["temperature"], **certainty},
        leakage=leakage,
        cropped=cropped,
        seconds=seconds,
        warnings=warnings,
        reviewed=judged,
    )
    if stress:
        result.stress = estimate_robustness(predictor, samples, answers, cropped, seed, on_progress)
    if isinstance(other, Predictor):
        other = _predictions_of(other, samples, cropped, reviewed is not None, on_progress)
    if other is not None:
        result.comparison = compare_predictions(answers, other, samples.persons, seed=seed)
        result.warnings += _not_compared(result.comparison, samples)
    return result


def _named(predictor: Predictor) -> dict[str, str]:
    bundle = predictor.bundle
    return {"path": os.fspath(bundle.folder), "fingerprint": bundle.fingerprint}


def _predict(
    predictor: Predictor,
    samples: Samples,
    cropped: bool,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.float64], int, int]:
    """Return p(male) of each row's largest face, and the counts without a face or photo."""
    p_male = np.full(len(samples), np.nan)
    no_face = unreadable = 0
    for row, prediction in enumerate(predictor.stream(samples.paths, cropped=cropped)):
        if prediction.faces:
            p_male[row] = prediction.faces[0].probabilities[MALE]
            if np.isnan(p_male[row]):  # It would be taken for a photo without an answer.
                raise BundleError(
                    f"the model's answer to {prediction.path} is not a number",
                    "Check the model's files with: facegender info",
                )
        elif prediction.error is None:
            no_face += 1
        else:
            unreadable += 1
        if on_progress is not None:
            on_progress(row + 1, len(samples))
    # In single precision a probability may exceed 1 by rounding.
    return np.clip(p_male, 0, 1), no_face, unreadable


def _leakage(
    samples: Samples,
    split: str,
    table: Samples,
    against: Samples | None,
    workers: int | None,
    on_progress: Callable[[int, int], None] | None,
) -> Leakage | None:
    """Search the training rows of a table, `against` if given; None without such rows."""
    other = table if against is None else against
    trained = other.take(other.rows_of(Split.TRAIN))
    if not len(trained) or (against is None and split in (EvalSplit.TRAIN, EvalSplit.ALL)):
        return None
    return find_leakage(samples, trained, workers=workers, on_progress=on_progress)


def _other(
    compare: str | os.PathLike[str], samples: Samples, table: Table, workers: int | None
) -> Predictor | OtherPredictions:
    """Load another model, or read predictions from a CSV, before any long work."""
    if not Path(compare).is_dir():
        return read_predictions(Path(compare), samples)
    predictor = Predictor(compare, workers=workers)
    table.is_cropped_to(predictor.bundle.geometry)
    return predictor


def _predictions_of(
    other: Predictor,
    samples: Samples,
    cropped: bool,
    single_faces: bool,
    on_progress: Callable[[int, int], None] | None,
) -> OtherPredictions:
    """Run the other model on the rows."""
    if single_faces:
        p_male = predict_reviewed(other, samples, [], on_progress).p_male
    else:
        p_male, _, _ = _predict(other, samples, cropped, on_progress)
    name = os.fspath(other.bundle.folder)
    return OtherPredictions(name, Predictions(samples.labels, p_male), np.ones(len(samples), bool))


def _select(csv: Path, table: Samples, split: str, where: list[str]) -> Samples:
    samples = table if split == EvalSplit.ALL else table.take(table.rows_of(split))
    if not len(samples):
        counts = {name: len(table.rows_of(name)) for name in map(str, Split)}
        has = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise DataError(
            f"{csv} has no rows in the split {split!r} ({has})", "Choose another with --split."
        )
    kept = np.ones(len(samples), dtype=bool)
    for text in where:
        kept &= parse_condition(text).rows(samples)
    samples = samples.take(np.flatnonzero(kept))
    if not len(samples):
        raise DataError(f"no rows of the split {split!r} satisfy {' and '.join(where)}", "")
    return samples


def _warnings(predictor: Predictor, split: str, fingerprint: str) -> list[str]:
    manifest = predictor.bundle.manifest
    same = manifest.get("data", {}).get("fingerprint") == fingerprint
    found = []
    if same and split in (EvalSplit.TRAIN, EvalSplit.ALL):
        found.append("the model was trained on these rows: the numbers do not generalise to others")
    if same and split == manifest.get("metrics", {}).get("validated_on"):
        found.append("these rows chose the model's best epoch: the numbers overestimate the model")
    return found


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


def _group_json(group: dict[str, Any]) -> dict[str, Any]:
    return {k: v.to_json() if isinstance(v, Estimate) else v for k, v in group.items()}
