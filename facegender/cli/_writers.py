"""Predictions -> a table, JSON, JSON lines or CSV, written as they come."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.table import Table

    from facegender.prediction.predictor import Prediction, Predictor

COLUMNS = (
    "path",
    "error",
    "face",
    "x",
    "y",
    "width",
    "height",
    "landmarks",
    "score",
    "label",
    "female",
    "male",
    "uncertain",
)

TABLE_ROWS = 2000
"""Rows of a table that are held to find the widths of its columns."""

Writer = Callable[[Iterable["Prediction"], "Predictor", TextIO], None]


def choose(*, json: bool, jsonl: bool, csv: bool) -> Writer:
    """Return the writer of the format asked for; a table where none is."""
    if json:
        return write_json
    if jsonl:
        return write_jsonl
    return write_csv if csv else write_table


@contextmanager
def opened(output: Path | None) -> Iterator[TextIO]:
    """Yield stdout, or a file that replaces `output` when the block succeeds."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    from facegender.runtime.files import atomic_path

    with (
        atomic_path(output) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file


def write_json(predictions: Iterable[Prediction], predictor: Predictor, stream: TextIO) -> None:
    """Write the whole contract, a photo a line, without holding them all."""
    from facegender.labels import LABELS

    bundle = predictor.bundle
    head = {
        "schema": 1,
        "model": {"path": str(bundle.folder), "fingerprint": bundle.fingerprint},
        "labels": list(LABELS),
        "threshold": predictor.threshold,
    }
    stream.write(_dumps(head)[:-1] + ', "photos": [')
    for i, prediction in enumerate(predictions):
        stream.write(("," if i else "") + "\n" + _dumps(prediction.to_json()))
    stream.write("\n]}\n")


def write_jsonl(predictions: Iterable[Prediction], _predictor: Predictor, stream: TextIO) -> None:
    """Write an element of ``photos`` a line, as soon as it is known."""
    for prediction in predictions:
        stream.write(_dumps(prediction.to_json()) + "\n")
        stream.flush()


def write_csv(predictions: Iterable[Prediction], _predictor: Predictor, stream: TextIO) -> None:
    """Write a row a face; a photo without one gets a row without one."""
    from facegender.runtime.files import no_formula, write_csv_row

    write_csv_row(stream, COLUMNS)
    for prediction in predictions:
        photo = prediction.to_json()
        for number, face in enumerate(photo["faces"] or [None], start=1):
            cells = [no_formula(photo["path"]), photo["error"] or "", *_face_cells(face, number)]
            write_csv_row(stream, cells)


def write_table(predictions: Iterable[Prediction], _predictor: Predictor, stream: TextIO) -> None:
    """Write a table for people; a long one in parts, each as wide as it needs."""
    from facegender.cli import _console as console

    table = _empty_table()
    for prediction in predictions:
        name = console.plain(prediction.path or "")
        if prediction.error is not None:
            continue
        if not prediction.faces:
            table.add_row(name, "", "", "no face")
        for number, face in enumerate(prediction.faces, start=1):
            female, male = (f"{100 * p:.1f} %" for p in face.probabilities)
            sure = "uncertain" if face.uncertain else "sure"
            x, y, w, h = (round(side) for side in face.face.box)
            where = f"{w}x{h} at {x},{y}"
            table.add_row(name, str(number), where, face.name, female, male, sure)
            name = ""
        if table.row_count >= TABLE_ROWS:
            console.print_above_bar(table, stream)
            table = _empty_table()
    if table.row_count:
        console.print_above_bar(table, stream)


def _empty_table() -> Table:
    from facegender.cli import _console as console

    table = console.make_table(
        "", "photo", ">face", "where", "gender", ">female", ">male", "how sure"
    )
    table.title = None
    table.show_edge = False
    return table


def _face_cells(face: dict[str, Any] | None, number: int) -> list[Any]:
    if face is None:
        return [""] * (len(COLUMNS) - 2)
    points = " ".join(f"{x:g} {y:g}" for x, y in face["landmarks"] or [])
    score = "" if face["score"] is None else face["score"]
    pair = face["probabilities"]
    sure = "yes" if face["uncertain"] else "no"
    return [number, *face["box"], points, score, face["label"], pair["female"], pair["male"], sure]


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
