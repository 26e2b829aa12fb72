"""Dividing samples into train, val and test without letting anyone into two of them."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from facegender.dataset.samples import SPLITS, Samples
from facegender.errors import DataError, UsageError
from facegender.labels import LABELS

METHODS = ("auto", "person", "photo", "folders", "article")
"""Ways to split: `auto` keeps the data set's own, else splits by person where known."""

_HELD_OUT_FIRST = {"test": 0, "val": 1, "train": 2, "": 3}


def choose_method(samples: Samples, wanted: str) -> str:
    """Return the method to use: `wanted`, or what `auto` means for these samples.

    Raises:
        UsageError: an unknown method, or one that these samples have no data for.
    """
    if wanted not in METHODS:
        raise UsageError(f"unknown split {wanted!r}", f"Choose one of {', '.join(METHODS)}.")
    own, persons = any(samples.splits), any(samples.persons)
    if wanted == "folders" and not all(samples.splits):
        raise UsageError("--split folders: not every photo has a split of its own", "Use auto.")
    if wanted == "person" and not persons:
        raise UsageError("--split person: no persons are known here", "Use --split photo.")
    if wanted != "auto":
        return wanted
    if own and not all(samples.splits):
        raise DataError(
            f"{sum(not s for s in samples.splits):,} photos have no split and the others do",
            "Give all of them one, or choose --split person or --split photo.",
        )
    return "folders" if own else "person" if persons else "photo"


def precedence(samples: Samples) -> list[int]:
    """Rows with held-out ones first: of copies in two splits, the held-out one counts."""
    return sorted(range(len(samples)), key=lambda row: (_HELD_OUT_FIRST[samples.splits[row]], row))


def split_by_group(
    labels: list[int], groups: list[int], *, val: float, test: float, seed: int
) -> list[str]:
    """Split rows so that a group is never divided, stratified by label.

    Groups are shuffled within the label that most of their rows have; each then goes to the split
    that is furthest below its share, so that the shares hold for photos, not for persons.

    Args:
        labels: 0 or 1 a row.
        groups: a number a row; equal numbers stay together.
        val, test: fractions of the rows wanted, 0 to 1.
        seed: of the shuffle.

    Returns:
        a split's name for each row.

    Raises:
        UsageError: fractions that leave nothing to train on.
        DataError: too few groups of a label to fill the splits asked for.
    """
    if not (val >= 0 and test >= 0 and val + test < 1):  # false for NaN too
        raise UsageError(f"--val {val:g} and --test {test:g} leave nothing to train on", "")
    shares = {"train": 1 - val - test, "val": val, "test": test}
    wanted = [name for name in SPLITS if shares[name] > 0]
    rows_of: defaultdict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        rows_of[group].append(row)
    random = np.random.default_rng(seed)
    result = [""] * len(labels)
    for label, name in enumerate(LABELS):
        own = [rows for rows in rows_of.values() if _majority(labels, rows) == label]
        if len(own) < len(wanted):
            raise DataError(
                f"only {len(own)} separate persons or photos of the label {name} to divide into "
                f"{', '.join(wanted)}",
                "Add photos, or set --val 0 or --test 0. What lies under both genders counts once: "
                "--drop-conflicts.",
            )
        _deal(result, [own[i] for i in random.permutation(len(own))], shares, wanted)
    return result


def _deal(
    result: list[str], groups: list[list[int]], shares: dict[str, float], wanted: list[str]
) -> None:
    """Give each group to the split furthest below its share; every split gets one."""
    total = sum(len(rows) for rows in groups)
    filled = dict.fromkeys(wanted, 0)
    for left, rows in zip(range(len(groups), 0, -1), groups, strict=True):
        empty = [name for name in wanted if not filled[name]]
        choice = empty if left <= len(empty) else wanted
        split = max(choice, key=lambda name: shares[name] * total - filled[name])
        filled[split] += len(rows)
        for row in rows:
            result[row] = split


def split_like_article(count: int) -> list[str]:
    """Repeat the 2015 article's split: no val rows, a fifth of the shuffled list is test.

    Rows must be in list order (female first, then male, by path). 7,999 rows give 6,399 and
    1,600. Source: the article's code, ``shuffle(random_state=55)`` and then
    ``train_test_split(test_size=0.2, random_state=57)``.
    """
    from sklearn.model_selection import train_test_split
    from sklearn.utils import shuffle

    rows = shuffle(np.arange(count), random_state=55)
    _, test = train_test_split(rows, test_size=0.2, random_state=57)
    result = np.full(count, "train", dtype=object)
    result[test] = "test"
    return [str(split) for split in result]


def unite_groups(splits: list[str], groups: list[int]) -> tuple[list[str], int]:
    """Move rows of a group that lies in several splits to the most held-out of them.

    Returns:
        the new splits, and how many rows moved.
    """
    best: dict[int, str] = {}
    for split, group in zip(splits, groups, strict=True):
        current = best.get(group, split)
        best[group] = min(current, split, key=_HELD_OUT_FIRST.__getitem__)
    united = [best[group] for group in groups]
    return united, sum(a != b for a, b in zip(splits, united, strict=True))


def _majority(labels: list[int], rows: list[int]) -> int:
    return Counter(labels[row] for row in rows).most_common(1)[0][0]
