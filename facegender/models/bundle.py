"""The model folder. The only place that knows its files.

A bundle is ``facegender.json`` and the files that it names with their SHA-256: ``model.keras``,
``model.tflite``, ``history.csv``, ``history.svg`` and ``README.md``. They are replaced together
(see `write_set`).
A user's own file with such a name stays, and ours gets a number: ``README.2.md``.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegender.errors import BundleError, schema_hint
from facegender.faces.geometry import Geometry
from facegender.labels import LABELS
from facegender.models.keras_archive import cause_of, refuse_odd_archive
from facegender.runtime.files import make_folder, remove_leftovers, sha256_of
from facegender.runtime.write_set import complete, current, write_set

SCHEMA = 1
MANIFEST = "facegender.json"
KERAS = "model.keras"
LITERT = "model.tflite"
HISTORY = "history.csv"
CURVE = "history.svg"
CARD = "README.md"
LAST = "last"
"""Folder with the state that `train --resume` needs; never exported."""
STATE = f"{LAST}/state.json"

DEFAULT_THRESHOLD = 0.7
"""Below this probability of the likelier gender a face is called uncertain."""
_AGAIN = "Train or copy the model again; a model folder must stay whole."


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model folder whose files were checked against its manifest.

    Attributes:
        folder: its path.
        geometry: how faces are cropped.
        threshold: probability below which a face is uncertain, 0.5 to 1.
        arch: the network's name.
        files: role (such as ``model.keras``) -> path.
        manifest: the content of facegender.json.
    """

    folder: Path
    geometry: Geometry
    threshold: float
    arch: str
    files: Mapping[str, Path]
    manifest: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that depend on the weights only, not on when they were saved."""
        return str(self.manifest["fingerprint"])

    @property
    def litert(self) -> Path | None:
        """The LiteRT file for prediction, None if the bundle has none."""
        return self.files.get(LITERT)

    @property
    def predicts_in_8_bits(self) -> bool:
        """Whether the LiteRT model has 8-bit numbers (`train --int8`); the Keras model is float."""
        return self.litert is not None and bool(self.manifest.get("training", {}).get("int8"))

    def load_keras(self) -> Any:
        """Load ``model.keras`` (imports TensorFlow); custom code in it is never run.

        Raises:
            BundleError: it cannot be loaded or does not fit the manifest.
        """
        from facegender.models.keras_backend import import_keras

        keras, file = import_keras(), self.files[KERAS]
        try:
            refuse_odd_archive(file)
            model = keras.saving.load_model(file, compile=False, safe_mode=True)
        except Exception as error:
            raise BundleError(f"{file} cannot be loaded: {cause_of(error)}", _AGAIN) from error
        check_shapes(self, tuple(model.input_shape[1:]), tuple(model.output_shape[1:]))
        return model


def check_shapes(bundle: Bundle, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
    """Check the input and output of a network against the manifest.

    Args:
        bundle: the bundle that the network belongs to.
        inputs: its input shape without the batch: (height, width, 3).
        outputs: its output shape without the batch: (2,).

    Raises:
        BundleError: they differ.
    """
    if inputs != bundle.geometry.shape or outputs != (len(LABELS),):
        raise BundleError(
            f"{bundle.folder}: its network takes {inputs} and gives {outputs}, but {MANIFEST} says "
            f"{bundle.geometry.shape} and {(len(LABELS),)}",
            _AGAIN,
        )


def load_bundle(folder: Path) -> Bundle:
    """Read and check a model folder; its network is not loaded yet.

    Raises:
        BundleError: no such folder, no model in it, a missing, truncated or replaced file, another
            label order, an unknown crop, or a newer schema.
    """
    manifest = load_manifest(folder)
    files = {role: check_file(folder, role, entry) for role, entry in manifest["files"].items()}
    return Bundle(
        folder=folder,
        geometry=Geometry.from_json(manifest["crop"]),
        threshold=float(manifest["threshold"]),
        arch=str(manifest.get("arch", "")),
        files=files,
        manifest=manifest,
    )


def load_manifest(folder: Path) -> dict[str, Any]:
    """Read and check facegender.json; the files that it names are not looked at.

    Raises:
        BundleError: no such folder, no model in it, another label order, an unknown crop, or a
            newer schema.
    """
    manifest = _read_manifest(folder)
    _check_manifest(folder, manifest)
    try:
        Geometry.from_json(manifest.get("crop"))
    except BundleError as error:
        raise BundleError(f"{folder / MANIFEST}: {error.message}", error.hint) from None
    if KERAS not in manifest["files"]:
        raise BundleError(f"{folder / MANIFEST} names no {KERAS}", _AGAIN)
    return manifest


def save_bundle(folder: Path, contents: Mapping[str, bytes], facts: Mapping[str, Any]) -> Bundle:
    """Write a bundle; the folder holds the old one or the new one at every moment.

    Args:
        folder: made if missing; the caller holds its lock.
        contents: role -> bytes, ``model.keras`` at least.
        facts: the manifest's other entries: arch, fingerprint, crop, threshold, temperature,
            training, data, metrics, versions.

    Returns:
        the new bundle, read back and checked.
    """
    make_folder(folder)
    _replace(folder, contents, facts, {})
    return load_bundle(folder)


def amend_bundle(bundle: Bundle, contents: Mapping[str, bytes], facts: Mapping[str, Any]) -> Bundle:
    """Replace some files and entries of a bundle; its other files stay as they are.

    Args:
        bundle: as it was loaded; the caller holds its folder's lock.
        contents: role -> bytes of the files to replace or add.
        facts: entries of the manifest to replace or add.

    Returns:
        the bundle as it is now, read back and checked.
    """
    kept = {role: e for role, e in bundle.manifest["files"].items() if role not in contents}
    _replace(bundle.folder, contents, {**bundle.manifest, **facts}, kept)
    return load_bundle(bundle.folder)


def _replace(
    folder: Path, contents: Mapping[str, bytes], facts: Mapping[str, Any], kept: Mapping[str, Any]
) -> None:
    """Write files and a manifest of these and the `kept` ones; files of an older one go."""
    remove_leftovers(folder)
    complete(folder / MANIFEST)
    ours = _whole_files(folder)
    with write_set(folder / MANIFEST) as new:
        written = {}
        for role, data in contents.items():
            name = _free_name(folder, role, ours)
            (new / name).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            written[role] = {"name": name, "sha256": digest, "bytes": len(data)}
        head = {"schema": SCHEMA, "labels": list(LABELS)}
        manifest = {**head, **facts, "files": {**kept, **written}}
        text = json.dumps(manifest, indent=2, allow_nan=False) + "\n"
        (new / MANIFEST).write_text(text, "utf-8")


def _free_name(folder: Path, role: str, ours: set[str]) -> str:
    """The role, with a number where a file of the user's has that name."""
    stem, dot, suffix = role.partition(".")
    name, number = role, 1
    while name not in ours and os.path.lexists(folder / name):
        number += 1
        name = f"{stem}.{number}{dot}{suffix}"
    return name


def holds_model(folder: Path) -> bool:
    """Return whether a folder holds a bundle or the state of an unfinished training."""
    return any(current(head, head).exists() for head in (folder / MANIFEST, folder / STATE))


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    if folder.is_file():
        inside = (folder.parent / MANIFEST).exists()
        raise BundleError(
            f"{folder} is a file, not a model folder",
            f"Name the folder: {folder.parent}"
            if inside
            else f"Give the folder that facegender train wrote; it holds a {MANIFEST}.",
        )
    if not folder.is_dir():
        raise BundleError(f"no model folder at {folder}", "Train one with: facegender train")
    try:
        text = current(file, file).read_text("utf-8")
        manifest = json.loads(text, parse_constant=_no_number)
    except FileNotFoundError:
        unfinished = holds_model(folder)
        raise BundleError(
            f"{folder} holds no model: it has no {MANIFEST}",
            "Its training is not finished; go on with: facegender train --resume"
            if unfinished
            else "Give the folder that facegender train wrote.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{file} cannot be read: {error}", _AGAIN) from None
    if not isinstance(manifest, dict) or "schema" not in manifest:
        raise BundleError(f"{file} is not a facegender model's", _AGAIN)
    return manifest


def _no_number(text: str) -> float:
    """Refuse NaN and Infinity, which Python reads although they are not JSON."""
    raise ValueError(f"it holds {text}")


def _check_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    file = folder / MANIFEST
    if manifest["schema"] != SCHEMA:
        raise BundleError(
            f"{file} has schema {manifest['schema']!r}, this facegender reads {SCHEMA}",
            schema_hint(manifest["schema"], SCHEMA, "Train the model again."),
        )
    if manifest.get("labels") != list(LABELS):
        raise BundleError(
            f"{file} has the labels {manifest.get('labels')!r}, expected {list(LABELS)!r}",
            "A model with another label order would call women men; train it again.",
        )
    threshold = manifest.get("threshold")
    if not isinstance(threshold, float) or not 0.5 <= threshold <= 1:
        raise BundleError(f"{file} has the threshold {threshold!r}, expected 0.5 to 1", _AGAIN)
    temperature = manifest.get("temperature")
    if not isinstance(temperature, float) or not 0 < temperature < math.inf:
        raise BundleError(
            f"{file} has the temperature {temperature!r}, expected a number above 0", _AGAIN
        )
    if not re.fullmatch(r"[0-9a-f]{16}", str(manifest.get("fingerprint"))):
        raise BundleError(f"{file} has no fingerprint", _AGAIN)
    if not isinstance(manifest.get("files"), dict):
        raise BundleError(f"{file} names no files", _AGAIN)
    for key in ("data", "metrics", "training"):
        if not isinstance(manifest.get(key, {}), dict):
            raise BundleError(f"{file}: {key!r} is not a JSON object", _AGAIN)


def check_file(folder: Path, role: str, entry: Any) -> Path:
    """Return the path of a file that the manifest names, after checking its size and hash.

    Raises:
        BundleError: it is missing, truncated, replaced, unreadable or outside the folder.
    """
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
        raise BundleError(f"{folder / MANIFEST} names the file {name!r} for {role}", _AGAIN)
    path = current(folder / name, folder / MANIFEST)
    try:
        size = path.stat().st_size
        if size != entry.get("bytes"):
            raise BundleError(f"{path} has {size:,} bytes, expected {entry.get('bytes')!r}", _AGAIN)
        if sha256_of(path) != entry.get("sha256"):
            raise BundleError(f"{path} is not the file that {MANIFEST} describes", _AGAIN)
    except FileNotFoundError:
        raise BundleError(f"{path} is missing", _AGAIN) from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}", _AGAIN) from None
    return path


def _whole_files(folder: Path) -> set[str]:
    """The names of the files of the bundle that lies in a folder, as it was saved."""
    try:
        entries = _read_manifest(folder).get("files")
    except BundleError:
        return set()
    found = set()
    for role, entry in entries.items() if isinstance(entries, dict) else ():
        with suppress(BundleError):
            path = check_file(folder, role, entry)
            if not path.is_symlink():
                found.add(path.name)
    return found
