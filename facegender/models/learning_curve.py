"""The learning curve: the rows of ``history.csv`` as plots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from facegender.images.plots import Axis, Line, line_plot, picture, share_axis

Row = Mapping[str, Any]
"""A row of ``history.csv``; numbers may be text."""


def losses_plot(rows: Sequence[Row]) -> str:
    """Return a plot of the losses of each epoch."""
    highest = max(
        (value for name in ("loss", "val_loss") for _, value in _points(rows, name)), default=0.0
    )
    top = max(0.1, round(highest + 0.05, 1))
    y = Axis("loss", 0, top, tuple(round(top * i / 4, 3) for i in range(5)), percent=False)
    title = "Losses on training and validation photos, epoch by epoch"
    return line_plot(title, _epochs(rows), y, _lines(rows, "loss"))


def accuracies_plot(rows: Sequence[Row]) -> str:
    """Return a plot of the accuracies of each epoch."""
    title = "Accuracies on training and validation photos, epoch by epoch"
    lowest = min(
        (value for name in ("accuracy", "val_accuracy") for _, value in _points(rows, name)),
        default=0.0,
    )
    y = share_axis("accuracy", lowest)
    return line_plot(title, _epochs(rows), y, _lines(rows, "accuracy"))


def learning_curve_picture(rows: Sequence[Row]) -> str:
    """Return both plots as one SVG file."""
    title = "Training (orange, dashed) and validation photos (blue), epoch by epoch"
    return picture(title, [losses_plot(rows), accuracies_plot(rows)])


def _epochs(rows: Sequence[Row]) -> Axis:
    last = max(len(rows), 2)
    ticks = sorted({round(1 + (last - 1) * i / 4) for i in range(5)})
    return Axis("epoch", 1, last, tuple(map(float, ticks)), percent=False)


def _points(rows: Sequence[Row], name: str) -> list[tuple[float, float]]:
    points = [(float(row["epoch"]), float(row[name])) for row in rows]
    return [point for point in points if math.isfinite(point[1])]


def _lines(rows: Sequence[Row], name: str) -> list[Line]:
    names = ((name, "second"), (f"val_{name}", "main"))
    return [Line(_points(rows, column), kind, marks=len(rows) == 1) for column, kind in names]
