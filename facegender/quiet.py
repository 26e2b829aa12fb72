"""Keeping the noise of native libraries from the user."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_noise_hidden() -> Iterator[None]:
    """Keep what native code writes to file descriptor 2 from the user, unless the block fails.

    TensorFlow's C++ side logs before any Python setting can reach it, hence the descriptor.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed: nothing can be heard anyway
        yield
        return
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except BaseException:
            sys.stderr.flush()
            os.dup2(kept, 2)
            heard.seek(0)
            logging.getLogger("facegender").debug("%s", heard.read().decode("utf-8", "replace"))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
