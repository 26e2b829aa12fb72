"""The recalls that a model's card records, for each group of people that it was judged on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from facegender.evaluation.prevalence import Ends
from facegender.labels import LABELS

Recalls = tuple[Ends, Ends]


def recorded_recalls(manifest: Mapping[str, Any]) -> list[Recalls]:
    """Return the intervals of the recall of women and of men, a pair a group.

    Groups that were too small to judge are left out; without groups the recalls over all photos
    are returned, and nothing where the model was never judged with `eval --record`.

    Args:
        manifest: of a bundle.
    """
    found: list[Recalls] = []
    whole: list[Recalls] = []
    for evaluation in manifest.get("evaluations", []):
        whole += _pair(evaluation["metrics"], evaluation["metrics"])
        for by, groups in evaluation.get("groups", {}).items():
            for women, men in _pairs(by, groups):
                if not (women.get("too_small") or men.get("too_small")):
                    found += _pair(women, men)
    return found or whole


def _pairs(by: str, groups: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Where the gender is part of the grouping, the two halves of a group belong together."""
    names = [name.strip() for name in by.split(",")]
    if "gender" not in names:
        yield from ((group, group) for group in groups.values())
        return
    place = names.index("gender")
    halves: dict[tuple[str, ...], dict[str, Any]] = {}
    for value, group in groups.items():
        parts = [part.strip() for part in value.split(",")]
        if len(parts) == len(names):
            rest = (*parts[:place], *parts[place + 1 :])
            halves.setdefault(rest, {})[parts[place]] = group
    for half in halves.values():
        if all(name in half for name in LABELS):
            yield half[LABELS[0]], half[LABELS[1]]


def _pair(women: Mapping[str, Any], men: Mapping[str, Any]) -> list[Recalls]:
    ends = [
        (one[f"recall_{name}"].get("low"), one[f"recall_{name}"].get("high"))
        for one, name in zip((women, men), LABELS, strict=True)
        if one.get(f"recall_{name}")
    ]
    if len(ends) < len(LABELS) or any(end is None for pair in ends for end in pair):
        return []
    return [(ends[0], ends[1])]
