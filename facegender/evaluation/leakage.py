"""Finding photos and persons that are in both the evaluated and the training rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegender.dataset.digests import Digests, numbered
from facegender.dataset.samples import Samples
from facegender.errors import PhotoError
from facegender.images.decode import decode_photo, read_bytes
from facegender.runtime.parallel import ordered_map

NEAR_PHASH: Final = 4
NEAR_DHASH: Final = 5
"""Maximum number of differing bits, of 64, between near copies. All of the 13 pairs that this finds
between 5,000 and 20,000 FairFace photos look identical; pairs beyond it are different people."""
_SIDE: Final = 256
_AT_ONCE: Final = 1 << 17
"""Pairs of photos compared at a time, to bound memory."""
_HASHES: Final = np.dtype([("read", "?"), ("digest", "u8", 2), ("phash", "u8"), ("dhash", "u8")])


class Hashes(NamedTuple):
    """Hashes of a photo: the file's digest, and two perceptual hashes of 64 bits."""

    digest: str
    phash: int
    dhash: int


@dataclass(frozen=True, slots=True)
class Leakage:
    """What the evaluated photos share with the training photos.

    Attributes:
        trained: number of training photos searched.
        exact: paths (evaluated, training) of files with the same bytes.
        near: paths (evaluated, training) of photos that look the same.
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
    """Find copies and persons that two sets of rows share.

    Args:
        judged, trained: rows; photos that cannot be read are left out.
        workers: processes; None means one per core.
        on_progress: called with (photos done, photos in all).
    """
    total = len(judged) + len(trained)
    found = np.zeros(total, _HASHES)
    paths = chain(judged.paths, trained.paths)
    all_hashes = ordered_map(hash_photo, paths, workers=workers, on_death=lambda _path: None)
    for row, hashes in enumerate(all_hashes):
        if hashes is not None:
            digest = Digests.of([hashes.digest]).halves[0]
            found[row] = True, digest, hashes.phash, hashes.dhash
        if on_progress is not None:
            on_progress(row + 1, total)
    ours, theirs = found[: len(judged)], found[len(judged) :]
    exact = _exact(ours, theirs)
    near = {row: other for row, other in _near(ours, theirs).items() if row not in exact}
    return Leakage(
        trained=len(trained),
        exact=[(judged.paths[row], trained.paths[other]) for row, other in exact.items()],
        near=[(judged.paths[row], trained.paths[other]) for row, other in near.items()],
        persons=sorted((set(judged.persons) & set(trained.persons)) - {""}),
    )


def hash_photo(path: str) -> Hashes | None:
    """Return a photo's hashes, None if it cannot be read."""
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


def _exact(ours: NDArray[np.void], theirs: NDArray[np.void]) -> dict[int, int]:
    """Return the first training row with the same bytes, for each row that has one."""
    numbers = Digests(np.concatenate([ours["digest"], theirs["digest"]])).numbers()
    mine, other = numbers[: len(ours)], numbers[len(ours) :]
    known, first = np.unique(other, return_index=True)
    rows = np.flatnonzero((mine >= 0) & np.isin(mine, known))
    at = first[np.searchsorted(known, mine[rows])]
    return dict(zip(rows.tolist(), at.tolist(), strict=True))


def _near(ours: NDArray[np.void], theirs: NDArray[np.void]) -> dict[int, int]:
    """Return the first training row that looks the same, for each row that has one.

    Hashes that differ in at most `NEAR_PHASH` bits agree in at least one of `NEAR_PHASH` + 1 bands,
    so only photos that share a band are compared, and equal hashes only once.
    """
    rows, others = np.flatnonzero(ours["read"]), np.flatnonzero(theirs["read"])
    mine, number, _ = _distinct(ours[rows])
    other, _, first = _distinct(theirs[others])
    nearest = np.full(len(mine), len(theirs))
    for band in range(NEAR_PHASH + 1):
        keys, wanted = _band(other[:, 0], band), _band(mine[:, 0], band)
        order = np.argsort(keys, kind="stable")
        begin = np.searchsorted(keys[order], wanted, "left")
        count = np.searchsorted(keys[order], wanted, "right") - begin
        for part in _parts(count):
            at, to = _pairs(begin[part], count[part])
            at, to = at + part.start, order[to]
            apart = np.bitwise_count(mine[at] ^ other[to])
            close = (apart[:, 0] <= NEAR_PHASH) & (apart[:, 1] <= NEAR_DHASH)
            np.minimum.at(nearest, at[close], others[first[to[close]]])
    found = nearest[number]
    near = found < len(theirs)
    return dict(zip(rows[near].tolist(), found[near].tolist(), strict=True))


def _distinct(
    hashes: NDArray[np.void],
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.intp]]:
    """Return the distinct pairs of hashes (k, 2), the pair of each row, and its first row."""
    pairs = np.stack([hashes["phash"], hashes["dhash"]], axis=1)
    number = numbered(pairs)
    _, first = np.unique(number, return_index=True)
    return pairs[first], number, first


def _band(hashes: NDArray[np.uint64], band: int) -> NDArray[np.uint64]:
    """Return one band of the 64 bits; the bands together contain each bit once."""
    width = np.uint64(-(-64 // (NEAR_PHASH + 1)))
    return (hashes >> (width * np.uint64(band))) & ((np.uint64(1) << width) - np.uint64(1))


def _parts(count: NDArray[np.intp]) -> Iterator[slice]:
    """Divide rows into parts of about `_AT_ONCE` pairs each."""
    full = np.cumsum(count) // _AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(full)) + 1).tolist(), len(count)]
    return (slice(*edge) for edge in pairwise(edges))


def _pairs(
    begin: NDArray[np.intp], count: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Repeat each row by its count, paired with ``begin``, ``begin + 1``, …"""
    at = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
    return at, begin[at] + within
