"""faces.csv and other label files -> Samples, and back."""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import TextIOWrapper
from itertools import chain
from pathlib import Path, PureWindowsPath
from typing import TextIO

import numpy as np

from facegender.dataset.paths import Paths
from facegender.dataset.samples import SPLIT_WORDS, SPLITS, Samples
from facegender.errors import DataError
from facegender.labels import LABELS, parse_label
from facegender.runtime.files import FORMULA, no_formula, text_writer, write_csv_row

HEADER = ("path", "label", "person", "split")
PATH_WORDS = ("path", "file", "filename", "file_name", "image", "photo")
LABEL_WORDS = ("label", "gender", "sex")
_EXPECTED = (
    "Expected a header with the columns path and label (or gender), or headerless lines "
    "path,label; labels are 0 or female, 1 or male."
)


def read_table(file: Path, roots: Sequence[Path] = ()) -> Samples:
    """Read faces.csv, or a label file of other making, the article's headerless list included.

    Paths are taken relative to the file's folder, then to `roots`. A path of another machine
    (``F:\\gender_pic\\female\\1.jpg``, ``/home/someone/…``) is matched by its longest tail that
    exists below one of them. Paths that exist nowhere are kept, for the caller to report.

    Args:
        file: a CSV file, comma, semicolon or tab separated, UTF-8 with or without BOM.
        roots: further folders that paths may be relative to.

    Raises:
        DataError: the file is missing, empty, no such table, or a row has no valid label.
    """
    header, rows = read_rows(file)
    first = next(rows, None)
    if first is None and header is None:
        raise DataError(f"{file} is empty", _EXPECTED)
    columns = _columns(file, header, first)
    resolve = path_resolver([file.parent, *roots])
    known = set(columns.values())
    others = {name: i for i, name in enumerate(header or []) if i not in known and name.strip()}
    empty = np.zeros(0, dtype=np.int8)
    samples = Samples(Paths(), empty, [], [], {name: [] for name in others})
    labels = array("b")
    shared: dict[str, str] = {}  # one string object a distinct value keeps a million rows small
    for number, row in _numbered(first, rows):
        if not any(cell.strip() for cell in row):
            continue
        path = _cell(row, columns["path"])
        if not path:
            raise DataError(f"{file}: row {number} has no path", _EXPECTED)
        labels.append(_label(file, number, row, columns))
        samples.paths.append(resolve(path))
        samples.persons.append(_share(shared, _bare(_cell(row, columns.get("person")))))
        samples.splits.append(_share(shared, _split(file, number, row, columns)))
        for name, column in others.items():
            samples.attributes[name].append(_share(shared, _cell(row, column)))
    samples.labels = np.array(labels, dtype=np.int8)
    if not len(labels):
        raise DataError(f"{file} has a header and no rows", "Run prepare again.")
    return samples


def write_table(file: Path, samples: Samples) -> None:
    """Write a table such as faces.csv atomically; see `write_rows`."""
    with text_writer(file) as text:
        write_rows(text, os.path.abspath(file.parent), samples)


def write_rows(text: TextIO, folder: str, samples: Samples) -> None:
    """Write `HEADER`, then the attributes, as CSV; paths are relative where below `folder`."""
    extra = list(samples.attributes.values())
    write_csv_row(text, [*HEADER, *samples.attributes])
    for i, path in enumerate(samples.paths):
        row = [relative_path(path, folder), int(samples.labels[i])]
        row += [_shielded(samples.persons[i]), samples.splits[i]]
        write_csv_row(text, [*row, *(column[i] for column in extra)])


def relative_path(path: str, folder: str) -> str:
    """Return `path` relative to `folder` where it lies below it, else absolute; always ``/``.

    A name that a spreadsheet would take for a formula (``=1.jpg``) begins with ``./``.
    """
    path = os.path.abspath(path)
    prefix = folder.rstrip(os.sep) + os.sep
    if path.startswith(prefix):
        path = path[len(prefix) :]
    return no_formula(path.replace("\\", "/") if os.sep == "\\" else path)


def read_rows(file: Path) -> tuple[list[str] | None, Iterator[list[str]]]:
    """Open a table and return its header, None where its first row is data, and its rows.

    Raises:
        DataError: it cannot be read or is not text.
    """
    try:
        stream = file.open("rb")
        head = stream.peek(4096)[:4096]
    except OSError as error:
        raise _cannot_read(file, error) from error
    if b"\0" in head:
        stream.close()
        raise DataError(f"{file} is not a CSV file: it holds NUL bytes", _EXPECTED)
    rows = _parsed(file, TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline=""))
    first = next(rows, None)
    if first is None:
        return None, iter(())
    words = {cell.strip().casefold() for cell in first}
    if words & set(PATH_WORDS):
        return [cell.strip() for cell in first], rows
    return None, chain([first], rows)


def path_resolver(roots: Sequence[Path]) -> Callable[[str], str]:
    """Return a function that finds the file meant by a path written on this or another machine."""
    bases = [str(root) for root in roots]
    dropped = 0  # leading parts that did not exist here, the same for all rows of a list

    def resolve(text: str) -> str:
        nonlocal dropped
        if os.path.isabs(text) and os.path.lexists(text):
            return text
        plain = os.path.normpath(os.path.join(bases[0], text))
        if os.path.lexists(plain):
            return plain
        parts = [part for part in PureWindowsPath(text).parts if part not in ("..", ".")]
        order = [dropped, *(i for i in range(len(parts)) if i != dropped)]
        for drop in order:
            for base in bases:
                tail = parts[drop:]
                candidate = os.path.join(base, *tail)
                if tail and not PureWindowsPath(tail[0]).anchor and os.path.lexists(candidate):
                    dropped = drop
                    return candidate
        return plain

    return resolve


def _columns(file: Path, header: list[str] | None, first: list[str] | None) -> dict[str, int]:
    """Return the index of each known column."""
    if header is None:
        if first is None or len(first) < 2 or parse_label(first[1]) is None:
            raise DataError(
                f"{file} has no columns path and label; its first row is {first}", _EXPECTED
            )
        return {"path": 0, "label": 1}
    words = [name.casefold() for name in header]
    if len(set(words)) < len(words):
        raise DataError(f"{file} names a column twice: {', '.join(header)}", "Rename one of them.")
    columns: dict[str, int] = {
        name: words.index(name) for name in ("person", "split") if name in words
    }
    columns["path"] = next(words.index(word) for word in PATH_WORDS if word in words)
    found = [word for word in LABEL_WORDS if word in words]
    if not found:
        raise DataError(
            f"{file} has no column label or gender, only {', '.join(header)}", _EXPECTED
        )
    columns["label"] = words.index(found[0])
    if "gender" in found[1:]:
        columns["gender"] = words.index("gender")
    return columns


def _label(file: Path, number: int, row: list[str], columns: dict[str, int]) -> int:
    text = _cell(row, columns["label"])
    label = parse_label(text)
    if label is None:
        raise DataError(f"{file}: row {number} has the label {text!r}", _EXPECTED)
    gender = _cell(row, columns.get("gender"))
    if gender and parse_label(gender) != label:
        raise DataError(
            f"{file}: row {number} has the label {text!r} ({LABELS[label]}) and gender {gender!r}",
            "Correct one of them, or rename the column gender.",
        )
    return label


def _split(file: Path, number: int, row: list[str], columns: dict[str, int]) -> str:
    text = _cell(row, columns.get("split")).strip()
    split = SPLIT_WORDS.get(text.casefold(), "")
    if text and not split:
        raise DataError(
            f"{file}: row {number} has the split {text!r}", f"Expected one of {', '.join(SPLITS)}."
        )
    return split


def _cell(row: list[str], column: int | None) -> str:
    """A cell as it stands; "" where the row is short. File names may end in spaces: no strip."""
    return row[column] if column is not None and column < len(row) else ""


def _shielded(person: str) -> str:
    """A person's name as it is written: an apostrophe keeps a spreadsheet from computing it."""
    return f"'{person}" if person.lstrip("'").startswith(FORMULA) else person


def _bare(cell: str) -> str:
    """A person's name as it was before `_shielded`."""
    shielded = cell.startswith("'") and cell.lstrip("'").startswith(FORMULA)
    return cell[1:] if shielded else cell


def _share(shared: dict[str, str], text: str) -> str:
    return shared.setdefault(text, text)


def _parsed(file: Path, stream: TextIO) -> Iterator[list[str]]:
    """Parse a table as it is read, so that a million rows need no memory here; closes it."""
    with stream:
        try:
            line = stream.readline()
            delimiter = next((mark for mark in ",;\t" if mark in line), ",")
            lines = chain([line] if line else [], stream)
            yield from csv.reader(_without_nul(file, lines), delimiter=delimiter)
        except csv.Error as error:
            raise DataError(f"{file} is not a CSV file: {error}", _EXPECTED) from None
        except OSError as error:
            raise _cannot_read(file, error) from error


def _without_nul(file: Path, lines: Iterable[str]) -> Iterator[str]:
    """Pass lines on, but refuse NUL characters, which no text has and no path can have."""
    for line in lines:
        if "\0" in line:
            raise DataError(f"{file} is not a CSV file: it holds NUL bytes", _EXPECTED)
        yield line


def _cannot_read(file: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot read {file}: {error.strerror}", "Make it with: facegender prepare FOLDER"
    )


def _numbered(
    first: list[str] | None, rows: Iterator[list[str]]
) -> Iterator[tuple[int, list[str]]]:
    return enumerate(chain([first], rows) if first is not None else rows, start=1)
