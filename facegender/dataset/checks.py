"""Decoding every photo, and finding duplicates and contradictory labels."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.digests import Digests
from facegender.dataset.samples import Samples
from facegender.errors import PhotoError
from facegender.images.decode import KILLED, MIN_SIDE, check_photo, read_bytes
from facegender.runtime.parallel import ordered_map

CHUNK = 128
"""Photos sent to a process at a time; checking one takes a tenth of a millisecond."""


class PhotoCheck(NamedTuple):
    """The result of checking a photo; a tuple, because many are sent between processes.

    Attributes:
        reason: "" for a usable photo, else one of `PhotoError.REASONS`, or "no face" or "several
            faces" if faces are cropped.
        message: the reason as a sentence, "" for a usable photo.
        width, height: upright size in pixels, 0 if rejected.
        size: file size in bytes.
        digest: BLAKE2b of the file's bytes, 32 hexadecimal digits; "" if it was not read.
    """

    reason: str = ""
    message: str = ""
    width: int = 0
    height: int = 0
    size: int = 0
    digest: str = ""


def inspect_photo(path: str, min_size: int = MIN_SIDE) -> PhotoCheck:
    """Read and decode a photo; problems with it are returned, not raised."""
    try:
        data = read_bytes(path)
        facts = check_photo(data, min_size=min_size)
    except PhotoError as error:
        return PhotoCheck(error.reason, error.message)
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return PhotoCheck("", "", facts.width, facts.height, len(data), digest)


def inspection_of_killed(_item: object) -> PhotoCheck:
    """Return the result for a photo that crashed the process that read it."""
    return PhotoCheck("unreadable", KILLED)


_ROW = np.dtype(
    [("why", "i4"), ("width", "i4"), ("height", "i4"), ("size", "i8"), ("digest", "u8", 2)]
)


class PhotoChecks(Sequence[PhotoCheck]):
    """The results of checking many photos, in 36 bytes each.

    Args:
        inspections: results in the order of the photos.
        count: number of photos.
    """

    def __init__(self, inspections: Iterable[PhotoCheck], count: int) -> None:
        self._rows = np.zeros(count, _ROW)
        self._reasons = [("", "")]  # the first is that of usable photos
        known = {("", ""): 0}
        for row, (reason, message, width, height, size, digest) in enumerate(inspections):
            why = known.setdefault((reason, message), len(self._reasons))
            if why == len(self._reasons):
                self._reasons.append((reason, message))
            (halves,) = Digests.of([digest]).halves
            self._rows[row] = why, width, height, size, halves

    @property
    def good(self) -> NDArray[np.intp]:
        """Rows of the usable photos."""
        return np.flatnonzero(self._rows["why"] == 0)

    @property
    def rejected(self) -> NDArray[np.intp]:
        """Rows of the rejected photos."""
        return np.flatnonzero(self._rows["why"])

    @property
    def sizes(self) -> NDArray[np.int64]:
        """File sizes in bytes."""
        return self._rows["size"]

    @property
    def digests(self) -> Digests:
        """Content digests; "" if the file was not read."""
        return Digests(self._rows["digest"])

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> PhotoChecks:
        """Return the given rows, in the given order."""
        taken = PhotoChecks((), 0)
        taken._rows, taken._reasons = self._rows[np.asarray(rows, np.intp)], self._reasons
        return taken

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> PhotoCheck: ...
    @overload
    def __getitem__(self, row: slice) -> PhotoChecks: ...
    def __getitem__(self, row: int | slice) -> PhotoCheck | PhotoChecks:
        if isinstance(row, slice):
            return self.take(range(len(self))[row])
        why, width, height, size, _ = self._rows[row].tolist()
        reason, message = self._reasons[why]
        return PhotoCheck(reason, message, width, height, size, self.digests[row])


def inspect_all(
    paths: Sequence[str],
    *,
    min_size: int = MIN_SIDE,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> PhotoChecks:
    """Check photos on all cores, in order; `on_progress` gets (done, total)."""
    inspect = partial(inspect_photo, min_size=min_size)
    found = ordered_map(inspect, paths, workers=workers, chunk=CHUNK, on_death=inspection_of_killed)
    return PhotoChecks(counted(found, len(paths), on_progress), len(paths))


def counted(
    found: Iterable[PhotoCheck], total: int, on_progress: Callable[[int, int], None] | None
) -> Iterator[PhotoCheck]:
    """Yield the items, and report each to `on_progress`."""
    for done, inspection in enumerate(found, start=1):
        yield inspection
        if on_progress is not None:
            on_progress(done, total)


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Duplicates and contradictory labels, as rows.

    Attributes:
        copies: rows with the same content as an earlier row.
        content: rows whose content is under both genders.
        person: rows of persons who are under both genders.
        groups: one number per row; rows with a common person or content, or that
            look the same, have the same number.
        content_groups: the same without persons.
        sure_groups: as `groups`, without the near copies.
        near: pairs of rows that look the same, but have different content.
    """

    copies: NDArray[np.intp]
    content: NDArray[np.intp]
    person: NDArray[np.intp]
    groups: NDArray[np.int64]
    content_groups: NDArray[np.int64]
    sure_groups: NDArray[np.int64]
    near: NDArray[np.intp]


def find_conflicts(
    samples: Samples,
    digests: Sequence[str],
    order: NDArray[np.intp] | None = None,
    together: Sequence[str] | None = None,
    near: NDArray[np.intp] | None = None,
) -> Conflicts:
    """Find exact copies, and content or persons under both genders.

    Args:
        samples: the usable photos.
        digests: content digest of each row.
        order: rows by precedence: the first of several copies is the original. Default: as is.
        together: rows with the same name must stay together, such as the faces of a photo.
        near: pairs of rows that look the same; those of many alike do not hold them together.
    """
    order = np.arange(len(samples)) if order is None else order
    content = _Shared.of(Digests.of(digests).numbers(), order)
    person = _Shared.of(_numbered(samples.persons), order)
    links = [content] if together is None else [content, _Shared.of(_numbered(together), order)]
    numbers = Digests.of(digests).numbers()
    near = np.zeros((0, 2), np.intp) if near is None else near
    near = near[numbers[near[:, 0]] != numbers[near[:, 1]]]
    sure = _components(len(samples), [*links, person])
    links.append(_few_alike(len(samples), near))
    return Conflicts(
        copies=np.sort(content.rows[content.rows != content.first]),
        content=content.mixed(samples.labels),
        person=person.mixed(samples.labels),
        groups=_components(len(samples), [*links, person]),
        content_groups=_components(len(samples), links),
        sure_groups=sure,
        near=near,
    )


MOST_ALIKE: Final = 20
"""Of more photos than these that look the same, few show the same: plain pictures look alike."""


def _few_alike(count: int, near: NDArray[np.intp]) -> _Shared:
    """Link near copies, but not those of a large group."""
    groups = _components(count, [_Shared(near[:, 0], near[:, 1])])
    few = np.bincount(groups, minlength=count)[groups[near[:, 0]]] <= MOST_ALIKE
    return _Shared(near[few, 0], near[few, 1])


class _Shared(NamedTuple):
    """Rows with the same value as another row.

    Attributes:
        rows: these rows, sorted so that equal values are adjacent.
        first: for each of them, the first row by precedence with this value.
    """

    rows: NDArray[np.intp]
    first: NDArray[np.intp]

    @classmethod
    def of(cls, numbers: NDArray[np.int64], order: NDArray[np.intp]) -> _Shared:
        """Return the rows with equal numbers; negative numbers are ignored."""
        several = np.bincount(numbers[numbers >= 0], minlength=1) > 1
        rows = order[numbers[order] >= 0]
        rows = rows[several[numbers[rows]]]
        rows = rows[np.argsort(numbers[rows], kind="stable")]
        begins = np.diff(numbers[rows], prepend=-1) != 0
        return cls(rows, rows[begins][np.cumsum(begins) - 1])

    def mixed(self, labels: NDArray[np.int8]) -> NDArray[np.intp]:
        """Return the sorted rows whose value occurs with both labels."""
        other = labels[self.rows] != labels[self.first]
        both = np.isin(self.first, self.first[other])
        return np.sort(self.rows[both])


def _numbered(words: Iterable[str]) -> NDArray[np.int64]:
    """Number distinct words from 0, and empty ones -1."""
    known: dict[str, int] = {}
    return np.fromiter(
        (known.setdefault(word, len(known)) if word else -1 for word in words), np.int64
    )


def _components(count: int, links: list[_Shared]) -> NDArray[np.int64]:
    """Number the connected components of rows linked by shared values."""
    parent = array("q", range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for shared in links:
        for row, first in zip(shared.rows, shared.first, strict=True):
            parent[root(int(row))] = root(int(first))
    return np.fromiter(map(root, range(count)), np.int64, count)
