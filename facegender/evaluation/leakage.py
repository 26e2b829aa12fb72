"""Finding photos and persons that are in both the evaluated and the training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from facegender.dataset.near_copies import exact_copies, hash_all, near_copies
from facegender.dataset.samples import Samples


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
    found = hash_all(
        chain(judged.paths, trained.paths),
        total,
        workers=workers,
        on_progress=on_progress and partial(_report, on_progress, total),
    )
    ours, theirs = found[: len(judged)], found[len(judged) :]
    exact = exact_copies(ours, theirs)
    near = {row: other for row, other in near_copies(ours, theirs).items() if row not in exact}
    return Leakage(
        trained=len(trained),
        exact=[(judged.paths[row], trained.paths[other]) for row, other in exact.items()],
        near=[(judged.paths[row], trained.paths[other]) for row, other in near.items()],
        persons=sorted((set(judged.persons) & set(trained.persons)) - {""}),
    )


def _report(on_progress: Callable[[int, int], None], total: int, done: int) -> None:
    on_progress(done, total)
