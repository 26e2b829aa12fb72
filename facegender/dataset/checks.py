"""Decoding every photo, and finding copies and contradictions among the good ones."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from facegender.dataset.samples import Samples
from facegender.errors import PhotoError
from facegender.parallel import ordered_map
from facegender.photo import KILLED, MIN_SIDE, check_photo, read_bytes

CHUNK = 128
"""Photos sent to a process at once; a check takes a tenth of a millisecond."""


class Inspection(NamedTuple):
    """What one photo turned out to be; a tuple, since many cross from process to process.

    Attributes:
        reason: "" for a good photo, else one of `PhotoError.REASONS`, or where faces are
            cropped "no face" or "several faces".
        message: the sentence for people, "" for a good photo.
        width, height: upright size in pixels, 0 where rejected.
        size: file size in bytes.
        digest: BLAKE2b of the file's bytes, 32 hexadecimal digits; "" where it was not read.
    """

    reason: str = ""
    message: str = ""
    width: int = 0
    height: int = 0
    size: int = 0
    digest: str = ""


def inspect_photo(path: str, min_size: int = MIN_SIDE) -> Inspection:
    """Read and decode one photo; never raises for what is wrong with it."""
    try:
        data = read_bytes(path)
        facts = check_photo(data, min_size=min_size)
    except PhotoError as error:
        return Inspection(error.reason, error.message)
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return Inspection("", "", facts.width, facts.height, len(data), digest)


def inspection_of_killed(_item: object) -> Inspection:
    """What is said of a photo that killed the process that read it."""
    return Inspection("unreadable", KILLED)


def inspect_all(
    paths: list[str],
    *,
    min_size: int = MIN_SIDE,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Inspection]:
    """Inspect photos on all cores, in order; `on_progress` gets (done, total)."""
    results: list[Inspection] = []
    inspect = partial(inspect_photo, min_size=min_size)
    for inspection in ordered_map(
        inspect, paths, workers=workers, chunk=CHUNK, on_death=inspection_of_killed
    ):
        results.append(inspection)
        if on_progress is not None:
            on_progress(len(results), len(paths))
    return results


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Copies and contradictions, as rows.

    Attributes:
        copies: rows whose content an earlier row has.
        content: rows whose content lies under both genders.
        person: rows of persons that lie under both genders.
        groups: one number a row; rows that share a person or content share it.
        content_groups: the same for content alone.
    """

    copies: list[int]
    content: list[int]
    person: list[int]
    groups: list[int]
    content_groups: list[int]


def find_conflicts(
    samples: Samples, digests: list[str], order: list[int] | None = None
) -> Conflicts:
    """Find exact copies, and content or persons under both genders.

    Args:
        samples: the good photos.
        digests: content digest of each row.
        order: rows by precedence: of copies, the first in this order is no copy. Default: as is.
    """
    order = list(range(len(samples))) if order is None else order
    by_content = _gather(digests, order)
    by_person = _gather(samples.persons, order)
    return Conflicts(
        copies=sorted(row for rows in by_content for row in rows[1:]),
        content=sorted(row for rows in by_content if _mixed(samples, rows) for row in rows),
        person=sorted(row for rows in by_person if _mixed(samples, rows) for row in rows),
        groups=_components(len(samples), [*by_content, *by_person]),
        content_groups=_components(len(samples), by_content),
    )


def _gather(keys: Iterable[Hashable], order: list[int]) -> list[list[int]]:
    """Rows that share a key, for keys that more than one row has; empty keys are no key."""
    keys = list(keys)
    rows: defaultdict[Hashable, list[int]] = defaultdict(list)
    for row in order:
        if keys[row]:
            rows[keys[row]].append(row)
    return [group for group in rows.values() if len(group) > 1]


def _mixed(samples: Samples, rows: list[int]) -> bool:
    return len({int(samples.labels[row]) for row in rows}) > 1


def _components(count: int, links: list[list[int]]) -> list[int]:
    """Number the connected components of rows that the given lists of rows link."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for rows in links:
        for row in rows[1:]:
            parent[root(row)] = root(rows[0])
    return [root(row) for row in range(count)]
