"""`Evaluation`: what `evaluate` found, and its JSON contract."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.samples import Samples
from facegender.evaluation.comparison import Comparison
from facegender.evaluation.gaps import Extremes
from facegender.evaluation.intervals import Estimate
from facegender.evaluation.leakage import Leakage
from facegender.evaluation.metrics import Predictions, WeightedMetrics


@dataclass(slots=True)
class Evaluation:
    """The result of `evaluate.evaluate`; `to_json` gives the JSON contract.

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


def _group_json(group: dict[str, Any]) -> dict[str, Any]:
    return {k: v.to_json() if isinstance(v, Estimate) else v for k, v in group.items()}
