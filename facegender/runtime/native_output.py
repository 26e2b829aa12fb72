"""Hiding the output of native libraries."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def native_noise_hidden() -> Iterator[None]:
    """Hide what native code writes to file descriptor 2, unless the block fails.

    TensorFlow's C++ code logs before any Python setting applies, so the descriptor is redirected.
    The whole process shares it, so threads wait for each other here.
    """
    with _ONE_AT_A_TIME:
        _flush_stderr()
        try:
            kept = os.dup(2)
        except OSError:  # stderr is closed: there is nothing to hide
            yield
            return
        yield from _hidden(kept)


def _hidden(kept: int) -> Iterator[None]:
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except BaseException:
            _flush_stderr()
            os.dup2(kept, 2)
            heard.seek(0)
            logging.getLogger("facegender").debug("%s", heard.read().decode("utf-8", "replace"))
            raise
        finally:
            _flush_stderr()
            os.dup2(kept, 2)
            os.close(kept)


def _flush_stderr() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
