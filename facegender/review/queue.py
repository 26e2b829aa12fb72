"""Which faces are looked at, in which order, and how likely each was to be drawn."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from facegender.errors import UsageError

LEAST: Final = 2
"""Least number drawn from a stratum: the spread within it cannot be told from one."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One element of a random sample.

    Attributes:
        index: which element of the population.
        probability: of inclusion in the sample, above 0 to 1.
        stratum: the part of the population that it was drawn from.
    """

    index: int
    probability: float
    stratum: str


def draw(strata: Sequence[str], count: int, seed: int) -> list[Drawn]:
    """Draw a stratified random sample without replacement, in random order.

    Every part of the order that begins at its start is a random sample too, so that an annotator
    may stop early. With the same seed a larger sample contains every smaller one.

    Args:
        strata: the stratum of each element of the population; all equal for a simple sample.
        count: elements wanted; all of them where there are fewer.
        seed: of the draw.

    Raises:
        UsageError: more strata than the sample can hold `LEAST` of each.
    """
    members: dict[str, list[int]] = {}
    for index, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(index)
    sizes = allocate({name: len(rows) for name, rows in members.items()}, count)
    keyed: list[tuple[float, Drawn]] = []
    for stratum, rows in members.items():
        # A generator of its own: what is drawn from a stratum does not depend on the others.
        random = np.random.default_rng([seed, zlib.crc32(stratum.encode("utf-8", "replace"))])
        keys = random.random(len(rows))
        first = np.argsort(keys, kind="stable")[: sizes[stratum]]
        share = sizes[stratum] / len(rows)
        # Spread evenly over the whole order: a stratum's keys among those that were drawn.
        keyed += [(float(keys[i]) / share, Drawn(rows[i], share, stratum)) for i in first]
    keyed.sort(key=lambda pair: (pair[0], pair[1].index))
    return [drawn for _, drawn in keyed]


def allocate(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """Share a sample among strata by the square root of their sizes.

    Between equal shares, which serve the figures of each stratum, and proportional ones, which
    serve the figure of all. Source: power allocation, Bankier, "Power allocations: determining
    sample sizes for subnational areas", 1988. Rounded by highest quotients (Webster), so that no
    stratum gets fewer when the sample grows.

    Args:
        sizes: how many elements each stratum has.
        count: elements wanted in all.

    Returns:
        how many to draw from each stratum, `LEAST` or all of it at least.

    Raises:
        UsageError: `count` is too small for so many strata.
    """
    shares = {name: min(LEAST, size) for name, size in sizes.items()}
    if sum(shares.values()) > count and len(sizes) > 1:
        raise UsageError(
            f"{len(sizes):,} groups are too many for a sample of {count:,}",
            f"Draw {sum(shares.values()):,} or more, or choose another --by.",
        )
    if len(sizes) == 1:
        return {name: min(count, size) for name, size in sizes.items()}
    waiting = [(-_quotient(sizes[name], n), name) for name, n in shares.items() if n < sizes[name]]
    heapq.heapify(waiting)
    for _ in range(count - sum(shares.values())):
        if not waiting:
            break
        _, name = heapq.heappop(waiting)
        shares[name] += 1
        if shares[name] < sizes[name]:
            heapq.heappush(waiting, (-_quotient(sizes[name], shares[name]), name))
    return shares


def _quotient(size: int, given: int) -> float:
    return float(np.sqrt(size)) / (given + 0.5)


def doubtful_and_surest(p_male: Sequence[float], labels: Sequence[int | None]) -> list[int]:
    """Order faces for correcting: the most doubtful and the surest by turns.

    Of the surest, those that contradict their label come first.

    Args:
        p_male: probability of male of each face.
        labels: 0 = female, 1 = male, None where a face has no label.

    Returns:
        the numbers of all faces, each once.
    """
    male = np.asarray(p_male, np.float64)
    sure = np.abs(male - 0.5)
    contradicts = np.array(
        [
            label is not None and label != int(p >= 0.5)
            for label, p in zip(labels, male, strict=True)
        ],
        bool,
    )
    doubtful = np.argsort(sure, kind="stable").tolist()
    surest = np.lexsort((-sure, ~contradicts)).tolist()
    order = dict.fromkeys(face for pair in zip(doubtful, surest, strict=True) for face in pair)
    return list(order)
