"""Photos and persons that a model is judged on and was trained on as well."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegender.dataset.samples import Samples
from facegender.errors import PhotoError
from facegender.parallel import ordered_map
from facegender.photo import decode_photo, read_bytes

NEAR_PHASH: Final = 4
NEAR_DHASH: Final = 5
"""Photos are near copies up to so many of 64 bits. Of the 13 pairs that this finds between 5,000
and 20,000 FairFace photos, all are the same picture to the eye; the next pairs are other people."""
_SIDE: Final = 256
_CHUNK: Final = 512


class Hashes(NamedTuple):
    """What two copies of a photo share: the file's digest, and two perceptual hashes of 64 bits."""

    digest: str
    phash: int
    dhash: int


@dataclass(frozen=True, slots=True)
class Leakage:
    """What the photos judged share with the training photos.

    Attributes:
        trained: number of training photos looked at.
        exact: paths (judged, trained) of files with the same bytes.
        near: paths (judged, trained) of photos that look the same.
        persons: names in both.
    """

    trained: int
    exact: list[tuple[str, str]]
    near: list[tuple[str, str]]
    persons: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "trained": self.trained,
            "exact": [list(pair) for pair in self.exact],
            "near": [list(pair) for pair in self.near],
            "persons": self.persons,
        }


def find_leakage(
    judged: Samples,
    trained: Samples,
    *,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Leakage:
    """Look for copies and persons that two sets of rows share.

    Args:
        judged, trained: rows; photos that cannot be read are left out.
        workers: processes; None means one a core.
        on_progress: called with (photos done, photos in all).
    """
    total = len(judged) + len(trained)
    found: list[Hashes | None] = []
    paths = chain(judged.paths, trained.paths)
    for hashes in ordered_map(hash_photo, paths, workers=workers, on_death=lambda _path: None):
        found.append(hashes)
        if on_progress is not None:
            on_progress(len(found), total)
    ours, theirs = found[: len(judged)], found[len(judged) :]
    by_digest = {h.digest: row for row, h in reversed(list(enumerate(theirs))) if h is not None}
    exact = {
        row: by_digest[h.digest]
        for row, h in enumerate(ours)
        if h is not None and h.digest in by_digest
    }
    near = {row: other for row, other in _near(ours, theirs).items() if row not in exact}
    return Leakage(
        trained=len(trained),
        exact=[(judged.paths[row], trained.paths[other]) for row, other in exact.items()],
        near=[(judged.paths[row], trained.paths[other]) for row, other in near.items()],
        persons=sorted((set(judged.persons) & set(trained.persons)) - {""}),
    )


def hash_photo(path: str) -> Hashes | None:
    """Return a photo's hashes, None where it cannot be read."""
    import imagehash

    try:
        data = read_bytes(path)
        pixels = decode_photo(data, at_least=lambda _size: (_SIDE, _SIDE)).pixels
    except PhotoError:
        return None
    image = Image.fromarray(pixels)
    return Hashes(
        hashlib.blake2b(data, digest_size=16).hexdigest(),
        int(str(imagehash.phash(image)), 16),
        int(str(imagehash.dhash(image)), 16),
    )


def _near(ours: list[Hashes | None], theirs: list[Hashes | None]) -> dict[int, int]:
    """Return the nearest training row of each row that has one near enough."""
    rows = [row for row, h in enumerate(ours) if h is not None]
    others = [row for row, h in enumerate(theirs) if h is not None]
    if not rows or not others:
        return {}
    our_p, our_d = _columns(ours, rows)
    their_p, their_d = _columns(theirs, others)
    found: dict[int, int] = {}
    for first in range(0, len(rows), _CHUNK):
        part = slice(first, first + _CHUNK)
        distance = np.bitwise_count(our_p[part, None] ^ their_p[None])
        at, to = np.nonzero(distance <= NEAR_PHASH)
        apart = np.bitwise_count(our_d[part][at] ^ their_d[to])
        for i in np.flatnonzero(apart <= NEAR_DHASH):
            found.setdefault(rows[first + int(at[i])], others[int(to[i])])
    return found


def _columns(
    hashes: list[Hashes | None], rows: list[int]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    kept = [h for h in (hashes[row] for row in rows) if h is not None]
    return (
        np.array([h.phash for h in kept], np.uint64),
        np.array([h.dhash for h in kept], np.uint64),
    )
