"""Checking that ``model.keras`` is an archive as Keras writes it, before Keras reads it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

MEMBERS: Final = frozenset(("metadata.json", "config.json", "model.weights.h5"))
"""Members of the archive of a network without assets, which our networks do not have."""
MAX_EXPANSION: Final = 20
"""Maximum ratio of unpacked to packed size: weights hardly compress, so more is a zip bomb."""


def refuse_odd_archive(file: Path) -> None:
    """Refuse a file that is not such an archive.

    Keras would choose another reader by the name (legacy HDF5, which could run code), and would
    unpack assets and pickled arrays, which our networks do not have.

    Raises:
        ValueError: the reason.
    """
    if file.suffix != ".keras":
        raise ValueError("its name does not end in .keras")
    if not zipfile.is_zipfile(file):
        raise ValueError("it is not a Keras archive")
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
    names = sorted(info.filename for info in infos)
    if names != sorted(MEMBERS):
        raise ValueError(f"it holds {', '.join(names)[:200] or 'nothing'}, not only a network")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MAX_EXPANSION * file.stat().st_size:
        raise ValueError(f"it unpacks to {unpacked:,} bytes")


def cause_of(error: BaseException) -> str:
    """Return the first exception of a chain as one line; Keras wraps it in long configurations."""
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())[:300] or type(error).__name__
