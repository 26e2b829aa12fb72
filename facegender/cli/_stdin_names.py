"""Reading names from stdin as they arrive."""

from __future__ import annotations

import os
import select
import sys
from collections import deque
from collections.abc import Iterator

_CHUNK = 65536


class StdinNames:
    """A list of names on stdin.

    A program may write a name and wait for the answer, so the reader must know whether another name
    is available.
    """

    def __init__(self) -> None:
        self._names: deque[bytes] = deque()
        self._rest = b""
        self._end = b"\n"
        self._reading = False

    def read(self, end: bytes) -> Iterator[str]:
        """Yield the names, each terminated by `end`; empty ones are skipped."""
        self._end, self._reading = end, True
        while self._names or self._fill():
            if self._names:
                yield os.fsdecode(self._names.popleft())

    def ready(self) -> bool:
        """Return whether the next name is available without waiting; also true at the end."""
        while self._reading and not self._names:
            if not _readable():
                return False
            self._fill()
        return True

    def _fill(self) -> bool:
        """Read available data, or wait for it; return False at the end of the list."""
        if not self._reading:
            return False
        chunk = os.read(sys.stdin.fileno(), _CHUNK)
        *whole, self._rest = (self._rest + chunk).split(self._end)
        if not chunk:
            self._reading = False
            whole, self._rest = [self._rest], b""
        if self._end == b"\n":
            whole = [name.rstrip(b"\r") for name in whole]
        self._names.extend(name for name in whole if name)
        return True


def _readable() -> bool:
    """Whether a read of stdin would not wait. Windows cannot tell of a pipe: there it may wait."""
    if sys.platform == "win32":
        return True
    return bool(select.select([sys.stdin], [], [], 0)[0])
