"""The curves of a report: ROC, precision-recall, reliability and coverage."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from facegender.evaluation.gaps import is_large
from facegender.evaluation.intervals import wilson
from facegender.evaluation.metrics import Predictions, WeightedMetrics, bins_of
from facegender.images.plots import Axis, Line, line_plot, share_axis
from facegender.labels import MALE
from facegender.report.page import figure, table
from facegender.report.sections import group_title, worst_first

if TYPE_CHECKING:
    from facegender.evaluation.evaluation import Evaluation

MAX_GROUPS = 12
"""Maximum number of groups per column whose curves are drawn."""
_POINTS = 400
"""Maximum number of points of a curve: more than a screen shows."""


def curves(result: Evaluation) -> str:
    """Return the ROC and precision-recall curves, reliability, and accuracy against coverage."""
    plots = [*_ranking(result), _reliability(result), _coverage(result)]
    return f'<div class="plots">{"".join(plots)}</div>'


def group_curves(result: Evaluation) -> str:
    """ROC curve and reliability of each group that has enough women and men, `MAX_GROUPS` a column.

    The groups with the lowest accuracy come first.
    """
    parts = []
    for by, groups in result.groups.items():
        large = [v for v in worst_first(groups) if is_large(groups[v], "balanced_accuracy")]
        values = np.array(result.group_values[by], dtype=object)
        figures = [
            _group_figure(result.answers.take(np.flatnonzero(values == value)), group_title(value))
            for value in large[:MAX_GROUPS]
        ]
        if figures:
            body = f'<div class="plots">{"".join(figures)}</div>'
            title = f"ROC and reliability by {by}"
            parts.append(f"<details><summary>{escape(title)}</summary>{body}</details>")
    return "".join(parts)


def _group_figure(answers: Predictions, name: str) -> str:
    from sklearn.metrics import roc_curve

    found = answers.take(answers.answered)
    male = found.labels == MALE
    if male.all() or not male.any():
        return ""
    metrics = WeightedMetrics(found).metrics()
    false, true, _ = roc_curve(male, found.p_male)
    sure = np.maximum(found.p_male, 1 - found.p_male)
    bins = bins_of(sure)
    right = (found.p_male >= 0.5) == male
    rows = [
        (float(sure[bins == b].mean()), float(right[bins == b].mean()), int((bins == b).sum()))
        for b in np.unique(bins)
    ]
    roc = line_plot(
        f"ROC curve of {name}, area {metrics['roc_auc']:.4f}",
        Axis("women called men"),
        Axis("men called men"),
        [Line([(0, 0), (1, 1)], "guide"), Line(_thinned(false, true))],
    )
    claims = line_plot(
        f"Reliability of {name}, ECE {100 * metrics['ece']:.1f} %",
        share_axis("predicted probability", 0.5),
        share_axis("share of correct answers", min(0.5, *(share for _, share, _ in rows))),
        [Line([(0.5, 0.5), (1, 1)], "guide"), Line([row[:2] for row in rows], marks=True)],
    )
    numbers = table(
        f"Reliability of {name}",
        ("predicted probability", "right", "photos"),
        [(f"{100 * c:.1f} %", f"{100 * r:.1f} %", f"{n:,}") for c, r, n in rows],
    )
    caption = (
        f"{name}: ROC AUC {metrics['roc_auc']:.4f}, ECE {100 * metrics['ece']:.1f} %, "
        f"{len(male):,} photos with an answer"
    )
    return figure(caption, roc + claims, numbers)


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
            "ROC curve; dashed: by chance",
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
                share_axis("precision", min(y for _, y in pr)),
                [Line(pr)],
            ),
            table("Precision and recall", ("recall", "precision"), _sampled(pr)),
        ),
    ]


def _reliability(result: Evaluation) -> str:
    rows = [row for row in result.calibration["reliability"] if row["photos"]]
    points = [(row["confidence"], row["accuracy"]) for row in rows]
    ends = [wilson(row["accuracy"], row["photos"]) for row in rows]
    bars = [Line([(x, low), (x, high)]) for (x, _), (low, high) in zip(points, ends, strict=True)]
    plot = line_plot(
        "Reliability diagram: share of correct answers against the predicted probability",
        share_axis("predicted probability", 0.5),
        share_axis("share of correct answers", min((0.5, *(low for low, _ in ends)))),
        [Line([(0.5, 0.5), (1, 1)], "guide"), *bars, Line(points, marks=True)],
    )
    numbers = [
        (
            f"{100 * row['low']:.0f} to {100 * row['high']:.0f} %",
            f"{row['photos']:,}",
            f"{100 * row['confidence']:.1f} %",
            f"{100 * row['accuracy']:.1f} %",
            f"{100 * low:.1f} % to {100 * high:.1f} %",
        )
        for row, (low, high) in zip(rows, ends, strict=True)
    ]
    heads = ("bin", "photos", "claimed", "right", "interval, photos independent")
    caption = "Reliability; dashed: perfect calibration"
    return figure(caption, plot, table("Reliability", heads, numbers))


def _coverage(result: Evaluation) -> str:
    levels = [row for row in result.calibration["coverage"] if row["accuracy"] is not None]
    points = [(row["coverage"], row["accuracy"]) for row in levels]
    plot = line_plot(
        "Accuracy against coverage as the threshold rises",
        Axis("photos with a sure answer"),
        share_axis("share of correct answers", min((y for _, y in points), default=0.5)),
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
    """Return at most `_POINTS` points of a curve, including its ends."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).round().astype(int))
    return [(float(x[i]), float(y[i])) for i in kept]


def _sampled(points: Sequence[tuple[float, float]], count: int = 21) -> list[tuple[str, str]]:
    rows = np.unique(np.linspace(0, len(points) - 1, min(len(points), count)).round().astype(int))
    return [(f"{points[i][0]:.3f}", f"{points[i][1]:.3f}") for i in rows]
