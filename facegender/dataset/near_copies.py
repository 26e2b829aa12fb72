"""Photos that look the same: exact copies by digest, near copies by perceptual hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegender.dataset.digests import Digests, numbered
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

HashTable = NDArray[np.void]
"""The hashes of many photos, a row each; those of photos that cannot be read are zero."""


class Hashes(NamedTuple):
    """Hashes of a photo: the file's digest, and two perceptual hashes of 64 bits."""

    digest: str
    phash: int
    dhash: int


def hash_all(
    paths: Iterable[str],
    count: int,
    *,
    workers: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> HashTable:
    """Hash photos on all cores.

    Args:
        paths: of the photos.
        count: how many they are.
        workers: processes; None means one per core.
        on_progress: called with the number of photos done.
    """
    found = np.zeros(count, _HASHES)
    hashes = ordered_map(hash_photo, paths, workers=workers, on_death=lambda _path: None)
    for row, one in enumerate(hashes):
        if one is not None:
            digest = Digests.of([one.digest]).halves[0]
            found[row] = True, digest, one.phash, one.dhash
        if on_progress is not None:
            on_progress(row + 1)
    return found


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


def exact_copies(ours: HashTable, theirs: HashTable) -> dict[int, int]:
    """Return the first training row with the same bytes, for each row that has one."""
    numbers = Digests(np.concatenate([ours["digest"], theirs["digest"]])).numbers()
    mine, other = numbers[: len(ours)], numbers[len(ours) :]
    known, first = np.unique(other, return_index=True)
    rows = np.flatnonzero((mine >= 0) & np.isin(mine, known))
    at = first[np.searchsorted(known, mine[rows])]
    return dict(zip(rows.tolist(), at.tolist(), strict=True))


def near_copies(ours: HashTable, theirs: HashTable) -> dict[int, int]:
    """Return the first training row that looks the same, for each row that has one.

    Hashes that differ in at most `NEAR_PHASH` bits agree in at least one of `NEAR_PHASH` + 1 bands,
    so only photos that share a band are compared, and equal hashes only once.
    """
    rows, others = np.flatnonzero(ours["read"]), np.flatnonzero(theirs["read"])
    mine, number, _ = _distinct(ours[rows])
    other, _, first = _distinct(theirs[others])
    nearest = np.full(len(mine), len(theirs))
    for at, to in _close(mine, other):
        np.minimum.at(nearest, at, others[first[to]])
    found = nearest[number]
    near = found < len(theirs)
    return dict(zip(rows[near].tolist(), found[near].tolist(), strict=True))


def near_pairs(hashes: HashTable) -> NDArray[np.intp]:
    """Return rows (n, 2) that look the same and together link all that do.

    Files with the same bytes are among them.
    """
    rows = np.flatnonzero(hashes["read"])
    distinct, number, first = _distinct(hashes[rows])
    equal = np.flatnonzero(first[number] != np.arange(len(rows)))
    pairs = [np.stack([rows[equal], rows[first[number[equal]]]], axis=1)]
    for at, to in _close(distinct, distinct):
        once = at > to
        pairs.append(np.stack([rows[first[at[once]]], rows[first[to[once]]]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)  # a pair may agree in several bands


def _close(
    mine: NDArray[np.uint64], other: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield pairs of close hashes; a pair may come more than once."""
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
            yield at[close], to[close]


def _distinct(
    hashes: HashTable,
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
