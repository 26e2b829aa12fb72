"""The sections of a report: each function renders a part of an evaluation as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from facegender.evaluation.gaps import SMALL, is_large
from facegender.images.plots import Axis, Interval, forest_plot, share_axis
from facegender.labels import LABELS
from facegender.report.page import figure, paragraph, table

if TYPE_CHECKING:
    from facegender.evaluation.comparison import Comparison
    from facegender.evaluation.evaluation import Evaluation
    from facegender.evaluation.gaps import Extremes
    from facegender.evaluation.intervals import Estimate

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
_MAX_MARKS, _MAX_ROWS = 40, 1000
"""Maximum number of groups in a plot and in its table: `--by person` may have thousands."""
_SHARES = ("accuracy", "recall", "precision", "balanced", "f1", "ece")


def verdict(result: Evaluation) -> str:
    """Return three sentences: accuracy, the worst group, and confidence."""
    value, interval = show_estimate("accuracy", result.metrics["accuracy"])
    first = f"Of {len(result.samples):,} photos {value} ({interval}) were classified as labelled."
    second = _for_whom(result)
    level = result.calibration["uncertain"]
    third = "No answer reached the threshold."
    if level["accuracy"] is not None:
        third = (
            f"{100 * level['coverage']:.1f} % of the photos got an answer of at least "
            f"{100 * level['threshold']:g} % probability, and {100 * level['accuracy']:.1f} % of "
            "these were correct."
        )
    return paragraph(f"{first} {second} {third}", "verdict")


def _for_whom(result: Evaluation) -> str:
    for by, extremes in result.extremes.items():
        if extremes.worst is not None:
            value, interval = show_estimate("accuracy", extremes.worst_accuracy)
            return (
                f"The worst group by {by} is {group_title(extremes.worst)}: {value} ({interval})."
            )
    recalls = (f"recall_{name}" for name in LABELS)
    women, men = (show_estimate(name, result.metrics[name])[0] for name in recalls)
    return f"Of the women {women} were called women, of the men {men} men."


def leaks(result: Evaluation) -> str:
    """Return what the rows share with the training rows, and other warnings."""
    parts = [paragraph(f"{text}.", "alarm") for text in result.warnings]
    found = result.leakage
    if found is None:
        return "".join(parts) + paragraph(
            "Copies of training photos were not searched for: the table has no training rows, or "
            "--no-leaks was given.",
            "soft",
        )
    counts = (len(found.exact), len(found.near), len(found.persons))
    if any(counts):
        parts.append(
            paragraph(
                f"{counts[0]:,} of these photos are among the training photos byte for byte, "
                f"{counts[1]:,} more look the same as one, and {counts[2]:,} persons are in both. "
                "The numbers overestimate the model.",
                "alarm",
            )
        )
    else:
        parts.append(
            paragraph(
                f"None of these photos or persons is among {found.trained:,} training photos."
            )
        )
    pairs = [*found.exact, *found.near][:50]
    if pairs:
        copies = table("Copies, at most 50", ("photo evaluated", "training photo"), pairs)
        parts.append(f"<details><summary>Which photos</summary>{copies}</details>")
    return "".join(parts)


def data(result: Evaluation) -> str:
    """Return which rows were evaluated."""
    labels = result.answers.labels
    persons, reviewed = result.persons, result.reviewed
    independence = "unknown: photos count as independent"
    if reviewed is not None:
        independence = f"unknown: the faces of {reviewed['photos']:,} photos count together"
    rows = [
        ("table", str(result.csv)),
        ("rows", f"split {result.split}" + "".join(f", {text}" for text in result.where)),
        ("photos" if reviewed is None else "faces", f"{len(labels):,}"),
        *((f"labelled {name}", f"{int((labels == i).sum()):,}") for i, name in enumerate(LABELS)),
        ("persons", f"{persons:,}" if persons else independence),
        ("without a face (errors)", f"{result.no_face:,}"),
        ("unreadable (errors)", f"{result.unreadable:,}"),
    ]
    if reviewed is not None:
        taken = f"{reviewed['taken_for_faces']:,} of {reviewed['not_face']:,}"
        rows.append(("things taken for faces", taken))
        rows.append(("nobody could tell (not evaluated)", f"{reviewed['untellable']:,}"))
    return table("The rows evaluated", (), rows)


def headline(result: Evaluation) -> str:
    """Return every metric with its interval, and the confusion matrix."""
    rows = [(TITLES[n], *show_estimate(n, value)) for n, value in result.metrics.items()]
    chance = result.calibration["chance_ece"]
    if chance is not None:
        rows[-1] = (*rows[-1][:2], f"by chance up to {100 * chance:.1f} %")
    if result.no_face or result.unreadable:
        found = result.of_faces_found["accuracy"]
        rows.append(("accuracy of faces found", *show_estimate("accuracy", found)))
    counts = result.confusion.tolist()
    totals = [int((result.answers.labels == i).sum()) for i in (0, 1)]
    matrix = [
        (f"labelled {LABELS[i]}", *(f"{v:,}" for v in (*row, totals[i] - sum(row))))
        for i, row in enumerate(counts)
    ]
    heads = ("", *(f"called {name}" for name in LABELS), "no answer")
    metrics = table("Metrics, intervals of 95 %", ("metric", "value", "interval"), rows)
    return f'<div class="plots">{metrics}{table("Confusion matrix, photos", heads, matrix)}</div>'


def groups(result: Evaluation) -> str:
    """Return a forest plot and a table for each grouping, the worst group first."""
    parts = [_grouping(result, by, found) for by, found in result.groups.items()]
    return f'<div class="plots">{"".join(parts)}</div>' if parts else ""


def _grouping(result: Evaluation, by: str, found: dict[str, dict[str, Any]]) -> str:
    order = worst_first(found)
    heads, rows = group_rows(found, order[:_MAX_ROWS])
    worst = f", the worst {_MAX_ROWS:,} of {len(order):,}" if len(order) > _MAX_ROWS else ""
    numbers = table(f"By {by}{worst}", heads, rows)
    shown = [
        Interval(
            group_title(value),
            *((None, None, None) if found[value]["too_small"] else _ends(found[value]["accuracy"])),
        )
        for value in order[:_MAX_MARKS]
    ]
    plot = forest_plot(
        f"Accuracy by {by} with intervals of 95 %; the line is the accuracy of all rows",
        _axis_for(shown),
        shown,
        result.metrics["accuracy"].value,
    )
    caption = "Accuracy, worst first; dashed: all photos"
    if len(order) > _MAX_MARKS:
        caption = f"Accuracy, the worst {_MAX_MARKS} of {len(order):,}; dashed: all photos"
    sentences = extremes_sentences(by, result.extremes[by]) if by in result.extremes else []
    words = "".join(paragraph(sentence) for sentence in sentences)
    return f"<div><h3>By {escape(by)}</h3>{words}{figure(caption, plot, numbers)}</div>"


def group_title(value: str) -> str:
    """Return the name of a group; rows without a value form a group too."""
    return value or "(missing)"


def worst_first(found: dict[str, dict[str, Any]]) -> list[str]:
    """Return the groups by accuracy, those that are too small last."""
    return sorted(found, key=lambda v: (found[v]["too_small"], found[v]["accuracy"].value))


def group_rows(
    found: dict[str, dict[str, Any]], values: Sequence[str]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return heads and rows of a table of groups.

    The columns are counts of photos, women and men, and accuracy and both recalls with intervals.
    A recall that is undefined for most groups, as in groups of one gender, is left out.
    """
    metrics = ["accuracy"]
    for metric in ("recall_female", "recall_male"):
        undefined = sum(found[value][metric].value is None for value in values)
        if 2 * undefined < len(values):
            metrics.append(metric)
    heads = ["group", "photos", "women", "men"]
    for metric in metrics:
        heads += [TITLES[metric], "interval"]
    rows = []
    for value in values:
        group = found[value]
        cells = [cell for metric in metrics for cell in _group_cells(group, metric)]
        counts = (group["photos"], *group["labels"].values())
        rows.append((group_title(value), *(f"{count:,}" for count in counts), *cells))
    return tuple(heads), rows


def _group_cells(group: dict[str, Any], metric: str) -> tuple[str, str]:
    """Return value and interval of a group's metric, or the reason why there is none."""
    if group[metric].value is None:
        return ("no women" if metric == "recall_female" else "no men"), ""
    if not is_large(group, metric):
        return f"too few (under {SMALL})", ""
    return show_estimate(metric, group[metric])


def extremes_sentences(by: str, found: Extremes) -> list[str]:
    """Name the worst group, the largest gap, and the measures that audits ask for."""
    if found.worst is None:
        return [f"By {by}: no group has {SMALL} photos, so none is reported."]
    value, interval = show_estimate("accuracy", found.worst_accuracy)
    sentences = [f"Worst by {by}: {group_title(found.worst)}, accuracy {value} ({interval})."]
    if not found.gaps:
        return [*sentences, f"By {by}: no two groups have enough photos to be compared."]
    metric, gap = max(found.gaps.items(), key=lambda item: item[1].difference.value or 0.0)
    low, high = gap.difference.low, gap.difference.high
    points = f"{100 * (gap.difference.value or 0.0):.1f} points"
    ends = "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"
    sentences.append(
        f"Largest gap by {by}: {points}{ends} of {TITLES[metric]}, between {group_title(gap.low)} "
        f"and {group_title(gap.high)}. These two are the extremes of {gap.groups} groups; the "
        "interval allows for that."
    )
    return [*sentences, *_fairness(by, found)]


def _fairness(by: str, found: Extremes) -> list[str]:
    """Return the gaps as the fairness measures used in audits."""
    chance = found.equal_opportunity
    known = [f"{name} {100 * v:.1f}" for name, v in chance.items() if v is not None]
    if not known:
        return []
    words = f"Equal opportunity difference by {by}, in points: {', '.join(known)}"
    if found.equalized_odds is not None:
        words += f"; equalised odds difference: {100 * found.equalized_odds:.1f}"
    if found.demographic_parity is not None:
        words += (
            f"; demographic parity difference: {100 * found.demographic_parity:.1f}, which says "
            "little here, since the groups may truly differ in their share of women"
        )
    return [f"{words}."]


def stress(result: Evaluation) -> str:
    """Return the accuracy under each condition of `--stress`, beside the original one."""
    if not result.stress:
        return ""
    intervals = [Interval("as it is", *_ends(result.metrics["accuracy"]))]
    rows = [("as it is", *show_estimate("accuracy", result.metrics["accuracy"]), "")]
    for name, under in result.stress.items():
        intervals.append(Interval(name, *_ends(under["accuracy"])))
        rows.append(
            (
                f"{name}: {under['what']}",
                *show_estimate("accuracy", under["accuracy"]),
                f"{under['flips']:,}",
            )
        )
    plot = forest_plot(
        "Accuracy under stress with intervals of 95 %",
        _axis_for(intervals),
        intervals,
        result.metrics["accuracy"].value,
    )
    heads = ("condition", "accuracy", "interval", "answers changed")
    caption = "Accuracy under stress; dashed: as it is"
    return figure(caption, plot, table("Under stress", heads, rows))


def comparison(result: Evaluation) -> str:
    """Return the paired comparison with another model."""
    found = result.comparison
    if found is None:
        return ""
    return table("Paired comparison of the same photos", (), comparison_rows(found))


def comparison_rows(found: Comparison) -> list[tuple[str, str]]:
    """Return the rows of a table of a comparison: names and values."""
    value, low, high = (
        f"{100 * (v or 0.0):+.2f}"
        for v in (found.difference.value, found.difference.low, found.difference.high)
    )
    this, other = (
        "{} ({})".format(*show_estimate("accuracy", accuracy))
        for accuracy in (found.first, found.second)
    )
    rows = [
        ("the other", found.other),
        ("accuracy of this one", this),
        ("accuracy of the other", other),
        ("answered by the other", f"{100 * found.coverage:.1f} % of the photos compared"),
        ("difference of accuracy", f"{value} points ({low} to {high})"),
        ("only this one correct", f"{found.only_first:,} photos"),
        ("only the other correct", f"{found.only_second:,} photos"),
        ("McNemar's exact test", f"p = {found.p_value:.3g}"),
    ]
    if len(found.missing):
        rows.insert(
            1, ("not compared, since the other does not list them", f"{len(found.missing):,}")
        )
    return rows


def show_estimate(name: str, estimate: Estimate) -> tuple[str, str]:
    """Return value and interval as text: proportions in percent, the rest as numbers."""
    if estimate.value is None:
        return "undefined", ""

    def show(value: float) -> str:
        return f"{100 * value:.1f} %" if name.startswith(_SHARES) else f"{value:.4f}"

    if estimate.low is None or estimate.high is None:
        return show(estimate.value), ""
    return show(estimate.value), f"{show(estimate.low)} to {show(estimate.high)}"


def _axis_for(rows: Sequence[Interval]) -> Axis:
    """Return an axis in percent that starts a little below the lowest interval."""
    lows = [row.low if row.low is not None else row.value for row in rows]
    return share_axis("accuracy", min((low for low in lows if low is not None), default=0.0))


def _ends(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high
