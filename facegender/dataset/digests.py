"""A compact list of content digests, for millions of photos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

HEX = 32
"""Hexadecimal digits of a digest."""


class Digests(Sequence[str]):
    """A list of digests of 32 hexadecimal digits, or "" for none, in 16 bytes each.

    Args:
        halves: uint64 (n, 2); two zeros mean no digest.
    """

    __slots__ = ("halves",)

    def __init__(self, halves: NDArray[np.uint64]) -> None:
        self.halves = halves

    @classmethod
    def of(cls, digests: Iterable[str]) -> Digests:
        """Pack a list of digests."""
        if isinstance(digests, Digests):
            return digests
        return cls.from_hex("".join(digest or "0" * HEX for digest in digests))

    @classmethod
    def from_hex(cls, text: str) -> Digests:
        """Parse concatenated digests.

        Raises:
            ValueError: invalid digits or length.
        """
        return cls(np.frombuffer(bytes.fromhex(text), ">u8").astype(np.uint64).reshape(-1, 2))

    def to_hex(self, first: int, last: int) -> str:
        """Return a range of the digests in the form that `from_hex` parses."""
        return self.halves[first:last].astype(">u8").tobytes().hex()

    def numbers(self) -> NDArray[np.int64]:
        """Number distinct digests from 0, and missing ones -1."""
        numbers = numbered(self.halves)
        numbers[~self.halves.any(axis=1)] = -1
        return numbers

    def __len__(self) -> int:
        return len(self.halves)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Digests: ...
    def __getitem__(self, row: int | slice) -> str | Digests:
        halves = self.halves[row]
        if isinstance(row, slice):
            return Digests(halves)
        return halves.astype(">u8").tobytes().hex() if halves.any() else ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, tuple, Digests)):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def numbered(pairs: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Number distinct pairs (n, 2) from 0."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    ranked = pairs[order]
    begins = np.ones(len(order), bool)
    begins[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(begins) - 1
    return numbers
