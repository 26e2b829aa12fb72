"""The model card and the history of a training, from measured numbers only."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields
from typing import Any

from facegender.bundle import CARD, HISTORY
from facegender.training.events import Epoch
from facegender.training.state import State

LIMITS_OF_USE = """\
This model estimates the *perceived* gender of a face, as annotators of its training photos saw
it. It knows two labels and says nothing about a person's gender identity. Do not use it to decide
about a person, to admit or refuse anyone, for surveillance, or to infer anything else about
someone. Errors fall unevenly on groups of people: measure them on your own photos with
`facegender eval --by COLUMN` before you rely on it."""


def card_and_history(facts: dict[str, Any], state: State) -> dict[str, bytes]:
    """Return the bundle's ``README.md`` and ``history.csv``."""
    return {CARD: _card(facts).encode(), HISTORY: _history(state.history).encode()}


def _history(rows: list[Epoch]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(asdict(row) | {"best": int(row.best)})
    return text.getvalue()


def _card(facts: dict[str, Any]) -> str:
    training, data, metrics = facts["training"], facts["data"], facts["metrics"]
    where = "validation" if metrics["validated_on"] == "val" else "test"
    lines = [
        f"# A facegender model: {facts['arch']}",
        "",
        LIMITS_OF_USE,
        "",
        "## Data",
        "",
        "| split | female | male |",
        "| --- | ---: | ---: |",
        *(f"| {s} | {c['female']:,} | {c['male']:,} |" for s, c in data["splits"].items()),
        "",
        f"Table `{data['csv']}`, fingerprint `{data['fingerprint']}`.",
        "",
        "## Training",
        "",
        f"- Crop: {facts['crop']['kind']}, {facts['crop']['size']} pixels.",
        f"- At most {training['epochs']} epochs of batches of {training['batch_size']}, learning "
        f"rate {training['lr']:g}, patience {training['patience']}, seed {training['seed']}, "
        f"augmentation {'on' if training['augment'] else 'off'}.",
        f"- Ended: {training['finished']}; epochs done: {training['epochs_done']}; the best is "
        f"number {training['best_epoch']}.",
        f"- Cost: {training['seconds']:,.0f} s.",
        "",
        f"## On the {metrics['photos']:,} {where} photos",
        "",
        "These photos chose the epoch"
        + (" and the temperature" if where == "validation" else "")
        + ", so the numbers flatter the model a little; judge it with `facegender eval`.",
        "",
        f"- Accuracy {metrics['accuracy']:.4f}, log loss {metrics['log_loss']:.4f}.",
        f"- Temperature {facts['temperature']:.3f}, folded into the last layer.",
        f"- A face is called uncertain below a probability of {facts['threshold']:g}.",
        "",
        "Made with " + ", ".join(f"{k} {v}" for k, v in facts["versions"].items()) + ".",
    ]
    return "\n".join(lines) + "\n"
