"""faces.json: settings and digests that belong to a faces.csv."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.digests import HEX, Digests
from facegender.errors import DataError, schema_hint
from facegender.runtime.files import sha256_of
from facegender.runtime.write_set import current, write_set

SCHEMA = 1
_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Settings of `prepare`, and sizes and digests to detect changed photos.

    Attributes:
        settings: the settings of `prepare`.
        crop: the geometry of the crops, None for uncropped photos.
        sizes: int64 (n,), file size of each row's photo, in bytes.
        digests: BLAKE2b of each row's file, 32 hexadecimal digits.
    """

    settings: dict[str, Any]
    crop: dict[str, Any] | None
    sizes: NDArray[np.int64]
    digests: Digests


def sidecar_path(table: Path) -> Path:
    """Return the path of a table's sidecar: faces.csv -> faces.json."""
    return table.with_suffix(".json")


def write_with_table(
    table: Path,
    rows: Callable[[TextIO], None],
    sidecar: Sidecar,
    others: Mapping[str, Callable[[TextIO], None]] | None = None,
) -> None:
    """Write a table and its sidecar so that at no moment one lies there without the other.

    Args:
        table: where the table goes; the caller holds its lock.
        rows: writes the table's text.
        sidecar: what belongs to it.
        others: name -> what writes the text, of further files beside the table.
    """
    with write_set(table) as new:
        for name, write in {table.name: rows, **(others or {})}.items():
            with _text_file(new / name) as stream:
                write(stream)
        head: dict[str, Any] = {
            "schema": SCHEMA,
            "settings": sidecar.settings,
            "crop": sidecar.crop,
            "table": {"name": table.name, "sha256": sha256_of(new / table.name)},
        }
        with _text_file(new / sidecar_path(table).name) as stream:
            _write_content(stream, head, sidecar)


def _text_file(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", errors="surrogateescape", newline="")


def _write_content(stream: TextIO, head: dict[str, Any], sidecar: Sidecar) -> None:
    """Write a sidecar's JSON in chunks, to bound memory for a million rows."""
    stream.write(json.dumps(head, ensure_ascii=True)[:-1] + ', "photos": {"bytes": [')
    for first in range(0, len(sidecar.sizes), _CHUNK):
        sizes = sidecar.sizes[first : first + _CHUNK].tolist()
        stream.write((", " if first else "") + ", ".join(map(str, sizes)))
    stream.write('], "blake2b": "')
    for first in range(0, len(sidecar.digests), _CHUNK):
        stream.write(sidecar.digests.to_hex(first, first + _CHUNK))
    stream.write('"}}\n')


def is_sidecar(file: Path) -> bool:
    """Tell whether a file was written by `write_with_table`."""
    try:
        return _is_ours(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, RecursionError):
        return False


def is_as_written(table: Path) -> bool:
    """Tell whether a table is, byte for byte, what `prepare` wrote with its sidecar."""
    try:
        content = _of(table)
        return content is not None and _describes(content, table)
    except (DataError, OSError):
        return False


def read_sidecar(table: Path) -> Sidecar | None:
    """Read a table's sidecar; None if there is none or the table was edited since.

    Raises:
        DataError: a damaged sidecar, or one of a newer facegender.
    """
    content = _of(table)
    if content is None or not _describes(content, table):
        return None
    photos = content["photos"]
    try:
        sizes = np.array(photos["bytes"], np.int64)
        stored = photos["blake2b"]
        digests = Digests.from_hex(stored) if isinstance(stored, str) else Digests.of(stored)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{sidecar_path(table)} is damaged: {error}", "Run prepare again, or delete it."
        ) from None
    return Sidecar(content["settings"], content["crop"], sizes, digests)


def read_crop(table: Path) -> dict[str, Any] | None:
    """Return the geometry that a table's photos were cropped to, None for uncropped photos.

    It is valid for an edited table too: an edit does not undo the cropping.

    Raises:
        DataError: as `read_sidecar`.
    """
    content = _of(table)
    return None if content is None else content["crop"]


def _describes(content: dict[str, Any], table: Path) -> bool:
    return bool(content["table"].get("sha256") == sha256_of(current(table, table)))


def _of(table: Path) -> dict[str, Any] | None:
    return _read(current(sidecar_path(table), table))


def _read(file: Path) -> dict[str, Any] | None:
    """Return a sidecar's content, None if there is none."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"cannot read {file}: {error}", "Run prepare again, or delete it."
        ) from None
    if not _is_ours(content):
        raise DataError(f"{file} is not a sidecar of prepare", "Run prepare again, or delete it.")
    if content["schema"] != SCHEMA:
        raise DataError(
            f"{file} has schema {content['schema']}, this facegender reads {SCHEMA}",
            schema_hint(content["schema"], SCHEMA, "Run prepare again."),
        )
    return dict(content)


def _is_ours(content: object) -> bool:
    known = {"schema", "settings", "crop", "table", "photos"}
    if not isinstance(content, dict) or not known <= content.keys():
        return False
    table, photos = content["table"], content["photos"]
    if not isinstance(table, dict) or not isinstance(photos, dict):
        return False
    sizes, digests = photos.get("bytes"), photos.get("blake2b")
    if not isinstance(sizes, list):
        return False
    if isinstance(digests, list):  # as tables had them at first
        return len(digests) == len(sizes)
    return isinstance(digests, str) and len(digests) == HEX * len(sizes)
