"""Predictions -> a table, JSON, JSON lines or CSV, written as they come."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from facegender.errors import UsageError
from facegender.images.photo_files import is_photo_name

if TYPE_CHECKING:
    from rich.table import Table

    from facegender.prediction.answer_log import Answered
    from facegender.prediction.predictor import Predictor
    from facegender.prediction.video import Answer

COLUMNS: Final = (
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
SUFFIXES: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".txt": "table",
}
"""The format that a file's suffix stands for."""
GROWING: Final = ("jsonl", "csv")
"""Formats to which answers can be appended, so that a stopped run leaves those it has."""

TABLE_ROWS = 2000
"""Rows of a table that are held to find the widths of its columns."""


class Sink(Protocol):
    """Takes answers one by one, in order.

    Attributes:
        before: photos that an earlier run answered, see `AnswerLog.before`.
    """

    before: list[Answered]

    def add(self, prediction: Answer, *, shown: bool = True) -> None:
        """Write an answer; one that is not shown is only remembered as answered."""

    def is_answered(self, path: str) -> bool:
        """Whether an earlier run wrote the answer to a photo."""

    def flush(self) -> None:
        """Write what was added and still waits."""


def format_of(output: Path | None, *, json: bool, jsonl: bool, csv: bool) -> str:
    """Return the format asked for: json, jsonl, csv or table.

    An option wins over the suffix of the file.

    Raises:
        UsageError: several options, the name of a photo, or a suffix that stands for no format.
    """
    if output is not None and is_photo_name(output.name):
        raise UsageError(
            f"{output} is the name of a photo, and answers are text",
            f"Name a file that ends in {', '.join(SUFFIXES)}.",
        )
    asked = [name for name, on in (("json", json), ("jsonl", jsonl), ("csv", csv)) if on]
    if len(asked) > 1:
        raise UsageError("--json, --jsonl and --csv contradict each other", "Give one of them.")
    if asked:
        return asked[0]
    suffix = "" if output is None else output.suffix.lower()
    if not suffix:
        return "table"
    if suffix not in SUFFIXES:
        raise UsageError(
            f"the suffix of {output} stands for no format",
            f"Name a file that ends in {', '.join(SUFFIXES)}, or give --json, --jsonl or --csv.",
        )
    return SUFFIXES[suffix]


@contextmanager
def opened(
    output: Path | None,
    form: str,
    predictor: Predictor,
    facts: Mapping[str, Any],
    *,
    videos: bool = False,
    resume: bool = False,
    force: bool = False,
) -> Iterator[Sink]:
    """Yield where answers go: stdout, a file that grows, or one that appears when all are there.

    Args:
        output: the file, None for stdout.
        form: see `format_of`.
        predictor: the model that answers.
        videos: a CSV has the columns of videos too.
        facts, resume, force: see `answer_log.open_answers`.
    """
    if output is not None and form in GROWING and not _is_special(output):
        from facegender.dataset.encodings import BOM
        from facegender.prediction.answer_log import open_answers

        head, text_of = _growing(form, videos)
        begin = BOM + head if form == "csv" else head
        with open_answers(output, facts, begin, resume=resume, force=force) as log:
            yield _LogSink(log, text_of)
        return
    with _stream(output) as stream, _streamed(form, predictor, stream, videos) as sink:
        yield sink


class _LogSink:
    """A file that grows."""

    def __init__(self, log: Any, text_of: Callable[[Answer], str]) -> None:
        self.log, self._text_of = log, text_of
        self.before: list[Answered] = log.before

    def add(self, prediction: Answer, *, shown: bool = True) -> None:
        from facegender.prediction.tally import tally_of

        text = self._text_of(prediction) if shown else ""
        self.log.add(prediction.path or "", text, tally_of(prediction))

    def is_answered(self, path: str) -> bool:
        answered: bool = self.log.is_answered(path)
        return answered

    def flush(self) -> None:
        self.log.flush()


class _StreamSink:
    """A stream that is written from its beginning to its end."""

    def __init__(self, write: Callable[[Answer], None]) -> None:
        self._write = write
        self.before: list[Answered] = []

    def add(self, prediction: Answer, *, shown: bool = True) -> None:
        if shown:
            self._write(prediction)

    def is_answered(self, path: str) -> bool:  # noqa: ARG002
        return False

    def flush(self) -> None:
        pass


@contextmanager
def _streamed(form: str, predictor: Predictor, stream: TextIO, videos: bool) -> Iterator[Sink]:
    if form == "json":
        with _json(predictor, stream) as write:
            yield _StreamSink(write)
    elif form == "table":
        with _table(stream) as write:
            yield _StreamSink(write)
    else:
        head, text_of = _growing(form, videos)
        stream.write(head)

        def write_line(prediction: Answer) -> None:
            stream.write(text_of(prediction))
            if form == "jsonl":
                stream.flush()

        yield _StreamSink(write_line)


@contextmanager
def _stream(output: Path | None) -> Iterator[TextIO]:
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


def _growing(form: str, videos: bool) -> tuple[str, Callable[[Answer], str]]:
    """How a file begins, and the text of an answer."""
    if form == "jsonl":
        return "", jsonl_text
    from facegender.cli._video import CSV_COLUMNS

    more = CSV_COLUMNS if videos else ()
    return csv_text([(*COLUMNS, *more)]), partial(csv_rows, more=len(more))


def jsonl_text(prediction: Answer) -> str:
    """Return an element of ``photos`` as a line."""
    return _dumps(prediction.to_json()) + "\n"


def csv_rows(prediction: Answer, *, more: int = 0) -> str:
    """Return a row a face, of a video a row a track; one without gets a row without one.

    Args:
        prediction: of a photo or a video.
        more: columns that only videos fill.
    """
    from facegender.cli import _video as video
    from facegender.prediction.video import VideoPrediction
    from facegender.runtime.files import no_formula

    if isinstance(prediction, VideoPrediction):
        wide = len(COLUMNS) + more  # a video that was not expected has no columns for its times
        return csv_text(row[:wide] for row in video.csv_rows(prediction))
    photo = prediction.to_json()
    start = [no_formula(photo["path"]), photo["error"] or ""]
    faces = enumerate(photo["faces"] or [None], start=1)
    rest = [""] * more
    return csv_text([*start, *_face_cells(face, number), *rest] for number, face in faces)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV."""
    import io

    from facegender.runtime.files import write_csv_row

    text = io.StringIO(newline="")
    for row in rows:
        write_csv_row(text, list(row))
    return text.getvalue()


@contextmanager
def _json(predictor: Predictor, stream: TextIO) -> Iterator[Callable[[Answer], None]]:
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
    comma = ""

    def write(prediction: Answer) -> None:
        nonlocal comma
        stream.write(f"{comma}\n" + _dumps(prediction.to_json()))
        comma = ","

    yield write
    stream.write("\n]}\n")


@contextmanager
def _table(stream: TextIO) -> Iterator[Callable[[Answer], None]]:
    """Write a table for people; a long one in parts, each as wide as it needs.

    What was answered before an interruption or an error is written too.
    """
    from facegender.cli import _console as console

    table = _empty_table()

    def write(prediction: Answer) -> None:
        nonlocal table
        _add_rows(table, prediction)
        if table.row_count >= TABLE_ROWS:
            console.print_above_bar(table, stream)
            table = _empty_table()

    try:
        yield write
    finally:
        if table.row_count:
            console.print_above_bar(table, stream)


def _add_rows(table: Table, prediction: Answer) -> None:
    from facegender.cli import _console as console
    from facegender.cli import _video as video
    from facegender.prediction.video import VideoPrediction

    if isinstance(prediction, VideoPrediction):
        video.add_rows(table, prediction)
        return
    name = console.plain(prediction.path or "")
    if prediction.error is not None:
        return
    if not prediction.faces:
        table.add_row(name, "", "", "no face")
    for number, face in enumerate(prediction.faces, start=1):
        female, male = (f"{100 * p:.1f} %" for p in face.probabilities)
        sure = "uncertain" if face.uncertain else "sure"
        x, y, w, h = (round(side) for side in face.face.box)
        where = f"{w}x{h} at {x},{y}"
        table.add_row(name, str(number), where, face.name, female, male, sure)
        name = ""


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


def _is_special(path: Path) -> bool:
    """Whether a device or a pipe lies there, which cannot grow and be cut."""
    return path.exists() and not path.is_file()
