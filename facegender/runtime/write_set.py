"""Replacing several files of a folder together: all of them, or none.

The new files are written to a hidden folder beside the old ones. Renaming that folder commits them:
from then on it holds the current files, until each is moved to its place. A run that is killed
before leaves the old files, one that is killed after leaves the new ones: `current` finds them, and
the next `write_set` moves them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from facegender.runtime.files import errors_of, sha256_of
from facegender.runtime.tempfiles import TEMP_PREFIX, flush_file, key_of, mode_for


@contextmanager
def write_set(head: Path) -> Iterator[Path]:
    """Yield a folder whose files are moved beside `head` when the block succeeds.

    Files that the older `head` names, and the new one does not, are removed, unless they were
    changed since. No other process may write the same files meanwhile: the caller holds a lock.

    Args:
        head: the file that stands for the set, such as a manifest. If it is JSON with an object
            ``files``, it names the others by ``name`` (or their key) and ``sha256``.

    Raises:
        FaceGenderError: the folder does not exist or cannot be written, or the disk is full.
    """
    new, committed = _staging(head)
    with errors_of(head):
        complete(head)
        shutil.rmtree(new, ignore_errors=True)  # a killed run's
        new.mkdir()
        try:
            yield new
            for path in _files_in(new):
                flush_file(path)
                path.chmod(mode_for(head.parent / path.relative_to(new)))
            new.rename(committed)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        complete(head)


def current(path: Path, head: Path) -> Path:
    """Return the current path of a file of a set, which a killed run may have left unmoved.

    Args:
        path: its place, in or below the folder of `head`.
        head: as for `write_set`.
    """
    waiting = _staging(head)[1] / path.relative_to(head.parent)
    return waiting if waiting.is_file() else path


def complete(head: Path) -> None:
    """Move committed files to their places, `head` last; the caller holds a lock."""
    committed = _staging(head)[1]
    if not committed.is_dir() or committed.is_symlink():
        return
    folder, new_head = head.parent, committed / head.name
    older, newer = _named(head), _named(new_head if new_head.exists() else head)
    for path in sorted(_files_in(committed), key=lambda path: path == new_head):
        if path == new_head:
            _remove(folder, {name: older[name] for name in older.keys() - newer.keys()})
        target = Path(os.path.realpath(folder / path.relative_to(committed)))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.replace(target)
        except OSError:  # a link to another disk
            shutil.copy(path, target)
    shutil.rmtree(committed)


def _staging(head: Path) -> tuple[Path, Path]:
    """Return the folder for writing, and its name after the commit."""
    name = f"{TEMP_PREFIX}{key_of(head)}"
    return head.with_name(f"{name}.new"), head.with_name(f"{name}.committed")


def _files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _named(head: Path) -> dict[str, str]:
    """Return the files that a head names, with their SHA-256."""
    try:
        files = json.loads(head.read_text("utf-8"))["files"]
        return {entry.get("name", key): entry["sha256"] for key, entry in files.items()}
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return {}


def _remove(folder: Path, files: dict[str, str]) -> None:
    """Remove unchanged files, and folders that become empty."""
    for name, digest in files.items():
        path = folder / name
        if ".." in PurePath(name).parts or PurePath(name).anchor or path.is_symlink():
            continue
        with suppress(OSError):
            if sha256_of(path) == digest:
                path.unlink()
                for parent in list(path.relative_to(folder).parents)[:-1]:
                    (folder / parent).rmdir()
