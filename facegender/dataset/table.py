"""Reading faces.csv and other label files, and writing faces.csv."""

from __future__ import annotations

import csv
import os
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import TextIOWrapper
from itertools import chain
from pathlib import Path, PureWindowsPath
from typing import TextIO

import numpy as np

from facegender.dataset.encodings import BOM, UTF8, UTF16, encoding_of, exists_below
from facegender.dataset.paths import PathIndex, Paths
from facegender.dataset.samples import SPLIT_WORDS, SPLITS, Samples
from facegender.errors import DataError
from facegender.labels import LABELS, parse_label
from facegender.runtime.files import FORMULA, no_formula, text_writer, write_csv_row
from facegender.runtime.write_set import current

HEADER = ("path", "label", "person", "split")
PATH_WORDS = ("path", "file", "filename", "file_name", "image", "photo")
LABEL_WORDS = ("label", "gender", "sex")
_EXPECTED = (
    "Expected a header with the columns path and label (or gender), or headerless lines "
    "path,label; labels are 0 or female, 1 or male."
)


def read_table(
    file: Path, roots: Sequence[Path] = (), names: tuple[str, str] | None = None
) -> Samples:
    """Read faces.csv or another label file, including the article's headerless list.

    Paths are relative to the file's folder, then to `roots`. A path of another machine
    (``F:\\gender_pic\\female\\1.jpg``, ``/home/someone/…``) is matched by its longest suffix that
    exists below one of them. Paths that do not exist are kept, for the caller to report.

    Args:
        file: a CSV file, comma, semicolon or tab separated, in an encoding that
            `read_rows` reads.
        roots: further folders that paths may be relative to.
        names: the labels that mean female and male, where they are not the usual ones.

    Raises:
        DataError: the file is missing, empty, not such a table, or has a row without a valid label.
    """
    header, rows = read_rows(file, roots)
    first = next(rows, None)
    if first is None and header is None:
        raise DataError(f"{file} is empty", _EXPECTED)
    columns = _columns(file, header, first, names)
    resolve = path_resolver([file.parent, *roots])
    known = set(columns.values())
    others = {name: i for i, name in enumerate(header or []) if i not in known and name.strip()}
    empty = np.zeros(0, dtype=np.int8)
    samples = Samples(Paths(), empty, [], [], {name: [] for name in others})
    labels = array("b")
    shared: dict[str, str] = {}  # one string object per distinct value, to save memory
    for number, row in _numbered(first, rows):
        if not any(cell.strip() for cell in row):
            continue
        path = _cell(row, columns["path"])
        if not path:
            raise DataError(f"{file}: row {number} has no path", _EXPECTED)
        labels.append(_label(file, number, row, columns, names))
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
    """Write `HEADER`, then the attributes, as CSV; paths are relative where below `folder`.

    Text that is not ASCII begins with a byte order mark, by which Excel knows that it is UTF-8.
    """
    extra = list(samples.attributes.values())
    columns = (samples.paths, samples.persons, *extra)
    if any(not cell.isascii() for column in columns for cell in column):
        text.write(BOM)
    write_csv_row(text, [*HEADER, *samples.attributes])
    for i, path in enumerate(samples.paths):
        row = [relative_path(path, folder), int(samples.labels[i])]
        row += [_shielded(samples.persons[i]), samples.splits[i]]
        write_csv_row(text, [*row, *(column[i] for column in extra)])


def relative_path(path: str, folder: str) -> str:
    """Return `path` relative to `folder` if it is below it, else absolute; always with ``/``.

    A name that a spreadsheet would take for a formula (``=1.jpg``) begins with ``./``.
    """
    path = os.path.abspath(path)
    prefix = folder.rstrip(os.sep) + os.sep
    if path.startswith(prefix):
        path = path[len(prefix) :]
    return no_formula(path.replace("\\", "/") if os.sep == "\\" else path)


def read_rows(
    file: Path, roots: Sequence[Path] = ()
) -> tuple[list[str] | None, Iterator[list[str]]]:
    """Open a table and return its header, None if its first row is data, and its rows.

    Reads all tables: faces.csv, labels, attributes, other tools' answers. Text is UTF-8, UTF-16,
    or in the Windows encoding if that finds the files; see `encodings.encoding_of`.

    Args:
        file: comma, semicolon or tab separated.
        roots: folders besides the file's own that its paths may be relative to.

    Raises:
        DataError: it cannot be read or is not text.
    """
    try:
        place = current(file, file)
        encoding = encoding_of(place, exists_below([file.parent, *roots]))
        stream = place.open("rb")
        head = stream.peek(4096)[:4096]
    except OSError as error:
        raise _cannot_read(file, error) from error
    if encoding != UTF16 and b"\0" in head:
        stream.close()
        raise DataError(f"{file} is not a CSV file: it contains NUL bytes", _EXPECTED)
    errors = "surrogateescape" if encoding == UTF8 else "replace"
    rows = _parsed(file, TextIOWrapper(stream, encoding, errors, newline=""))
    first = next(rows, None)
    if first is None:
        return None, iter(())
    words = {cell.strip().casefold() for cell in first}
    if words & set(PATH_WORDS):
        return [cell.strip() for cell in first], rows
    return None, chain([first], rows)


def path_resolver(roots: Sequence[Path]) -> Callable[[str], str]:
    """Return a function that finds the file of a path written on this or another machine.

    Names that differ only in their Unicode form (NFD on a Mac, NFC elsewhere) or in surrounding
    blanks refer to the same file if only one of them exists.
    """
    bases = [str(root) for root in roots]
    dropped = 0  # leading parts that do not exist here, equal for all rows of a list

    def resolve(text: str) -> str:
        for form in spellings(text):
            found = look(form)
            if found is not None:
                return found
        return os.path.normpath(os.path.join(bases[0], text))

    def look(text: str) -> str | None:
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
        return None

    return resolve


def spellings(path: str) -> Iterator[str]:
    """Yield the possible spellings of a path on disk, starting with the given one."""
    yield path
    seen = {path}
    for text in (path, path.strip()):
        for form in (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)):
            if form and form not in seen:
                seen.add(form)
                yield form


class PhotoFinder:
    """Finds the photo of a table for a path in another table.

    Paths are resolved like in `path_resolver`, but among the photos instead of on disk: with
    backslashes and drive letters, in any Unicode form, relative to any of the folders.

    Args:
        photos: paths of the photos.
        folders: folders that paths may be relative to.
        key: normalises paths, `os.path.abspath` or `os.path.realpath`.
    """

    def __init__(
        self,
        photos: Sequence[str],
        folders: Sequence[Path],
        key: Callable[[str], str] = os.path.abspath,
    ) -> None:
        self._key = key
        self.index = PathIndex(photos, self._same)
        self._folders = [os.path.abspath(folder) for folder in folders]
        self._dropped = 0

    def find(self, path: str) -> int | None:
        """Return the row of the first photo with that path, None if there is none."""
        if not path.strip():
            return None
        parts = [part for part in PureWindowsPath(path.strip()).parts if part != "."]
        drops = [self._dropped, *(i for i in range(len(parts)) if i != self._dropped)]
        for folder in self._folders:
            for text in (path, path.strip()):
                row = self.index.find(self._same(os.path.join(folder, text)))
                if row is not None:
                    return row
        for drop in drops:
            tail = parts[drop:]
            if not tail or PureWindowsPath(tail[0]).anchor:
                continue
            for folder in self._folders:
                row = self.index.find(self._same(os.path.join(folder, *tail)))
                if row is not None:
                    self._dropped = drop
                    return row
        return None

    def _same(self, path: str) -> str:
        return unicodedata.normalize("NFC", self._key(path))


def _columns(
    file: Path,
    header: list[str] | None,
    first: list[str] | None,
    names: tuple[str, str] | None = None,
) -> dict[str, int]:
    """Return the index of each known column."""
    if header is None:
        if first is None or len(first) < 2 or parse_label(first[1], names) is None:
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


def _label(
    file: Path,
    number: int,
    row: list[str],
    columns: dict[str, int],
    names: tuple[str, str] | None,
) -> int:
    text = _cell(row, columns["label"])
    label = parse_label(text, names)
    if label is None:
        expected = _EXPECTED if names is None else f"Expected {names[0]} (female) or {names[1]}."
        raise DataError(f"{file}: row {number} has the label {text!r}", expected)
    gender = _cell(row, columns.get("gender"))
    if gender and label not in (parse_label(gender, names), parse_label(gender)):
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
    """Return a cell unchanged, because file names may end in spaces; "" if the row is short."""
    return row[column] if column is not None and column < len(row) else ""


def _shielded(person: str) -> str:
    """Return a name with an apostrophe if a spreadsheet would evaluate it as a formula."""
    return f"'{person}" if person.lstrip("'").startswith(FORMULA) else person


def _bare(cell: str) -> str:
    """Undo `_shielded`."""
    shielded = cell.startswith("'") and cell.lstrip("'").startswith(FORMULA)
    return cell[1:] if shielded else cell


def _share(shared: dict[str, str], text: str) -> str:
    return shared.setdefault(text, text)


def _parsed(file: Path, stream: TextIO) -> Iterator[list[str]]:
    """Parse a table incrementally, because it may have a million rows; close it at the end."""
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
    """Yield lines; refuse NUL characters, which neither text nor paths contain."""
    for line in lines:
        if "\0" in line:
            raise DataError(f"{file} is not a CSV file: it contains NUL bytes", _EXPECTED)
        yield line


def _cannot_read(file: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot read {file}: {error.strerror}", "Make it with: facegender prepare FOLDER"
    )


def _numbered(
    first: list[str] | None, rows: Iterator[list[str]]
) -> Iterator[tuple[int, list[str]]]:
    return enumerate(chain([first], rows) if first is not None else rows, start=1)
