"""Signals that ask for a stop, raised at once or held until a safe moment."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facegender.errors import Interrupted


class StopRequest:
    """A signal handler that can wait.

    Outside `held` a signal raises `Interrupted` where the program stands. Inside, the first one
    only sets `signal_number`, for the code to see between two steps; a second one raises.

    Args:
        on_held: called from the handler when a signal has to wait.
    """

    def __init__(self, on_held: Callable[[], None] | None = None) -> None:
        self.signal_number: int | None = None
        self._held = False
        self._on_held = on_held

    def __call__(self, signal_number: int, _frame: object) -> None:
        """Receive a signal; pass the object itself to `signal.signal`."""
        again = self.signal_number is not None
        self.signal_number = signal_number
        if again or not self._held:
            raise Interrupted(
                "stopped; what was saved before is whole",
                "A training that had begun goes on with --resume.",
                signal_number,
            )
        if self._on_held is not None:
            self._on_held()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block look for a stop itself."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Receive SIGINT and SIGTERM during the block."""
        kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for number in kept:
                signal.signal(number, self)
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
