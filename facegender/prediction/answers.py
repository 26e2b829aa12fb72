"""Reading the answers of `predict` photo by photo, in bounded memory."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Final

from facegender.errors import DataError
from facegender.labels import LABELS
from facegender.prediction.answer_parts import AnswerParts, is_parts

STDIN: Final = Path("-")
_EXPECTED = "Expected what `facegender predict` writes with --json, --jsonl or --csv."
_decode = json.JSONDecoder().decode
_COLUMNS = ("path", "error", "x", "y", "width", "height", *LABELS)


def open_answers(place: Path) -> AnswersFile | AnswerParts:
    """Return the answers at a path, whatever they are written as; nothing is read yet."""
    return AnswerParts(place) if is_parts(place) else AnswersFile(place)


@dataclass(slots=True)
class AnswersFile:
    """Answers on disk or from a pipe; iterate over it for the elements of ``photos`` of the JSON.

    An element is that of a photo, with ``faces``, or of a video, with ``tracks``. Of each face
    only ``box`` and ``probabilities`` are certain to be there.

    Args:
        file: JSON, JSON lines or CSV; the content decides, not the name. `STDIN` is standard input.

    Attributes:
        position, size: bytes read so far, and in all; 0 for a pipe.
        head: of JSON, what stands beside the photos, such as the model's fingerprint; it is known
            once the iteration has begun.
    """

    file: Path
    head: dict[str, Any] = field(default_factory=dict)
    _stream: TextIOWrapper | None = None

    @property
    def position(self) -> int:
        if self._stream is None or not self.size:
            return 0
        return os.lseek(self._stream.fileno(), 0, os.SEEK_CUR)

    @property
    def size(self) -> int:
        if self._stream is None:
            return 0
        status = os.fstat(self._stream.fileno())
        return status.st_size if stat.S_ISREG(status.st_mode) else 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the elements in the file's order.

        Raises:
            DataError: the file cannot be read or is something else.
        """
        try:
            with self._opened() as text:
                self._stream = text
                yield from self._elements(text)
        except OSError as error:
            raise DataError(f"cannot read {self.name}: {error.strerror}", _EXPECTED) from None

    @property
    def name(self) -> str:
        """What messages call the file."""
        return "standard input" if self.file == STDIN else str(self.file)

    def _opened(self) -> TextIOWrapper:
        of = self.file == STDIN
        file = sys.stdin.fileno() if of else self.file
        return open(
            file, encoding="utf-8-sig", errors="surrogateescape", newline="", closefd=not of
        )

    def _elements(self, text: IO[str]) -> Iterator[dict[str, Any]]:
        start = text.readline()
        while start and not start.strip():
            start = text.readline()
        if not start:
            raise DataError(f"{self.name} is empty", _EXPECTED)
        if not start.lstrip().startswith("{"):
            yield from self._csv(start, text)
        elif start.rstrip().endswith('"photos": ['):
            self.head = self._parsed(start.rstrip() + "]}", 1)
            yield from self._json_lines(text, 2, in_list=True)
        else:
            yield from self._other_json(start, text)

    def _other_json(self, start: str, text: IO[str]) -> Iterator[dict[str, Any]]:
        """Yield the elements of JSON lines, or of JSON reformatted by another program."""
        try:
            first = json.loads(start)
        except ValueError:
            rest = text.read()
            first = self._parsed(start + rest, 1)
        if isinstance(first, dict) and isinstance(photos := first.pop("photos", None), list):
            self.head = first
            for photo in photos:
                yield self._checked(photo, "an element of photos")
            return
        yield self._checked(first, "line 1")
        yield from self._json_lines(text, 2)

    def _json_lines(
        self, text: IO[str], number: int, *, in_list: bool = False
    ) -> Iterator[dict[str, Any]]:
        ended = not in_list
        for number, line in enumerate(text, start=number):  # noqa: B020  # goes on where it began
            bare = line.strip()
            if in_list:
                if bare == "]}":
                    ended = True
                    continue
                bare = bare.removesuffix(",")
            if bare:
                self._refuse_cut(line, bare)
                yield self._checked(self._parsed(bare, number), f"line {number}")
        if not ended:
            raise DataError(f"{self.name} is truncated: its list of photos does not end", _EXPECTED)

    def _refuse_cut(self, line: str, bare: str) -> None:
        """Refuse the half line that a killed run may leave at the end."""
        if not line.endswith("\n") and not bare.endswith("}"):
            raise DataError(
                f"{self.name}: its last line is cut off, as where a run was killed",
                "Let that run end: give its predict command again, with --resume.",
            )

    def _parsed(self, text: str, number: int) -> Any:
        try:
            return _decode(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self.name}: line {number} is not JSON: {error}", _EXPECTED) from None

    def _checked(self, element: Any, where: str) -> dict[str, Any]:
        """Return an element if it is a photo's or a video's.

        A path of None (photos that came as bytes) becomes "".
        """
        if not isinstance(element, dict):
            raise DataError(f"{self.name}: {where} is not the answer for a photo", _EXPECTED)
        units = element.get("faces", element.get("tracks"))
        if not isinstance(units, list):
            raise DataError(f"{self.name}: {where} is not the answer for a photo", _EXPECTED)
        for unit in units:
            if not _is_answer(unit) or ("faces" not in element and "seconds" not in unit):
                raise DataError(f"{self.name}: {where} has an answer without numbers", _EXPECTED)
        element["path"] = str(element.get("path") or "")
        return element

    def _csv(self, start: str, text: IO[str]) -> Iterator[dict[str, Any]]:
        """Join the rows of a photo, which follow each other, into an element."""
        delimiter = next((mark for mark in ",;\t" if mark in start), ",")
        header = next(csv.reader([start], delimiter=delimiter))
        missing = [name for name in _COLUMNS if name not in header]
        if missing:
            raise DataError(f"{self.name} has no column {', '.join(missing)}", _EXPECTED)
        places = [header.index(name) for name in _COLUMNS]
        seconds_at = header.index("seconds") if "seconds" in header else None
        photo: dict[str, Any] | None = None
        last = max(*places, seconds_at or 0)
        try:
            for number, row in enumerate(csv.reader(text, delimiter=delimiter), start=2):
                if not row:
                    continue
                if len(row) <= last:
                    raise DataError(f"{self.name}: row {number} is incomplete", _EXPECTED)
                path, error, *cells = (row[i] for i in places)
                unit = self._face(cells, number)
                kind = "faces"
                if unit is not None and seconds_at is not None and row[seconds_at]:
                    kind, unit["seconds"] = "tracks", self._numbers([row[seconds_at]], number)[0]
                if unit is not None and photo is not None and photo["path"] == path:
                    photo.setdefault(kind, []).append(unit)
                    continue
                if photo is not None:
                    yield photo
                photo = {"path": path, "error": error or None, kind: [unit] if unit else []}
        except csv.Error as error:
            raise DataError(f"{self.name} is not a CSV file: {error}", _EXPECTED) from None
        if photo is not None:
            yield photo

    def _face(self, cells: list[str], number: int) -> dict[str, Any] | None:
        """Return the face of a row, None where the row has none."""
        if not any(cells):
            return None
        x, y, width, height, female, male = self._numbers(cells, number)
        return {"box": [x, y, width, height], "probabilities": {"female": female, "male": male}}

    def _numbers(self, cells: list[str], number: int) -> list[float]:
        try:
            return [float(cell) for cell in cells]
        except ValueError:
            raise DataError(f"{self.name}: row {number} has no numbers", _EXPECTED) from None


def _is_answer(unit: Any) -> bool:
    """Whether a face or track has a box and probabilities, and a track its seconds."""
    try:
        box, pair = unit["box"], unit["probabilities"]
        return len(box) == 4 and 0 <= pair["female"] <= 1 and unit.get("seconds", 0.0) >= 0
    except (TypeError, KeyError, AttributeError):
        return False


def best_boxes(tracks: Sequence[Mapping[str, Any]]) -> list[list[float] | None]:
    """Return where each track of a video is seen best; None where the answers do not say.

    Path and box tell faces apart. Where a scene is repeated, tracks may have the same box: those
    after the first are moved by thousandths of a pixel.

    Args:
        tracks: elements of ``tracks`` of the JSON contract.
    """
    seen: Counter[tuple[float, ...]] = Counter()
    found: list[list[float] | None] = []
    for track in tracks:
        best = track.get("best")
        if not (isinstance(best, dict) and isinstance(best.get("box"), list) and best["box"]):
            found.append(None)
            continue
        box = tuple(best["box"])
        found.append([box[0] + seen[box] / 1000, *box[1:]] if seen[box] else list(box))
        seen[box] += 1
    return found
