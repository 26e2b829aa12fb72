"""export.json: what an engineer or a program needs to know about an export, and its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegender._version import __version__
from facegender.errors import FaceGenderError
from facegender.exporting.formats import INPUT, Format
from facegender.labels import LABELS
from facegender.models.bundle import Bundle
from facegender.runtime.files import sha256_of
from facegender.runtime.tempfiles import TEMP_PREFIX

SCHEMA = 1
MANIFEST = "export.json"


def describe(bundle: Bundle, form: Format, *, int8: bool) -> dict[str, Any]:
    """Return what is known about an export before the comparison: the first part of export.json."""
    geometry, manifest = bundle.geometry, bundle.manifest
    return {
        "schema": SCHEMA,
        "format": form.name,
        "int8": int8,
        "model": form.file,
        "engine": {"name": form.engine, "version": form.engine_version},
        "source": {
            "fingerprint": bundle.fingerprint,
            "arch": bundle.arch,
            "temperature": manifest["temperature"],
            "facegender": __version__,
            "credit": manifest.get("credit"),
        },
        "labels": list(LABELS),
        "threshold": bundle.threshold,
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": [None, *geometry.shape],
            "layout": "NHWC",
            "colour": "RGB",
            "range": [0, 255],
        },
        "output": {
            "name": form.output,
            "dtype": "float32",
            "shape": [None, len(LABELS)],
            "order": list(LABELS),
            "range": [0, 1],
        },
        "crop": geometry.to_json(),
        "finder": manifest.get("finder"),
    }


def list_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of every file below a folder, keyed by its POSIX path.

    A lock, and what a killed run left, do not count.
    """
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_working(path.relative_to(folder))
    }


def check_place(folder: Path, *, force: bool) -> None:
    """Refuse to write where something lies, unless it is an older export and `force` is given.

    Raises:
        FaceGenderError: the place is taken.
    """
    if not folder.exists():
        return
    if folder.is_dir() and all(_is_working(path.relative_to(folder)) for path in folder.iterdir()):
        return
    foreign = _foreign(folder)
    if foreign:
        raise FaceGenderError(
            f"{folder} is in the way: {foreign}", "Choose another --output, or move it away."
        )
    if not force:
        raise FaceGenderError(
            f"{folder} holds an export already",
            "Replace it with --force, or choose another --output.",
        )


def _is_working(path: Path) -> bool:
    """Whether a path below an export's folder is only there while it is written."""
    return path.parts[0] == ".lock" or path.parts[0].startswith(TEMP_PREFIX)


def _foreign(folder: Path) -> str:
    """Why what lies at a place is not, or not only, an export as it was written; "" if it is."""
    if not folder.is_dir():
        return "it is no folder"
    try:
        stored = json.loads((folder / MANIFEST).read_text("utf-8"))
        listed: Mapping[str, Any] = dict(stored["files"])
    except FileNotFoundError:
        return f"it is no export, it has no {MANIFEST}"
    except (OSError, ValueError, TypeError, KeyError):
        return f"its {MANIFEST} cannot be read"
    for name, now in list_files(folder).items():
        if name != MANIFEST and name not in listed:
            return f"it holds {name}, which is not the export's"
        if name != MANIFEST and listed[name] != now:
            return f"its {name} was changed"
    return ""
