"""Writing without halves: atomic files, locks and fingerprints."""

from __future__ import annotations

import csv
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from facegender.errors import FaceGenderError

TEMP_PREFIX = ".facegender-"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Beginnings of a cell that a spreadsheet takes for a formula, some after trimming."""
_SPLITS = frozenset("\r;\t")


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, moved over it only when the block succeeds.

    The file is flushed to disk before the rename, so a crash leaves the old file or the new one.
    A symbolic link is followed; something that is not a regular file (a device, a pipe) is
    written in place, since it cannot be replaced.

    Raises:
        FaceGenderError: the folder does not exist or cannot be written, or the disk is full.
    """
    if _is_special(target):
        yield target
        return
    target = Path(os.path.realpath(target))
    try:
        handle, name = tempfile.mkstemp(prefix=TEMP_PREFIX, suffix=".tmp", dir=target.parent)
    except OSError as error:
        raise cannot_write(target, error) from error
    temporary = Path(name)
    os.close(handle)
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(_mode_of(target))
        temporary.replace(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(target: Path, data: bytes) -> None:
    """Write `data` to `target` atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def write_text(target: Path, text: str) -> None:
    """Write `text` to `target` atomically as UTF-8; undecodable file names keep their bytes."""
    write_bytes(target, text.encode("utf-8", "surrogateescape"))


def write_csv_row(stream: TextIO, cells: Sequence[object]) -> None:
    """Write a CSV row that ends in a newline; more is quoted than `csv` alone would quote."""
    # Before Python 3.13 csv leaves a lone carriage return bare, which reads back as a row's end.
    # Spreadsheets of many countries split at semicolons, and what follows could be a formula.
    odd = any(isinstance(cell, str) and not _SPLITS.isdisjoint(cell) for cell in cells)
    quoting: Any = csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
    csv.writer(stream, lineterminator="\n", quoting=quoting).writerow(cells)


def no_formula(path: str) -> str:
    """Return a path that means the same file and that no spreadsheet takes for a formula."""
    return f"./{path}" if path.startswith(FORMULA) else path


def cannot_write(target: Path, error: OSError) -> FaceGenderError:
    """Turn an `OSError` met while writing `target` into a sentence."""
    why = error.strerror or str(error)
    return FaceGenderError(
        f"cannot write {target}: {why}", "Choose another place, or free space and permissions."
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed run left in `folder`; call it under `lock`."""
    for path in folder.glob(f"{TEMP_PREFIX}*.tmp"):
        with suppress(OSError):
            path.unlink()


@contextmanager
def lock(folder: Path, what: str) -> Iterator[None]:
    """Hold `folder` for one process; the system frees the lock when its holder dies.

    Raises:
        FaceGenderError: another process holds it.
    """
    import filelock

    holder = filelock.FileLock(folder / ".lock")
    try:
        holder.acquire(timeout=0)
    except filelock.Timeout:
        raise FaceGenderError(
            f"{folder} is in use by another {what}", "Wait until it ends, or choose another folder."
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        holder.release()


def _is_special(target: Path) -> bool:
    """Whether a device or a pipe lies there."""
    try:
        mode = target.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _mode_of(target: Path) -> int:
    """The permissions of the file that is replaced, or what a new file would get."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
