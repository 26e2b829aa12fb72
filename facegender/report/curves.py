"""The curves of a report: ranking, reliability, and coverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from facegender.labels import MALE
from facegender.report.page import figure, table
from facegender.report.plots import Axis, Line, line_plot

if TYPE_CHECKING:
    from facegender.evaluation import Evaluation

_POINTS = 400
"""Most points of a curve: more than a screen shows."""


def curves(result: Evaluation) -> str:
    """ROC and precision-recall curves, reliability, accuracy against coverage."""
    plots = [*_ranking(result), _reliability(result), _coverage(result)]
    return f'<div class="plots">{"".join(plots)}</div>'


def _ranking(result: Evaluation) -> list[str]:
    from sklearn.metrics import precision_recall_curve, roc_curve

    found = result.answers.take(result.answers.answered)
    male = found.labels == MALE
    if not len(male) or male.all() or not male.any():
        return []
    false, true, _ = roc_curve(male, found.p_male)
    precision, recall, _ = precision_recall_curve(male, found.p_male)
    roc, pr = _thinned(false, true), _thinned(recall, precision)
    share = Axis("women called men"), Axis("men called men")
    return [
        figure(
            "ROC curve",
            line_plot(
                f"ROC curve, area {result.metrics['roc_auc'].value:.4f}",
                *share,
                [Line([(0, 0), (1, 1)], "guide"), Line(roc)],
            ),
            table("ROC curve", ("women called men", "men called men"), _sampled(roc)),
        ),
        figure(
            "Precision and recall of men",
            line_plot(
                f"Precision-recall curve, area {result.metrics['average_precision'].value:.4f}",
                Axis("recall"),
                Axis("precision", 0.5, 1.0, (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)),
                [Line(pr)],
            ),
            table("Precision and recall", ("recall", "precision"), _sampled(pr)),
        ),
    ]


def _reliability(result: Evaluation) -> str:
    rows = [row for row in result.calibration["reliability"] if row["photos"]]
    points = [(row["confidence"], row["accuracy"]) for row in rows]
    x = Axis("probability claimed", 0.5, 1.0, (0.5, 0.6, 0.7, 0.8, 0.9, 1.0))
    y = Axis("share right", 0.0, 1.0)
    plot = line_plot(
        "Reliability diagram: share of right answers against the probability claimed",
        x,
        y,
        [Line([(0.5, 0.5), (1, 1)], "guide"), Line(points, marks=True)],
    )
    numbers = [
        (
            f"{100 * row['low']:.0f} to {100 * row['high']:.0f} %",
            f"{row['photos']:,}",
            f"{100 * row['confidence']:.1f} %",
            f"{100 * row['accuracy']:.1f} %",
        )
        for row in rows
    ]
    return figure(
        "Reliability", plot, table("Reliability", ("bin", "photos", "claimed", "right"), numbers)
    )


def _coverage(result: Evaluation) -> str:
    levels = [row for row in result.calibration["coverage"] if row["accuracy"] is not None]
    points = [(row["coverage"], row["accuracy"]) for row in levels]
    low = min((y for _, y in points), default=0.5)
    base = max(0.0, min(0.9, np.floor(low * 20) / 20))
    ticks = tuple(float(t) for t in np.linspace(base, 1, 6))
    plot = line_plot(
        "Accuracy against coverage as the threshold rises",
        Axis("photos with a sure answer"),
        Axis("share right among them", float(base), 1.0, ticks),
        [Line(points)],
    )
    numbers = [
        (
            f"{row['threshold']:.2f}",
            f"{100 * row['coverage']:.1f} %",
            f"{100 * row['accuracy']:.2f} %",
        )
        for row in levels
    ]
    heads = ("threshold", "answered", "right")
    return figure("Accuracy and coverage", plot, table("Thresholds", heads, numbers))


def _thinned(x: Any, y: Any) -> list[tuple[float, float]]:
    """At most `_POINTS` points of a curve, its ends kept."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).round().astype(int))
    return [(float(x[i]), float(y[i])) for i in kept]


def _sampled(points: Sequence[tuple[float, float]], count: int = 21) -> list[tuple[str, str]]:
    rows = np.unique(np.linspace(0, len(points) - 1, min(len(points), count)).round().astype(int))
    return [(f"{points[i][0]:.3f}", f"{points[i][1]:.3f}") for i in rows]
