"""Which files of a model folder are whole; a damaged folder is an answer, not an error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegender.errors import BundleError
from facegender.models.bundle import CARD, check_file, load_manifest


@dataclass(frozen=True, slots=True)
class FileState:
    """A file that the manifest names.

    Attributes:
        role: what it is, such as ``model.keras``.
        name: what it is called in the folder.
        bytes: its size, as it should be.
        sha256: its content's hash, as it should be.
        state: ``whole``, ``missing`` or ``damaged`` (cut, changed or unreadable).
        problem: what is wrong, as a sentence; "" where it is whole.
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
    """A model folder as it lies on disk.

    Attributes:
        folder: the folder.
        manifest: what its facegender.json says.
        files: the files that it names, in its order.
    """

    folder: Path
    manifest: Mapping[str, Any]
    files: tuple[FileState, ...]

    @property
    def fingerprint(self) -> str:
        """The model's fingerprint, as the manifest says."""
        return str(self.manifest["fingerprint"])

    @property
    def whole(self) -> bool:
        """Whether every file is the one that the manifest describes."""
        return all(file.state == "whole" for file in self.files)

    @property
    def card(self) -> str:
        """The model card's text, "" where there is none that is whole."""
        cards = [file for file in self.files if file.role == CARD and file.state == "whole"]
        return (self.folder / cards[0].name).read_text("utf-8") if cards else ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract: the manifest, and the state of each file."""
        ours = ("schema", "model", "fingerprint", "whole", "files")
        facts = {name: value for name, value in self.manifest.items() if name not in ours}
        files = {file.role: file.to_json() for file in self.files}
        return {"whole": self.whole, **facts, "files": files}


def inspect_bundle(folder: str | os.PathLike[str]) -> BundleState:
    """Look at every file of a model folder.

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
