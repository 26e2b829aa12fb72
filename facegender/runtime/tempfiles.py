"""Temporary files beside their target, each locked by the process that writes it.

A killed run leaves its temporary file behind, unlocked. That is how the next run tells it from one
that another process is still writing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMP_PREFIX = ".facegender-"
_NT = os.name == "nt"


@contextmanager
def replacement(target: Path) -> Iterator[Path]:
    """Yield a temporary file beside `target` that is moved over it when the block succeeds.

    Its name follows from the target's, so that what a killed run left is found without searching
    the folder. It gets the permissions of the file that it replaces.

    Raises:
        OSError: a file cannot be made, written or moved there.
    """
    usual = target.with_name(f"{TEMP_PREFIX}{key_of(target)}.tmp")
    remove_stale(usual)
    handle, path = _create(usual), usual
    if handle is None:  # another process is writing the same target
        path = usual.with_suffix(f".{secrets.token_hex(4)}.tmp")
        handle = _create(path)
    if handle is None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    with open(handle, "rb") as held:
        try:
            yield path
            flush_file(path)
            path.chmod(mode_for(target))
            if _NT:  # an open file cannot be renamed there
                held.close()
            path.replace(target)
        except BaseException:
            if _NT:
                held.close()
            with suppress(OSError):
                path.unlink()
            raise


def remove_stale(path: Path) -> None:
    """Remove a temporary file of ours that no process holds, if it is there."""
    try:
        handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return
    with open(handle, "rb") as file, suppress(OSError):
        if _NT:
            file.close()
            path.unlink()  # fails while another process has it open
            return
        facts = os.fstat(handle)
        mine = facts.st_uid == os.geteuid() and stat.S_ISREG(facts.st_mode)
        if mine and _hold(path, handle, unsure=False):
            path.unlink()


def flush_file(path: Path) -> None:
    """Bring a file's bytes to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def key_of(target: Path) -> str:
    """A short word that follows from a file's name, however long that is."""
    return hashlib.blake2b(os.fsencode(target.name), digest_size=6).hexdigest()


def mode_for(target: Path) -> int:
    """The permissions of the file that is replaced, or what a new file would get."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _create(path: Path) -> int | None:
    """Make a file and hold it; None where another process was faster."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:
        return None
    if _NT or _hold(path, handle, unsure=True):
        return handle
    os.close(handle)  # it looked stale to another process in the moment before it was held
    return None


def _hold(path: Path, handle: int, *, unsure: bool) -> bool:
    """Lock an open file; tell whether no other process holds it and `path` is its name still.

    Args:
        path: its name.
        handle: the open file.
        unsure: the answer on a file system without locks, such as some network disks.
    """
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unsure
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(handle))
    except OSError:
        return False
