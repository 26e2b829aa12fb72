"""labels.csv: what people say that faces show, a row an answer.

``path,box,label`` are needed; the other columns of `HEADER` may be missing, so that labels made
with another tool serve too. The file only grows while somebody reviews: a later row of the same
annotator about the same face replaces an earlier one, and a row without a label withdraws it.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from facegender.dataset.table import PATH_WORDS, path_resolver, read_rows, relative_path
from facegender.errors import DataError
from facegender.labels import FEMALE, LABELS, MALE, parse_label
from facegender.runtime.files import write_csv_row

HEADER: Final = (
    "path",
    "box",
    "label",
    "annotator",
    "time",
    "sample",
    "probability",
    "stratum",
    "model",
)
UNTELLABLE: Final = "untellable"
NOT_FACE: Final = "not_face"
ANSWERS: Final = (LABELS[FEMALE], LABELS[MALE], UNTELLABLE, NOT_FACE)
"""What a label may be."""

FACES: Final = "faces"
PHOTOS: Final = "photos"
CHOSEN: Final = "uncertain"
SAMPLES: Final = (FACES, PHOTOS, CHOSEN)
"""How a face came to be reviewed: in a random sample of the answered faces; with every face of a
randomly sampled photo, found or not; or because the model was unsure, which measures nothing."""

SETTLED: Final = "settled"
"""The annotator whose answers end a disagreement of others."""

Box = tuple[float, float, float, float]
_EXPECTED = (
    "Expected the columns path, box (x y width height, in pixels of the upright photo) and "
    f"label ({', '.join(ANSWERS)})."
)


@dataclass(frozen=True, slots=True)
class ReviewLabel:
    """One answer of one annotator about one face.

    Attributes:
        path: of the photo.
        box: x, y, width and height in pixels of the upright photo. None in a row about a whole
            photo of a `PHOTOS` sample: with the label `NOT_FACE`, it shows no face at all.
        label: one of `ANSWERS`, or "" where an earlier answer is withdrawn.
        annotator: who answered, "" where nobody said.
        time: when, ISO 8601, or "".
        sample: one of `SAMPLES`, or "" where the file does not say.
        probability: of inclusion in the sample, above 0 to 1; None where the file does not say.
        stratum: the part of the archive that the sample was drawn from by itself, or "".
        model: fingerprint of the model whose answers were sampled, or "".
    """

    path: str
    box: Box | None
    label: str
    annotator: str = ""
    time: str = ""
    sample: str = ""
    probability: float | None = None
    stratum: str = ""
    model: str = ""

    @property
    def face(self) -> tuple[str, Box | None]:
        """The face that it is about: its photo and its box."""
        return self.path, self.box


def parse_box(text: str) -> Box | None:
    """Parse ``x y width height``, also separated by commas; None for an empty cell.

    Raises:
        ValueError: anything else, or a width or height that is not positive.
    """
    parts = text.replace(",", " ").split()
    if not parts:
        return None
    x, y, width, height = (float(part) for part in parts)
    if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
        raise ValueError(text)
    return x, y, width, height


def format_box(box: Sequence[float] | None) -> str:
    """Return the form that `parse_box` reads."""
    return "" if box is None else " ".join(f"{side:.10g}" for side in box)


def read_review_labels(file: Path, roots: Sequence[Path] = ()) -> list[ReviewLabel]:
    """Read every row of labels.csv, in the file's order; see `current_labels` for what counts.

    Paths are taken as `table.read_table` takes them: relative to the file's folder, then to
    `roots`. A last line that a killed program left incomplete is ignored.

    Raises:
        DataError: the file is missing, has no such columns, or a row is wrong.
    """
    header, rows = read_rows(file)
    columns = _columns(file, header)
    resolve = path_resolver([file.parent, *roots])
    labels: list[ReviewLabel] = []
    ended = _ends_in_newline(file)
    for number, (row, last) in enumerate(_marking_last(rows), start=2):
        if not any(cell.strip() for cell in row) or (last and not ended and _is_cut(row, header)):
            continue
        cells = {name: row[i] if i < len(row) else "" for name, i in columns.items()}
        try:
            label = _parse(cells)
        except ValueError as error:
            raise DataError(f"{file}: row {number} {error}", _EXPECTED) from None
        labels.append(replace(label, path=resolve(label.path)))
    return labels


def current_labels(labels: Iterable[ReviewLabel]) -> list[ReviewLabel]:
    """Return what counts: of each annotator the last row about each face, unless withdrawn."""
    last: dict[tuple[str, Box | None, str], ReviewLabel] = {}
    for label in labels:
        key = (*label.face, label.annotator)
        last.pop(key, None)  # so that the order is that of the answers that count
        last[key] = label
    return [label for label in last.values() if label.label]


def agreed_labels(labels: Iterable[ReviewLabel]) -> tuple[list[ReviewLabel], list[ReviewLabel]]:
    """Reduce the answers of several annotators to one a face.

    The answer of the annotator `SETTLED` counts; else that of the majority. Without a majority
    the face is `UNTELLABLE`: people could not agree.

    Returns:
        one label a face, in the order of the first answer about each; and those of them that
        became untellable for want of a majority.
    """
    by_face: dict[tuple[str, Box | None], list[ReviewLabel]] = {}
    for label in current_labels(labels):
        by_face.setdefault(label.face, []).append(label)
    agreed, split = [], []
    for answers in by_face.values():
        settled = [answer for answer in answers if answer.annotator == SETTLED]
        counts = Counter(answer.label for answer in answers).most_common(2)
        if settled:
            agreed.append(settled[-1])
        elif len(counts) == 1 or counts[0][1] > counts[1][1]:
            agreed.append(next(a for a in answers if a.label == counts[0][0]))
        else:
            agreed.append(replace(answers[0], label=UNTELLABLE))
            split.append(agreed[-1])
    return agreed, split


class LabelsWriter:
    """Appends rows to labels.csv; each is on disk when `append` returns.

    The caller holds `runtime.files.lock_target`, so that two programs do not write one file.

    Args:
        file: made with its header where it is missing or empty. Rows are written in the order of
            its own header; columns that it lacks are not written.

    Raises:
        DataError: the file holds another kind of table.
        OSError: it cannot be opened or written.
    """

    def __init__(self, file: Path) -> None:
        self._folder = os.path.abspath(file.parent)
        fresh = not file.exists() or file.stat().st_size == 0
        self._names: list[str] = list(HEADER)
        if not fresh:
            header = _header(file)
            columns = _columns(file, header)
            by_place = {place: name for name, place in columns.items()}
            self._names = [by_place.get(i, "") for i in range(len(header))]
            _mend_end(file, header)
        self._stream: BinaryIO = file.open("ab")
        if fresh:
            self._write(HEADER)

    def append(self, label: ReviewLabel) -> None:
        """Write one row and flush it to disk."""
        probability = "" if label.probability is None else f"{label.probability:.10g}"
        cells = {
            "path": relative_path(label.path, self._folder),
            "box": format_box(label.box),
            "label": label.label,
            "annotator": label.annotator,
            "time": label.time,
            "sample": label.sample,
            "probability": probability,
            "stratum": label.stratum,
            "model": label.model,
        }
        self._write([cells.get(name, "") for name in self._names])

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _write(self, cells: Sequence[str]) -> None:
        text = io.StringIO()
        write_csv_row(text, cells)
        self._stream.write(text.getvalue().encode("utf-8", "surrogateescape"))
        self._stream.flush()
        os.fsync(self._stream.fileno())


def _marking_last(rows: Iterable[list[str]]) -> Iterator[tuple[list[str], bool]]:
    """Yield each row, and whether it is the last."""
    before: list[str] | None = None
    for row in rows:
        if before is not None:
            yield before, False
        before = row
    if before is not None:
        yield before, True


def _is_cut(row: list[str], header: list[str] | None) -> bool:
    """Whether the last row of a file that does not end in a newline was written in part."""
    return len(row) < len(header or [])


def _columns(file: Path, header: list[str] | None) -> dict[str, int]:
    words = [name.casefold() for name in header or []]
    found: dict[str, int] = {name: words.index(name) for name in HEADER if name in words}
    if "path" not in found and (others := [word for word in PATH_WORDS if word in words]):
        found["path"] = words.index(others[0])
    for name in ("path", "box", "label"):
        if name not in found:
            raise DataError(f"{file} has no column {name}", _EXPECTED)
    return found


def _parse(cells: dict[str, str]) -> ReviewLabel:
    """Parse one row.

    Raises:
        ValueError: it is wrong; the message continues "row N …".
    """
    if not cells["path"]:
        raise ValueError("has no path")
    try:
        box = parse_box(cells["box"])
    except ValueError:
        raise ValueError(f"has the box {cells['box']!r}") from None
    word = cells["label"].strip().casefold()
    number = parse_label(word)
    label = word if number is None else LABELS[number]
    if label not in ("", *ANSWERS):
        raise ValueError(f"has the label {cells['label']!r}")
    if box is None and label in LABELS:
        raise ValueError("has a label and no box")
    sample = cells.get("sample", "").strip()
    if sample not in ("", *SAMPLES):
        raise ValueError(f"has the sample {sample!r}, expected one of {', '.join(SAMPLES)}")
    return ReviewLabel(
        cells["path"],
        box,
        label,
        cells.get("annotator", ""),
        cells.get("time", ""),
        sample,
        _probability(cells.get("probability", "")),
        cells.get("stratum", ""),
        cells.get("model", ""),
    )


def _probability(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise ValueError(f"has the probability {text!r}, expected above 0 to 1")
    return value


def _ends_in_newline(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)  # never empty: the header was read
        return stream.read(1) == b"\n"


def _header(file: Path) -> list[str]:
    """Return the header of a file to append to.

    Raises:
        DataError: it is separated by something else than the commas that are written here.
    """
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        header = next(csv.reader(stream), [])
    if len(header) < 2:
        raise DataError(f"{file} is not separated by commas", "Save it as CSV with commas.")
    return [cell.strip() for cell in header]


def _mend_end(file: Path, header: list[str]) -> None:
    """End the last line: with a newline where it is whole, else by removing what is left of it.

    A row whose newline is missing was never confirmed to the annotator; but an editor may have
    saved the file so, and then the row is whole.
    """
    if _ends_in_newline(file):
        return
    data = file.read_bytes()
    start = data.rfind(b"\n") + 1
    if _is_cut(next(csv.reader([data[start:].decode("utf-8", "surrogateescape")]), []), header):
        os.truncate(file, start)
        return
    with file.open("ab") as stream:
        stream.write(b"\n")
