"""Checking the files of a model folder; a damaged file is reported, not raised."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegender.errors import BundleError
from facegender.models.bundle import CARD, MANIFEST, check_file, load_manifest
from facegender.runtime.write_set import current


@dataclass(frozen=True, slots=True)
class FileState:
    """A file that the manifest names.

    Attributes:
        role: such as ``model.keras``.
        name: its name in the folder.
        bytes: the expected size.
        sha256: the expected hash.
        state: ``whole``, ``missing`` or ``damaged`` (truncated, changed or unreadable).
        problem: what is wrong, as a sentence; "" if it is whole.
    """

    role: str
    name: str
    bytes: int
    sha256: str
    state: str
    problem: str

    def to_json(self) -> dict[str, Any]:
        """Return the form of the JSON contract."""
        return {
            "name": self.name,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "state": self.state,
            "problem": self.problem or None,
        }


@dataclass(frozen=True, slots=True)
class BundleState:
    """The state of a model folder on disk.

    Attributes:
        folder: the folder.
        manifest: the content of its facegender.json.
        files: the files that the manifest names, in its order.
    """

    folder: Path
    manifest: Mapping[str, Any]
    files: tuple[FileState, ...]

    @property
    def fingerprint(self) -> str:
        """The model's fingerprint, from the manifest."""
        return str(self.manifest["fingerprint"])

    @property
    def whole(self) -> bool:
        """Whether every file has the size and hash that the manifest states."""
        return all(file.state == "whole" for file in self.files)

    @property
    def card(self) -> str:
        """The text of the model card, "" if it is missing or damaged."""
        cards = [file for file in self.files if file.role == CARD and file.state == "whole"]
        if not cards:
            return ""
        return current(self.folder / cards[0].name, self.folder / MANIFEST).read_text("utf-8")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract: the manifest, and the state of each file."""
        ours = ("schema", "model", "fingerprint", "whole", "files")
        facts = {name: value for name, value in self.manifest.items() if name not in ours}
        files = {file.role: file.to_json() for file in self.files}
        return {"whole": self.whole, **facts, "files": files}


def inspect_bundle(folder: str | os.PathLike[str]) -> BundleState:
    """Check every file of a model folder.

    Raises:
        BundleError: there is no model, or its manifest cannot be used.
    """
    folder = Path(folder)
    manifest = load_manifest(folder)
    files = tuple(_state_of(folder, role, entry) for role, entry in manifest["files"].items())
    return BundleState(folder, manifest, files)


def _state_of(folder: Path, role: str, entry: Any) -> FileState:
    state, problem = "whole", ""
    try:
        check_file(folder, role, entry)
    except BundleError as error:
        state, problem = "damaged", error.message
    facts = entry if isinstance(entry, dict) else {}
    name, size = str(facts.get("name")), facts.get("bytes")
    if state == "damaged" and not os.path.lexists(folder / name):
        state = "missing"
    size = size if isinstance(size, int) else 0
    return FileState(role, name, size, str(facts.get("sha256")), state, problem)
