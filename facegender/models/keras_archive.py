"""``model.keras``: refused before Keras reads it unless it is an archive as Keras writes it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

MEMBERS: Final = frozenset(("metadata.json", "config.json", "model.weights.h5"))
"""What Keras puts into the file of a network without assets, as all of ours are."""
MAX_EXPANSION: Final = 20
"""Weights hardly pack: what unpacks to more than this times the file is a bomb."""


def refuse_odd_archive(file: Path) -> None:
    """Refuse a file that is no such archive.

    Keras would choose another reader by the name (legacy HDF5, which had ways to run code), and
    unpack assets and pickled arrays that no network of ours has.

    Raises:
        ValueError: it says why.
    """
    if file.suffix != ".keras":
        raise ValueError("its name does not end in .keras")
    if not zipfile.is_zipfile(file):
        raise ValueError("it is not a Keras archive")
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
    names = sorted(info.filename for info in infos)
    if names != sorted(MEMBERS):
        raise ValueError(f"it holds {', '.join(names)[:200] or 'nothing'}, not a network alone")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MAX_EXPANSION * file.stat().st_size:
        raise ValueError(f"it unpacks to {unpacked:,} bytes")


def cause_of(error: BaseException) -> str:
    """Return what went wrong first, as one line: Keras repeats whole configurations around it."""
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())[:300] or type(error).__name__
