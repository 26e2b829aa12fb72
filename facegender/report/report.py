"""Writing an evaluation as one self-contained, accessible and printable HTML file."""

from __future__ import annotations

import csv
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegender._version import __version__
from facegender.models.bundle import HISTORY, Bundle
from facegender.models.card import LIMITS_OF_USE
from facegender.models.learning_curve import losses_plot
from facegender.report import sections
from facegender.report.curves import curves, group_curves
from facegender.report.gallery import gallery
from facegender.report.page import figure, page, paragraph, table

if TYPE_CHECKING:
    from facegender.evaluation.evaluation import Evaluation
    from facegender.prediction.predictor import Predictor


def render_report(
    result: Evaluation,
    predictor: Predictor,
    *,
    shown: int = 60,
    command: str = "",
) -> str:
    """Return the report as HTML.

    Args:
        result: the evaluation.
        predictor: the model that was evaluated.
        shown: photos in each part of the gallery; 0 for private photos.
        command: how the report was made.
    """
    geometry = predictor.bundle.geometry
    detector = predictor.detector_of(cropped=result.cropped)
    lead = sections.verdict(result) + paragraph(
        f"Model {predictor.bundle.folder}, fingerprint {predictor.bundle.fingerprint}", "soft"
    )
    parts = [
        ("leaks", "Leakage and warnings", sections.leaks(result)),
        ("data", "The photos", sections.data(result)),
        ("numbers", "Metrics", sections.headline(result)),
        ("groups", "Groups", sections.groups(result)),
        ("curves", "Calibration and coverage", curves(result) + group_curves(result)),
        ("stress", "Robustness", sections.stress(result)),
        ("comparison", "Comparison with another model", sections.comparison(result)),
        (
            "gallery",
            "Mistakes",
            gallery(result, geometry, detector, shown, predictor.workers),
        ),
        ("learning", "How it was trained", learning_curve(predictor.bundle)),
        ("use", "What it must not be used for", paragraph(LIMITS_OF_USE.replace("*", ""))),
        ("made", "How this was made", _made(result, predictor, command)),
    ]
    title = f"{Path(predictor.bundle.folder).name} on {result.csv.name}: how good, and for whom?"
    return page(title, lead, parts)


def learning_curve(bundle: Bundle) -> str:
    """Return a plot and table of the losses of each epoch; "" without a history."""
    if HISTORY not in bundle.files:
        return ""
    with bundle.files[HISTORY].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return ""
    heads = ("epoch", "training loss", "validation loss", "validation accuracy", "kept")
    numbers = [
        (
            row["epoch"],
            f"{float(row['loss']):.4f}",
            f"{float(row['val_loss']):.4f}",
            f"{100 * float(row['val_accuracy']):.2f} %",
            "best so far" if row["best"] == "1" else "",
        )
        for row in rows
    ]
    caption = "Loss on validation photos (blue) and training photos (orange, dashed)"
    return figure(caption, losses_plot(rows), table("Epochs", heads, numbers))


def _made(result: Evaluation, predictor: Predictor, command: str) -> str:
    manifest: dict[str, Any] = dict(predictor.bundle.manifest)
    crop = ", ".join(f"{k} {v}" for k, v in predictor.bundle.geometry.to_json().items())
    rows = [
        ("command", command or "facegender.render_report"),
        ("model fingerprint", predictor.bundle.fingerprint),
        ("network", f"{predictor.bundle.arch}, crop {crop}"),
        ("temperature, fitted on held-out photos", f"{manifest['temperature']:.3f}"),
        ("threshold", f"{predictor.threshold:g}"),
        ("seconds of reading and predicting", f"{result.seconds:.1f}"),
        ("facegender", __version__),
        ("Python", platform.python_version()),
        *((name, version(name)) for name in ("numpy", "scikit-learn", "pillow")),
    ]
    return table("Versions and settings", (), rows)
