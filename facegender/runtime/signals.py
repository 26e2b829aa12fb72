"""Handling SIGINT and SIGTERM: raised immediately, or deferred to a safe moment."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from facegender.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PAUSE = 0.02
"""Seconds after which a signal is sent again if its exception was lost."""


def handle(handler: Any) -> None:
    """Install a handler for SIGINT and SIGTERM; an ignored Ctrl-C stays ignored."""
    for number in SIGNALS:
        if number != signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def leave(signal_number: int, _frame: object) -> None:
    """Exit immediately and silently on a signal, when there is nothing to clean up."""
    os._exit(128 + signal_number)


class FirstRaises:
    """A signal handler that raises `Interrupted`; a second signal ends the process at once.

    Attributes:
        raised: an `Interrupted` of the first signal. C modules convert exceptions during their
            import to ImportError, which is then not an error of its own.
    """

    def __init__(self) -> None:
        self._raised = False
        self.raised: Interrupted | None = None

    def __call__(self, signal_number: int, frame: object) -> None:
        """Receive a signal; pass the object itself to `handle`."""
        if self._raised:
            leave(signal_number, frame)
        self._raised = True
        self.raised = _stopped(signal_number)
        # A new object: the traceback of this one would keep objects alive that need cleanup.
        raise _stopped(signal_number)

    def resend_lost(self) -> None:
        """Send a signal again if its exception was lost.

        Python prints and forgets an exception that a handler raises inside a destructor or a
        callback, such as those of the import system, and the program would go on.
        """
        others = sys.unraisablehook

        def hook(lost: Any) -> None:
            error = lost.exc_value
            if not isinstance(error, Interrupted):
                others(lost)
                return
            self._raised = False
            again = threading.Timer(_PAUSE, _send, [error.signal_number])
            again.daemon = True
            again.start()

        sys.unraisablehook = hook


def _stopped(signal_number: int) -> Interrupted:
    return Interrupted("stopped; what was written before is whole", "", signal_number)


def _send(number: int) -> None:
    """Send a signal to the main thread, so that it wakes up where it waits."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


class StopRequest:
    """A signal handler that can defer a signal.

    Outside `held`, a signal raises `Interrupted` immediately. Inside, the first one only sets
    `signal_number`, which the code checks between steps; a second one raises.

    Args:
        on_held: called from the handler when a signal is deferred.
        hint: how to go on, for `Interrupted`.
    """

    def __init__(self, on_held: Callable[[], None] | None = None, hint: str = "") -> None:
        self.signal_number: int | None = None
        self._hint = hint
        self._held = False
        self._on_held = on_held

    def __call__(self, signal_number: int, _frame: object) -> None:
        """Receive a signal; pass the object itself to `signal.signal`."""
        again = self.signal_number is not None
        self.signal_number = signal_number
        if again or not self._held:
            raise self._interrupted()
        if self._on_held is not None:
            self._on_held()

    def _interrupted(self) -> Interrupted:
        return Interrupted(
            "stopped; what was saved before is whole",
            self._hint,
            self.signal_number or signal.SIGINT,
        )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Defer signals during the block, which checks for them itself."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Within `held`, let a signal raise again: for slow work that loses nothing by it."""
        held, self._held = self._held, False
        try:
            if self.signal_number is not None:
                raise self._interrupted()
            yield
        finally:
            self._held = held

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Receive SIGINT and SIGTERM during the block."""
        kept = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            handle(self)
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
