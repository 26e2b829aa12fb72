"""The shares of an archive -> sentences, and one self-contained HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegender._version import __version__
from facegender.evaluation.counting import CORRECTED, METHODS, MIN_LABELS, POOLED, UNCORRECTED
from facegender.images.plots import Axis, Interval, forest_plot
from facegender.models.card import LIMITS_OF_USE
from facegender.report.page import figure, page, paragraph, table

if TYPE_CHECKING:
    from facegender.evaluation.counting import Measure, Share
    from facegender.evaluation.shares import Shares

_MAX_MARKS, _MAX_ROWS = 60, 1000
"""Groups in a plot and in its table."""


def percent(value: float | None) -> str:
    """Return a share for people."""
    return "none" if value is None else f"{100 * value:.1f} %"


def show_interval(measure: Measure) -> str:
    """Return an interval for people, or why there is none."""
    low, high = measure.estimate.low, measure.estimate.high
    if low is not None and high is not None:
        return f"{100 * low:.1f} to {100 * high:.1f} %"
    return {POOLED: "pooled", UNCORRECTED: "uncorrected"}.get(measure.method, "")


def unit_of(result: Shares, count: int = 2) -> str:
    """Return what is counted."""
    return ("track" if result.video else "face") + ("s" if count != 1 else "")


def measure_of(result: Shares) -> str:
    """Name the first share: of faces, or of time where they are tracks of videos."""
    return "women's share of the time on screen" if result.video else "women among faces"


def verdict(result: Shares) -> list[str]:
    """Say what was counted, how sure it is, and what it is not."""
    whole, female = result.whole, result.whole.female
    things = f"{whole.faces:,} {unit_of(result, whole.faces)}"
    if result.video:
        things = f"the time on screen of {things}"
    kind = "video" if result.video else "photo"
    where = f"{whole.photos:,} {kind if whole.photos == 1 else f'{kind}s'}"
    if female.estimate.value is None:
        return [f"No face was found in {where}."]
    if female.method == UNCORRECTED:
        sentences = [
            f"Of {things} in {where} the model calls {percent(female.uncorrected)} female. This is "
            "uncorrected: the model's errors bias it, and the answers alone cannot say how much."
        ]
        if whole.allowed is not None and whole.allowed[0] < whole.allowed[1]:
            low, high = whole.allowed
            sentences.append(
                "If the model errs here as on some group of people on its card, the true share is "
                f"between {percent(low)} and {percent(high)}. That is an assumption, not an "
                "interval."
            )
        return [*sentences, _how_to_know(result)]
    sentences = [
        f"Of {things} in {where}, {percent(female.estimate.value)} ({show_interval(female)}) "
        f"{'is' if result.video else 'are'} perceived as women's. Uncorrected, the model's answers "
        f"give {percent(female.uncorrected)}."
    ]
    alone = female.alone
    if alone is not None and alone.low is not None and alone.high is not None:
        sentences.append(
            f"The {whole.labels:,} labels alone would give {percent(alone.value)} "
            f"({100 * alone.low:.1f} to {100 * alone.high:.1f} %)."
        )
    return sentences + _of_labels(whole)


def _how_to_know(result: Shares) -> str:
    """Say how to correct a raw count."""
    if result.reviewable:
        return f"To know: facegender review {result.file} --sample 200, then count with --labels."
    return (
        "To know: predict with --output answers.jsonl, then facegender review answers.jsonl "
        "--sample 200, and count answers.jsonl with --labels."
    )


def _of_labels(whole: Share) -> list[str]:
    """Say what the labels tell beside the share."""
    found = [
        f"{count:,} {what}"
        for count, what in (
            (whole.untellable, "show a face whose gender people cannot tell"),
            (whole.not_face, "show no face"),
        )
        if count
    ]
    sentences = (
        [f"Of the labelled answers {' and '.join(found)}: they do not count."] if found else []
    )
    if whole.missed:
        sentences.append(
            f"People saw {whole.missed:,} faces that the model did not find: the share counts "
            "such faces in."
        )
    return sentences


def explain_methods(result: Shares) -> list[str]:
    """Say what each method that occurs is, and what was planned."""
    shares = [result.whole, *(s for groups in result.groups.values() for s in groups.values())]
    used = {share.female.method for share in shares}
    sentences = []
    if POOLED in used:
        sentences.append(
            f"pooled: fewer than {MIN_LABELS} labels; the answers corrected as those of the whole "
            "archive are. It has no interval, since the model may err otherwise in that group."
        )
    for by, (first, last, change) in result.trends.items():
        if change.value is not None and change.low is not None and change.high is not None:
            sentences.append(
                f"From {by} {first} to {last}: {100 * change.value:+.1f} points "
                f"({100 * change.low:+.1f} to {100 * change.high:+.1f})."
            )
    if result.plan is not None and result.whole.female.needed is not None:
        helped, alone = result.whole.female.needed
        basis = (
            "if the model's probabilities are as right here as where it was trained"
            if result.whole.female.method == UNCORRECTED
            else "as its errors on the labels suggest"
        )
        sentences.append(
            f"For ± {100 * result.plan:g} points about {helped:,} labels of randomly drawn "
            f"{unit_of(result)} are needed, {basis}; {alone:,} without the model's answers."
        )
    return sentences


def render_shares(result: Shares, command: str = "") -> str:
    """Return the report as HTML.

    Args:
        result: what `count_shares` found.
        command: how the report was made.
    """
    lead = "".join(
        paragraph(text, "" if i else "verdict") for i, text in enumerate(verdict(result))
    )
    parts = [
        ("warnings", "What to know first", "".join(map(_alarm, result.warnings))),
        ("shares", "The whole archive", _measures(result)),
        *(
            (f"groups-{number}", f"By {by}", _groups(result, by))
            for number, by in enumerate(result.groups, start=1)
        ),
        ("methods", "How it was estimated", _methods(result)),
        ("use", "What the number is not", paragraph(LIMITS_OF_USE.replace("*", ""))),
        ("made", "How this was made", _made(result, command)),
    ]
    return page("The share of women in this archive", lead, parts)


def _alarm(text: str) -> str:
    return paragraph(f"{text[:1].upper()}{text[1:]}.", "alarm")


def _measures(result: Shares) -> str:
    whole = result.whole
    kinds = [
        (measure_of(result), whole.female),
        ("photos with a face that show a woman", whole.with_woman),
        ("women in a photo, averaged over photos", whole.mean),
    ]
    rows = [
        (name, percent(m.estimate.value), show_interval(m), percent(m.uncorrected))
        for name, m in kinds
        if m is not None
    ]
    return table("Shares", ("", "share", "95 % interval", "uncorrected"), rows)


def _groups(result: Shares, by: str) -> str:
    groups = result.groups[by]
    shown = list(groups.items())[:_MAX_MARKS]
    marks = []
    for value, share in shown:
        low, high = share.female.estimate.low, share.female.estimate.high
        if share.female.method == UNCORRECTED and share.allowed is not None:
            low, high = share.allowed
        middle = share.female.estimate.value
        if share.female.method == POOLED:
            middle = None  # a mark without an interval would look sure
        marks.append(Interval(value, middle, low, high))
    corrected = result.whole.female.method != UNCORRECTED
    bars = "intervals of 95 %" if corrected else "the ranges that the card's recalls allow"
    caption = f"Share of women by {by}, with {bars}"
    more = f", the first {_MAX_MARKS} of {len(groups):,}" if len(groups) > len(shown) else ""
    plot = forest_plot(
        caption + more, Axis("share of women"), marks, result.whole.female.estimate.value
    )
    heads = (by, unit_of(result), "labels", "share", "95 % interval", "uncorrected")
    rows = [
        (
            value,
            f"{share.faces:,}",
            f"{share.labels:,}",
            percent(share.female.estimate.value),
            show_interval(share.female),
            percent(share.female.uncorrected),
        )
        for value, share in list(groups.items())[:_MAX_ROWS]
    ]
    line = paragraph("The dashed line is the share of the whole archive.", "soft")
    return figure(caption + more, plot, table(f"By {by}", heads, rows)) + line


def _methods(result: Shares) -> str:
    shares = [result.whole, *(s for groups in result.groups.values() for s in groups.values())]
    used = {share.female.method for share in shares}
    parts = [f"{name}: {METHODS[name]}." for name in (UNCORRECTED, CORRECTED) if name in used]
    if CORRECTED in used:
        parts.append(
            "Sources: Angelopoulos, Duchi and Zrnic, PPI++: Efficient prediction-powered "
            "inference, 2023; intervals by Wilson's method for the effective number of labels, "
            "with faces of one photo or person as one cluster."
        )
    if result.whole.allowed is not None:
        parts.append(
            "The range without labels is Rogan and Gladen's correction (1978) with the ends of "
            "the intervals of the recalls of each group on the model's card."
        )
    return "".join(map(paragraph, [*parts, *explain_methods(result)]))


def _made(result: Shares, command: str) -> str:
    rows = [
        ("answers", str(result.file)),
        ("model fingerprint", result.model or "not in the answers"),
        ("facegender", __version__),
    ]
    return paragraph(command) + table("Versions and settings", (), rows)
