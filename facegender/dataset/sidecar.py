"""faces.json: what the rows of faces.csv cannot say."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.digests import HEX, Digests
from facegender.errors import DataError
from facegender.runtime.files import Content, sha256_of, sha256_of_text, write_together

SCHEMA = 1
_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Settings of `prepare`, and what is needed to notice a photo that changed since.

    Attributes:
        settings: the options that `prepare` ran with.
        crop: None for photos as they came, else the geometry that they were cropped to.
        sizes: int64 (n,), file size of each row's photo, in bytes.
        digests: BLAKE2b of each row's file, 32 hexadecimal digits.
    """

    settings: dict[str, Any]
    crop: dict[str, Any] | None
    sizes: NDArray[np.int64]
    digests: Digests


def sidecar_path(table: Path) -> Path:
    """Return the place of a table's sidecar: faces.csv -> faces.json."""
    return table.with_suffix(".json")


def write_with_table(
    table: Path,
    rows: Callable[[TextIO], None],
    sidecar: Sidecar,
    others: Sequence[tuple[Path, Content]] = (),
) -> None:
    """Write a table and its sidecar so that at no moment one lies there without the other.

    Two files cannot be exchanged at once. So the sidecar goes first, and holds that of the older
    table too until the new table is in its place: a reader takes the one that belongs to the table
    it finds.

    Args:
        table: where the table goes.
        rows: writes the table's text, the same at every call.
        sidecar: what belongs to it.
        others: further files to write with them.
    """
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "settings": sidecar.settings,
        "crop": sidecar.crop,
        "table": {"name": table.name, "sha256": sha256_of_text(rows)},
    }
    file, final = sidecar_path(table), partial(_write_content, head=head, sidecar=sidecar)
    if not table.exists():
        write_together([(file, final), (table, rows), *others])
        return
    replaces = {"table": {"sha256": sha256_of(table)}, "sidecar": _older(table)}
    both = partial(_write_content, head=head | {"replaces": replaces}, sidecar=sidecar)
    write_together([(file, both), (table, rows), *others, (file, final)])


def _write_content(stream: TextIO, head: dict[str, Any], sidecar: Sidecar) -> None:
    """Write a sidecar's JSON piece by piece: a million rows would take much memory at once."""
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
    except (DataError, OSError, RecursionError):
        return False
    return content is not None and content["table"].get("sha256") == sha256_of(table)


def read_sidecar(table: Path) -> Sidecar | None:
    """Read a table's sidecar; None where there is none or the table was edited since.

    Raises:
        DataError: a damaged sidecar, or one of a newer facegender.
    """
    content = _of(table)
    if content is None or content["table"].get("sha256") != sha256_of(table):
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
    """Return the geometry that a table's photos were cropped to, None for photos as they came.

    It holds for a table that was edited since, too: an edit does not undo the cropping.

    Raises:
        DataError: as `read_sidecar`.
    """
    content = _of(table)
    return None if content is None else content["crop"]


def _of(table: Path) -> dict[str, Any] | None:
    """Return the content that belongs to a table as it lies there; see `write_with_table`."""
    content = _read(sidecar_path(table))
    replaces = None if content is None else content.pop("replaces", None)
    if content is None or replaces is None or not table.exists():
        return content
    digest = sha256_of(table)
    if digest == content["table"].get("sha256"):
        return content
    if digest == replaces["table"]["sha256"]:
        return None if replaces["sidecar"] is None else dict(replaces["sidecar"])
    raise DataError(
        f"{table} was edited after a prepare that was to replace it had been stopped",
        "Run prepare again, with --force to replace the edited table.",
    )


def _older(table: Path) -> dict[str, Any] | None:
    """Return the sidecar of a table that is to be replaced, None where it has no good one."""
    try:
        return _of(table)
    except DataError:
        return None


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
    if not isinstance(sizes, list):
        return False
    if isinstance(digests, list):  # as tables had them at first
        return len(digests) == len(sizes)
    return isinstance(digests, str) and len(digests) == HEX * len(sizes)
