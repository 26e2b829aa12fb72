"""Replacing files of a folder together: the new beside the old, a pointer last, the old removed.

What is about to be written, and what is to go, is noted first with digests. A run that is killed
leaves the note, from which the next one removes exactly these files and nobody else's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from facegender.runtime.files import sha256_of, write_bytes, write_text

NOTE = ".facegender-pending.json"


def write_generation(
    folder: Path, contents: Mapping[str, bytes], older: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Write files under names that are free in the folder; `sweep` removes them or the older ones.

    Args:
        folder: the caller holds its lock.
        contents: role, which is the usual file name -> bytes.
        older: name -> SHA-256 of the files that these replace.

    Returns:
        role -> name, SHA-256 and size of the file written.
    """
    generation = _free_generation(folder, contents)
    entries: dict[str, dict[str, Any]] = {
        role: {
            "name": _generation_name(role, generation),
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
        }
        for role, data in contents.items()
    }
    noted = {**older, **{entry["name"]: entry["sha256"] for entry in entries.values()}}
    write_text(folder / NOTE, json.dumps(noted) + "\n")
    for role, data in contents.items():
        write_bytes(folder / entries[role]["name"], data)
    return entries


def sweep(folder: Path, keep: Collection[str]) -> None:
    """Remove the noted files that are still what was noted, then the note.

    Args:
        folder: the caller holds its lock.
        keep: names of the files that the pointer names.
    """
    try:
        noted = json.loads((folder / NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return
    for name, digest in noted.items() if isinstance(noted, dict) else ():
        path = folder / name
        if Path(name).name != name or name in keep or path.is_symlink():
            continue
        with suppress(OSError):
            if sha256_of(path) == digest:
                path.unlink()
    with suppress(OSError):
        (folder / NOTE).unlink()


def _generation_name(role: str, generation: int) -> str:
    if generation == 1:
        return role
    stem, dot, suffix = role.partition(".")
    return f"{stem}.{generation}{dot}{suffix}"


def _free_generation(folder: Path, roles: Mapping[str, bytes]) -> int:
    """The first generation of which no file lies in the folder."""
    generation = 1
    while any((folder / _generation_name(role, generation)).exists() for role in roles):
        generation += 1
    return generation
