"""Temporary files beside their target, each locked by the process that writes it.

A killed run leaves its temporary file unlocked. That distinguishes it from a file that another
process is still writing.
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

    Its name is derived from the target's, so that leftovers of killed runs are found without
    listing the folder. It gets the permissions of the file that it replaces.

    Raises:
        OSError: the file cannot be created, written or moved.
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
    """Remove a temporary file of ours if it exists and is not locked."""
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
    """Flush a file to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def key_of(target: Path) -> str:
    """Return a short word derived from a file's name."""
    return hashlib.blake2b(os.fsencode(target.name), digest_size=6).hexdigest()


def mode_for(target: Path) -> int:
    """Return the permissions of the file to replace, or those of a new file."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _create(path: Path) -> int | None:
    """Create and lock a file; return None if another process was faster."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:
        return None
    if _NT or _hold(path, handle, unsure=True):
        return handle
    os.close(handle)  # another process took it for a leftover before it was locked
    return None


def _hold(path: Path, handle: int, *, unsure: bool) -> bool:
    """Lock an open file; return whether that succeeded and `path` is still its name.

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
