"""The history of a training, with a row per epoch."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields

from facegender.training.events import Epoch


def history_csv(rows: list[Epoch]) -> str:
    """Return the bundle's ``history.csv``."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(asdict(row) | {"best": int(row.best)})
    return text.getvalue()
