"""faces.json: what the rows of faces.csv cannot say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegender.errors import DataError
from facegender.files import sha256_of, write_text

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Settings of `prepare`, and what is needed to notice a photo that changed since.

    Attributes:
        settings: the options that `prepare` ran with.
        crop: None for photos as they came, else the geometry that they were cropped to.
        sizes: file size of each row's photo, in bytes.
        digests: BLAKE2b of each row's file, 32 hexadecimal digits.
    """

    settings: dict[str, Any]
    crop: dict[str, Any] | None
    sizes: list[int]
    digests: list[str]


def sidecar_path(table: Path) -> Path:
    """Return the place of a table's sidecar: faces.csv -> faces.json."""
    return table.with_suffix(".json")


def write_sidecar(file: Path, sidecar: Sidecar, table: Path) -> None:
    """Write a sidecar atomically, tied to the table's present content."""
    content = {
        "schema": SCHEMA,
        "settings": sidecar.settings,
        "crop": sidecar.crop,
        "table": {"name": table.name, "sha256": sha256_of(table)},
        "photos": {"bytes": sidecar.sizes, "blake2b": sidecar.digests},
    }
    write_text(file, json.dumps(content, ensure_ascii=True) + "\n")


def is_sidecar(file: Path) -> bool:
    """Tell whether a file was written by `write_sidecar`."""
    try:
        return _is_ours(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, RecursionError):
        return False


def is_as_written(table: Path) -> bool:
    """Tell whether a table is, byte for byte, what `prepare` wrote with its sidecar."""
    try:
        content = json.loads(sidecar_path(table).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return _is_ours(content) and content["table"].get("sha256") == sha256_of(table)


def read_sidecar(table: Path) -> Sidecar | None:
    """Read a table's sidecar; None where there is none or the table was edited since.

    Raises:
        DataError: a damaged sidecar, or one of a newer facegender.
    """
    content = _read(sidecar_path(table))
    if content is None or content["table"].get("sha256") != sha256_of(table):
        return None
    photos = content["photos"]
    return Sidecar(content["settings"], content["crop"], photos["bytes"], photos["blake2b"])


def read_crop(table: Path) -> dict[str, Any] | None:
    """Return the geometry that a table's photos were cropped to, None for photos as they came.

    It holds for a table that was edited since, too: an edit does not undo the cropping.

    Raises:
        DataError: as `read_sidecar`.
    """
    content = _read(sidecar_path(table))
    return None if content is None else content["crop"]


def _read(file: Path) -> dict[str, Any] | None:
    """Return a sidecar's content, None where there is none."""
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
            "Update facegender, or run prepare again.",
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
    return isinstance(sizes, list) and isinstance(digests, list) and len(sizes) == len(digests)
