"""The model card: everything in it comes from the manifest, no number is typed by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from facegender.errors import BundleError, UsageError
from facegender.labels import LABELS
from facegender.models.bundle import CARD, Bundle, amend_bundle, load_bundle
from facegender.runtime.files import lock

LIMITS_OF_USE = """\
This model estimates the *perceived* gender of a face, as annotators of its training photos saw
it. It knows two labels and says nothing about a person's gender identity. Do not use it to decide
about a person, to admit or refuse anyone, for surveillance, or to infer anything else about
someone. Errors fall unevenly on groups of people: measure them on your own photos with
`facegender eval --by COLUMN` before you rely on it."""

GROUP_COLUMNS = ("accuracy", "recall_female", "recall_male")
_TITLES = {
    "accuracy": "accuracy",
    "recall_female": "women called women",
    "recall_male": "men called men",
    "log_loss": "log loss",
    "ece": "calibration error",
}


def render_card(facts: Mapping[str, Any]) -> str:
    """Return the card of a model as Markdown.

    Args:
        facts: the manifest, or what will be one; its ``evaluations`` are those that
            `record_evaluation` added.
    """
    parts = [
        [f"# A facegender model: {facts['arch']}", "", LIMITS_OF_USE],
        _data(facts),
        _training(facts),
        _validation(facts),
        *(list(_evaluation(found)) for found in facts.get("evaluations", [])),
        _threshold(facts),
        ["Made with " + ", ".join(f"{k} {v}" for k, v in facts["versions"].items()) + "."],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def check_record(bundle: Bundle, title: str) -> None:
    """Refuse, before an evaluation, what `record_evaluation` could not add to the card.

    Raises:
        UsageError: an empty title.
        BundleError: the model folder cannot be written.
    """
    if not title.strip():
        raise UsageError("--record is empty", "Give a title that says what the rows are.")
    if not os.access(bundle.folder, os.W_OK):
        raise BundleError(
            f"--record: the model folder {bundle.folder} cannot be written", "Copy the model first."
        )


def record_evaluation(bundle: Bundle, evaluation: Mapping[str, Any], title: str) -> Bundle:
    """Add an evaluation to the card of the model that it judged; an older one of that title goes.

    Args:
        bundle: the model.
        evaluation: `Evaluation.to_json`.
        title: what the rows are, for people.

    Returns:
        the bundle with its new card.

    Raises:
        BundleError: another model was written to the folder meanwhile.
    """
    kept = ("data", "metrics", "of_faces_found", "groups", "stress", "warnings")
    entry = {"title": title, **{name: evaluation[name] for name in kept}}
    with lock(bundle.folder, "eval --record"):
        judged, bundle = bundle.fingerprint, load_bundle(bundle.folder)
        if bundle.fingerprint != judged:
            raise BundleError(
                f"{bundle.folder} holds another model than the one that was judged ({judged})",
                "Judge the new one.",
            )
        older = bundle.manifest.get("evaluations", [])
        facts = {"evaluations": [*(e for e in older if e["title"] != title), entry]}
        card = render_card({**bundle.manifest, **facts})
        return amend_bundle(bundle, {CARD: card.encode()}, facts)


def _data(facts: Mapping[str, Any]) -> list[str]:
    data = facts["data"]
    credit = [str(facts["credit"]), ""] if facts.get("credit") else []
    without = sum(data.get("no_face", {}).values())
    left_out = data.get("left_out", 0)
    gone = f"{left_out:,} rows were left out: their photo had vanished or changed. "
    return [
        "## Data",
        "",
        *credit,
        *_table(
            ("split", *LABELS),
            [(s, *(f"{c[name]:,}" for name in LABELS)) for s, c in data["splits"].items()],
        ),
        "",
        f"In {without:,} of these photos no face was found; nothing was learned from them. "
        f"{gone if left_out else ''}"
        f"Table `{data['csv']}`, fingerprint `{data['fingerprint']}`.",
    ]


def _training(facts: Mapping[str, Any]) -> list[str]:
    training, crop = facts["training"], facts["crop"]
    how = ", ".join(f"{key} {value}" for key, value in crop.items())
    init = training.get("init") or "none"
    start = "random weights" if init == "none" else f"the weights of {init}"
    worse = ", with blur, JPEG and dim light" if training.get("degrade", False) else ""
    mixed = []
    if share := training.get("share_of_start"):
        mixed = [
            f"- At the end {100 * share:.0f} % of the start's weights were mixed in again"
            f"{'' if training.get('start_share') else ', the share of least validation loss'}."
        ]
    earlier = list(_earlier(training.get("started_from")))
    return [
        "## Training",
        "",
        f"- Crop: {how}. Detector: {facts.get('finder') or 'none'}.",
        f"- From {start}; at most {training['epochs']} epochs of batches of "
        f"{training['batch_size']}, learning rate {training['lr']:g}, label smoothing "
        f"{training.get('label_smoothing') or 0:g}, patience {training['patience']}, "
        f"seed {training['seed']}, augmentation {'on' if training['augment'] else 'off'}{worse}.",
        f"- Ended: {training['finished']}; epochs done: {training['epochs_done']}; the best is "
        f"number {training['best_epoch']}.",
        f"- Cost: {training['seconds']:,.0f} s.",
        *_guidance(training),
        *mixed,
        *earlier,
    ]


def _guidance(training: Mapping[str, Any]) -> Iterator[str]:
    """What a training learned from beside the labels, and what `predict` runs."""
    if taught_by := training.get("taught_by"):
        yield (
            f"- Teacher: {', '.join(taught_by)}; its answer is {training['teacher_share']:.0%} of "
            "what was learned, the label the rest."
            + (
                " It was asked once for each photo, for its crop and the mirror image."
                if training.get("teacher_once")
                else ""
            )
        )
    if doubt := training.get("doubt"):
        yield (
            f"- Labels of {doubt} are less certain: this share of the target went to both genders "
            "alike."
        )
    if also := training.get("also"):
        yield f"- While training it also learned {' and '.join(also)}, which it does not answer."
    if freeze := training.get("freeze"):
        yield f"- The first {freeze} convolutions are those of the start."
    if training.get("int8"):
        yield "- `predict` runs it in 8-bit numbers; `model.keras` has weights in half precision."


def _earlier(origin: Mapping[str, Any] | None) -> Iterator[str]:
    """The trainings that came before this one, the latest first."""
    while origin:
        if "seconds" in origin:
            yield (
                f"- Before that, model {origin['fingerprint']}: crop {origin['crop']['kind']} of "
                f"{origin['crop']['size']}, epochs done: {origin['epochs_done']}, the best is "
                f"number {origin['best_epoch']}, cost: {origin['seconds']:,.0f} s."
            )
        else:
            yield f"- It began with weights that others made: {origin.get('credit', 'unknown')}"
        origin = origin.get("started_from")


def _validation(facts: Mapping[str, Any]) -> list[str]:
    metrics = facts["metrics"]
    where = "validation" if metrics["validated_on"] == "val" else "test"
    chose = "the epoch and the temperature" if where == "validation" else "the epoch"
    return [
        f"## On the {metrics['photos']:,} {where} photos",
        "",
        f"These photos chose {chose}, so the numbers flatter the model a little; judge it with "
        "`facegender eval`.",
        "",
        f"- Accuracy {metrics['accuracy']:.4f}, log loss {metrics['log_loss']:.4f}.",
        f"- Temperature {facts['temperature']:.3f}, folded into the last layer.",
    ]


def _threshold(facts: Mapping[str, Any]) -> list[str]:
    return [
        "## The threshold",
        "",
        f"A face is called uncertain below a probability of {facts['threshold']:g} for the "
        "likelier gender. Raise it (`--threshold`) where an error costs more than no answer; the "
        "answer itself is always decided at one half. Set it on photos like yours, and not on "
        "those that you judge the model with.",
    ]


def _evaluation(found: Mapping[str, Any]) -> Iterator[str]:
    data, metrics = found["data"], found["metrics"]
    yield f"## {found['title']}"
    yield ""
    rows = "".join(f", {text}" for text in data.get("where", []))
    yield (
        f"`{data['csv']}`, split {data['split']}{rows}: {data['photos']:,} photos, every one "
        f"counted: {data['no_face']:,} without a face and {data['unreadable']:,} unreadable are "
        "errors. Intervals are of 95 %."
    )
    yield ""
    shown = [(title, *_cells(name, metrics[name])) for name, title in _TITLES.items()]
    if data["no_face"] or data["unreadable"]:
        shown.append(
            ("accuracy of faces found", *_cells("accuracy", found["of_faces_found"]["accuracy"]))
        )
    yield from _table(("", "value", "interval"), shown)
    for by, groups in found["groups"].items():
        yield ""
        yield from _groups(by, groups)
    if found["stress"]:
        yield ""
        yield from _table(
            ("under stress", "accuracy", "interval", "answers changed"),
            [
                (s["what"], *_cells("accuracy", s["accuracy"]), f"{s['flips']:,}")
                for s in found["stress"].values()
            ],
        )


def _groups(by: str, groups: Mapping[str, Any]) -> Iterator[str]:
    heads = [head for name in GROUP_COLUMNS for head in (_TITLES[name], "interval")]
    rows = []
    for value, group in groups.items():
        cells = [cell for name in GROUP_COLUMNS for cell in _cells(name, group[name])]
        if group["too_small"]:
            cells = ["too few to say", *[""] * (len(heads) - 1)]
        rows.append((value or "(none)", f"{group['photos']:,}", *cells))
    yield from _table((f"by {by}", "photos", *heads), rows)


def _cells(name: str, estimate: Mapping[str, Any]) -> tuple[str, str]:
    """Value and interval: log loss as a number, the rest in percent."""

    def show(value: float) -> str:
        return f"{value:.3f}" if name == "log_loss" else f"{100 * value:.1f} %"

    if estimate["value"] is None:
        return "undefined", ""
    if estimate["low"] is None:
        return show(estimate["value"]), ""
    return show(estimate["value"]), f"{show(estimate['low'])} to {show(estimate['high'])}"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "| --- |" + " ---: |" * (len(heads) - 1)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
