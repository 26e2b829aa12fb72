"""The history of a training: a row an epoch, as a table and as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from facegender.models.bundle import CURVE, HISTORY, LAST
from facegender.models.learning_curve import learning_curve_picture
from facegender.runtime.files import write_bytes
from facegender.training.events import Epoch


def history_files(epochs: Sequence[Epoch]) -> dict[str, bytes]:
    """Return ``history.csv``, whose columns are the fields of `Epoch`, and ``history.svg``."""
    rows = [asdict(epoch) | {"best": int(epoch.best)} for epoch in epochs]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return {HISTORY: text.getvalue().encode(), CURVE: learning_curve_picture(rows).encode()}


def save_history(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Write the history of an unfinished training.

    It lies in ``last/``: the files beside the manifest belong to the model that may be there.

    Args:
        folder: the model folder.
        epochs: those that are done, in all runs.
    """
    for name, content in history_files(epochs).items():
        write_bytes(folder / LAST / name, content)
