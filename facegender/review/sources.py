"""What `predict` wrote -> the photos and faces that can be looked at."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegender.dataset.review_labels import Box
from facegender.dataset.table import PATH_WORDS, path_resolver, read_rows
from facegender.errors import DataError, UsageError

FOLDER = "folder"
_CSV = ("path", "error", "x", "y", "width", "height", "male")
_EXPECTED = (
    "Expected what `facegender predict` writes with --json, --jsonl or --csv, a folder of photos, "
    "or a faces.csv."
)


@dataclass(frozen=True, slots=True)
class AnsweredFace:
    """A face that the model gave an answer for.

    Attributes:
        photo: number of its photo.
        box: x, y, width, height in pixels of the upright photo.
        p_male: probability of male, 0 to 1.
        label: 0 = female, 1 = male as a table says; None where there is no table.
    """

    photo: int
    box: Box
    p_male: float
    label: int | None = None


@dataclass(slots=True)
class Answers:
    """A model's answers for photos.

    Attributes:
        photos: absolute paths of the photos that were read, those without a face included.
        faces: of all photos.
        model: fingerprint of the model, "" where the file does not say.
        columns: name -> a value a photo, to draw by.
    """

    photos: list[str] = field(default_factory=list)
    faces: list[AnsweredFace] = field(default_factory=list)
    model: str = ""
    columns: dict[str, list[str]] = field(default_factory=dict)


def is_predict_csv(file: Path) -> bool:
    """Tell whether a CSV is `predict`'s, and not a table of labelled photos."""
    header, _ = read_rows(file)
    return header is not None and set(_CSV) <= set(header)


def read_answers(file: Path) -> Answers:
    """Read what `predict` wrote: JSON, JSON lines or CSV, by the file's suffix.

    Paths are taken relative to the current folder, as `predict` took them, then to the file's.
    Photos that could not be read are left out.

    Raises:
        DataError: it cannot be read, or is none of these.
    """
    found = Answers()
    resolve = path_resolver([Path.cwd(), file.parent])
    if file.suffix.lower() == ".csv":
        photos: Iterable[dict[str, Any]] = _photos_of_csv(file)
    elif file.suffix.lower() == ".json":
        content = _parsed(file, _text(file))
        photos = content.get("photos", [])
        found.model = str((content.get("model") or {}).get("fingerprint") or "")
    else:
        photos = (_parsed(file, line) for line in _text(file).splitlines() if line.strip())
    try:
        for photo in photos:
            _add(found, photo, resolve)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{file} holds something else: {error!r}", _EXPECTED) from None
    if not found.photos:
        raise DataError(f"{file} holds no photo that could be read", _EXPECTED)
    return found


def strata_of(answers: Answers, by: str | None) -> list[str]:
    """Return the stratum of each photo: its folder, or its value in a column; "" without `by`.

    Raises:
        UsageError: no such column.
    """
    if by is None:
        return [""] * len(answers.photos)
    if by == FOLDER:
        folders = [os.path.dirname(path) for path in answers.photos]
        base = os.path.commonpath(folders) if folders else ""
        return [os.path.relpath(folder, base) for folder in folders]
    for name, values in answers.columns.items():
        if name.casefold() == by.casefold():
            return values
    known = ", ".join([FOLDER, *answers.columns])
    raise UsageError(f"there is no column {by!r}, only {known}", "--attributes FILE adds columns.")


def join_columns(answers: Answers, file: Path) -> None:
    """Add the columns of a CSV with a path column to the photos; "" where it lacks a photo.

    Raises:
        DataError: it has no path column, or names none of the photos.
    """
    header, rows = read_rows(file)
    if header is None:
        raise DataError(f"{file} has no header with a path column", "Expected path,NAME,NAME…")
    words = [name.casefold() for name in header]
    place = next(words.index(word) for word in PATH_WORDS if word in words)
    resolve = path_resolver([file.parent, Path.cwd()])
    number = {path: i for i, path in enumerate(answers.photos)}
    columns = {
        name: [""] * len(answers.photos) for i, name in enumerate(header) if i != place and name
    }
    matched = False
    for row in rows:
        photo = number.get(os.path.abspath(resolve(row[place]))) if place < len(row) else None
        if photo is None:
            continue
        matched = True
        for name, cell in zip(header, row, strict=False):
            if name in columns:
                columns[name][photo] = cell
    if not matched:
        raise DataError(
            f"no path in {file} matches a photo; a photo is {answers.photos[0]}",
            "Write paths relative to the attribute file's folder.",
        )
    answers.columns.update(columns)


def _add(found: Answers, photo: dict[str, Any], resolve: Callable[[str], str]) -> None:
    if photo["error"] or not photo["path"]:
        return
    number = len(found.photos)
    found.photos.append(os.path.abspath(resolve(photo["path"])))
    for face in photo["faces"]:
        x, y, width, height = (float(side) for side in face["box"])
        p_male = float(face["probabilities"]["male"])
        if not (width > 0 and height > 0 and 0 <= p_male <= 1):
            raise ValueError(f"{photo['path']} has the face {face}")
        found.faces.append(AnsweredFace(number, (x, y, width, height), p_male))


def _photos_of_csv(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of predict's CSV, a face each, as elements of its JSON."""
    header, rows = read_rows(file)
    if header is None or not set(_CSV) <= set(header):
        raise DataError(f"{file} has not the columns that predict writes", _EXPECTED)
    photo: dict[str, Any] = {}
    for row in rows:
        cells = dict(zip(header, row, strict=False))
        if not photo or cells["path"] != photo["path"] or cells.get("face") in ("", "1"):
            if photo:
                yield photo
            photo = {"path": cells["path"], "error": cells["error"], "faces": []}
        if cells["x"]:
            box = [cells[side] for side in ("x", "y", "width", "height")]
            photo["faces"].append({"box": box, "probabilities": {"male": cells["male"]}})
    if photo:
        yield photo


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}", _EXPECTED) from error
    except ValueError:
        raise DataError(f"{file} is not text", _EXPECTED) from None


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not the JSON that predict writes: {error}", _EXPECTED) from None
    if not isinstance(content, dict):
        raise DataError(f"{file} is not the JSON that predict writes", _EXPECTED)
    return content
