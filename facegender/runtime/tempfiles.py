"""Temporary files beside their target, each held by one living process.

A run that is killed leaves its temporary file behind. Nobody holds that one any more, which is how
the next run tells it from one that another process is still writing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TEMP_PREFIX = ".facegender-"
_NT = os.name == "nt"
_CROWD = 100
"""Processes that may write one file at the same moment."""
_USUAL = 8
"""As many names are always looked at: of several killed writers the first may be gone already."""


@dataclass(slots=True)
class Claim:
    """A temporary file that is this process's alone for as long as its handle is open."""

    target: Path
    path: Path
    handle: int

    def flush(self) -> None:
        """Bring it to disk, with the permissions of the file that it replaces."""
        flush_file(self.path)
        self.path.chmod(_mode_of(self.target))

    def move(self) -> None:
        """Let it take the target's place."""
        if _NT:  # an open file cannot be renamed there
            self._close()
        self.path.replace(self.target)

    def drop(self) -> None:
        """Remove it, if it is still there, and give it up."""
        if _NT:
            self._close()
        if _NT or _names(self.path, self.handle):  # after `move` it may be another process's
            with suppress(OSError):
                self.path.unlink()
        self._close()

    def _close(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


def claim(target: Path) -> Claim:
    """Make the temporary file of a target; remove those that no living process holds.

    Its name follows from the target's, so that what a killed run left is found without searching
    the folder. Several processes may write one target: each takes the first free number.
    """
    mine = None
    for number in range(_CROWD):
        path = target.with_name(f"{TEMP_PREFIX}{key_of(target)}.{number}.tmp")
        there = remove_stale(path)
        if mine is not None:
            if not there and number >= _USUAL:
                break
        elif (handle := _create(path)) is not None:
            mine = Claim(target, path, handle)
    if mine is None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    return mine


def flush_file(path: Path) -> None:
    """Bring a file's bytes to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def key_of(target: Path) -> str:
    """A short word that follows from a file's name, however long that is."""
    return hashlib.blake2b(os.fsencode(target.name), digest_size=6).hexdigest()


def _create(path: Path) -> int | None:
    """Make a file and hold it; None where another process was faster."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:
        return None
    if _hold(handle) is not False and _names(path, handle):
        return handle
    os.close(handle)  # it looked stale to another process in the moment before it was held
    return None


def remove_stale(path: Path) -> bool:
    """Remove a temporary file of ours that nobody holds; tell whether there was a file."""
    try:
        handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        mine = _NT or os.fstat(handle).st_uid == os.geteuid()
        regular = stat.S_ISREG(os.fstat(handle).st_mode)
        if mine and regular and (_NT or _hold(handle)) and _names(path, handle):
            if _NT:
                os.close(handle)
                handle = -1
            with suppress(OSError):  # on Windows this fails while anybody has it open
                path.unlink()
    finally:
        if handle >= 0:
            os.close(handle)
    return True


def _hold(handle: int) -> bool | None:
    """Lock an open file; False where another process has, None where files cannot be locked."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _names(path: Path, handle: int) -> bool:
    """Whether a path is still the name of an open file."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(handle))
    except OSError:
        return False


def _mode_of(target: Path) -> int:
    """The permissions of the file that is replaced, or what a new file would get."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
