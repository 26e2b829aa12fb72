"""Atomic files, locks and fingerprints."""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from facegender.errors import FaceGenderError
from facegender.runtime.tempfiles import TEMP_PREFIX, key_of, remove_stale, replacement

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters of a cell that spreadsheets interpret as a formula, some after trimming."""
_SPLITS = frozenset("\r;\t")


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, moved over it only when the block succeeds.

    The file is flushed to disk before the rename, so a crash leaves the old file or the new one.
    A temporary file that a killed run left for the same target is removed.
    A symbolic link is followed; something that is not a regular file (a device, a pipe) is
    written in place, since it cannot be replaced.

    Raises:
        FaceGenderError: the folder does not exist or cannot be written, or the disk is full.
    """
    if _is_special(target):
        yield target
        return
    target = Path(os.path.realpath(target))
    with errors_of(target), replacement(target) as temporary:
        yield temporary


@contextmanager
def errors_of(target: Path) -> Iterator[None]:
    """Convert an `OSError` of the block to a `FaceGenderError` about `target`."""
    try:
        yield
    except OSError as error:
        raise cannot_write(target, error) from error


def write_bytes(target: Path, data: bytes) -> None:
    """Write `data` to `target` atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def write_text(target: Path, text: str) -> None:
    """Write `text` to `target` atomically as UTF-8; undecodable file names keep their bytes."""
    write_bytes(target, encoded(text))


def encoded(text: str) -> bytes:
    """Encode as UTF-8; undecodable file names keep their bytes."""
    return text.encode("utf-8", "surrogateescape")


def make_folder(folder: Path) -> None:
    """Create a folder and its parents if missing.

    Raises:
        FaceGenderError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise FaceGenderError(f"cannot make the folder {folder}: {why}") from error


@contextmanager
def text_writer(target: Path) -> Iterator[TextIO]:
    """Yield a stream whose text replaces `target` atomically when the block succeeds.

    Like `write_text`, for texts that are not held in memory.
    """
    with (
        atomic_path(target) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        yield stream


def write_csv_row(stream: TextIO, cells: Sequence[object]) -> None:
    """Write a CSV row that ends in a newline; more is quoted than `csv` alone would quote."""
    # Before Python 3.13 csv leaves a lone carriage return bare, which reads back as a row's end.
    # Spreadsheets of many countries split at semicolons, and what follows could be a formula.
    odd = any(isinstance(cell, str) and not _SPLITS.isdisjoint(cell) for cell in cells)
    quoting: Any = csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
    csv.writer(stream, lineterminator="\n", quoting=quoting).writerow(cells)


def no_formula(path: str) -> str:
    """Return an equivalent path that spreadsheets do not interpret as a formula."""
    return f"./{path}" if path.startswith(FORMULA) else path


def is_disk_fault(error: BaseException | None) -> bool:
    """Tell whether the disk is full or read-only: then the next file cannot be written either."""
    faults = (errno.EROFS, errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, OSError) and error.errno in faults


def cannot_write(target: Path, error: OSError) -> FaceGenderError:
    """Convert an `OSError` from writing `target` to a `FaceGenderError`."""
    why = error.strerror or str(error)
    return FaceGenderError(
        f"cannot write {target}: {why}",
        "Choose another location, or check free space and permissions.",
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that killed runs left in `folder`; those in use stay."""
    for path in folder.glob(f"{TEMP_PREFIX}*.tmp"):
        remove_stale(path)


@contextmanager
def lock(folder: Path, what: str) -> Iterator[None]:
    """Lock `folder` for one process; the system releases the lock if the process dies.

    Raises:
        FaceGenderError: another process holds it.
    """
    with _locked(folder / ".lock", folder, f"{folder} is in use by another {what}"):
        yield


@contextmanager
def lock_target(target: Path, what: str) -> Iterator[None]:
    """Lock `target`, and the files beside it, against other runs of facegender.

    Raises:
        FaceGenderError: another process holds it, or its folder cannot be written.
    """
    real = Path(os.path.realpath(target))
    place = real.with_name(f"{TEMP_PREFIX}{key_of(real)}.lock")
    with _locked(place, target, f"{target} is being written by another {what}"):
        yield


@contextmanager
def _locked(place: Path, target: Path, refusal: str) -> Iterator[None]:
    import filelock

    holder = filelock.FileLock(place)
    try:
        holder.acquire(timeout=0)
    except filelock.Timeout:
        raise FaceGenderError(refusal, "Wait until it ends, or choose another location.") from None
    except OSError as error:
        raise cannot_write(target, error) from error
    try:
        yield
    finally:
        # Removed while locked: a process waiting for the removed file notices and starts over.
        with suppress(OSError):
            place.unlink()
        holder.release()


def _is_special(target: Path) -> bool:
    """Return whether the path is a device or a pipe."""
    try:
        mode = target.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
