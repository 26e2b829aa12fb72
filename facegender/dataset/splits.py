"""Dividing samples into train, val and test, with nobody in two of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facegender.choices import SplitMethod
from facegender.dataset.samples import SPLITS, Samples
from facegender.errors import DataError, UsageError
from facegender.labels import FEMALE, LABELS, MALE
from facegender.options import check_choice

_HELD_OUT_FIRST = {"test": 0, "val": 1, "train": 2, "": 3}


def choose_method(samples: Samples, wanted: str) -> str:
    """Return the method to use: `wanted`, or what `auto` means for these samples.

    Raises:
        UsageError: an unknown method, or one that these samples have no data for.
    """
    check_choice("--split", wanted, SplitMethod)
    own, persons = any(samples.splits), any(samples.persons)
    if wanted == SplitMethod.FOLDERS and not all(samples.splits):
        raise UsageError("--split folders: not every photo has a split of its own", "Use auto.")
    if wanted == SplitMethod.PERSON and not persons:
        raise UsageError("--split person: no persons are known here", "Use --split photo.")
    if wanted != SplitMethod.AUTO:
        return wanted
    if own and not all(samples.splits):
        raise DataError(
            f"{sum(not s for s in samples.splits):,} photos have no split and the others do",
            "Give all of them one, or choose --split person or --split photo.",
        )
    known = SplitMethod.PERSON if persons else SplitMethod.PHOTO
    return (SplitMethod.FOLDERS if own else known).value


def precedence(samples: Samples) -> NDArray[np.intp]:
    """Return the rows, held-out ones first: of copies in two splits the held-out one is kept."""
    return np.argsort(_ranks(samples.splits), kind="stable")


def split_by_group(
    labels: Sequence[int] | NDArray[np.int8],
    groups: Sequence[int] | NDArray[np.int64],
    *,
    val: float,
    test: float,
    seed: int,
) -> list[str]:
    """Split rows so that a group is never divided, stratified by label.

    Groups are shuffled within the majority label of their rows. Each is then assigned to the split
    that is furthest below its share, so that the shares refer to photos, not persons.

    Args:
        labels: 0 or 1 per row.
        groups: a number per row; equal numbers stay together.
        val, test: fractions of the rows, 0 to 1.
        seed: of the shuffle.

    Returns:
        a split's name for each row.

    Raises:
        UsageError: fractions that leave nothing to train on.
        DataError: too few groups of a label to fill the splits.
    """
    if not (val >= 0 and test >= 0 and val + test < 1):  # false for NaN too
        raise UsageError(f"--val {val:g} and --test {test:g} leave nothing to train on", "")
    shares = {"train": 1 - val - test, "val": val, "test": test}
    wanted = [name for name in SPLITS if shares[name] > 0]
    labels = np.asarray(labels, np.int8)
    group_of, first, sizes = _numbered(groups)
    majority = _majority(labels, group_of, first)
    random = np.random.default_rng(seed)
    dealt = np.zeros(len(sizes), np.int8)
    for label, name in enumerate(LABELS):
        own = np.flatnonzero(majority == label)
        if len(own) < len(wanted):
            raise DataError(
                f"only {len(own)} separate persons or photos of the label {name} to divide into "
                f"{', '.join(wanted)}",
                "Add photos, or set --val 0 or --test 0. What lies under both genders counts once: "
                "--drop-conflicts.",
            )
        _deal(dealt, sizes, own[random.permutation(len(own))], shares, wanted)
    return [SPLITS[split] for split in dealt[group_of]]


def _numbered(
    groups: Sequence[int] | NDArray[np.int64],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Number groups from 0 in order of appearance.

    Returns:
        the number of each row, and of each group its first row and how many rows it has.
    """
    _, first, inverse, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place[inverse], first[order], sizes[order]


def _majority(
    labels: NDArray[np.int8], group_of: NDArray[np.intp], first: NDArray[np.intp]
) -> NDArray[np.int8]:
    """Return the majority label of each group; in a tie, that of its first row."""
    males = np.bincount(group_of, labels == MALE)
    females = np.bincount(group_of, labels != MALE)
    return np.where(males == females, labels[first], np.where(males > females, MALE, FEMALE))


def _deal(
    dealt: NDArray[np.int8],
    sizes: NDArray[np.intp],
    groups: NDArray[np.intp],
    shares: dict[str, float],
    wanted: list[str],
) -> None:
    """Assign each group to the split furthest below its share; every split gets one."""
    total = int(sizes[groups].sum())
    filled = dict.fromkeys(wanted, 0)
    for left, group in zip(range(len(groups), 0, -1), groups, strict=True):
        empty = [name for name in wanted if not filled[name]]
        choice = empty if left <= len(empty) else wanted
        split = max(choice, key=lambda name: shares[name] * total - filled[name])
        filled[split] += int(sizes[group])
        dealt[group] = SPLITS.index(split)


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


def unite_groups(
    splits: Sequence[str], groups: Sequence[int] | NDArray[np.int64]
) -> tuple[list[str], int]:
    """Move the rows of a group in several splits to the most held-out one (test, then val).

    Returns:
        the new splits, and the number of moved rows.
    """
    ranks = _ranks(splits)
    group_of, first, _ = _numbered(groups)
    best = ranks[first]
    np.minimum.at(best, group_of, ranks)
    names = list(_HELD_OUT_FIRST)
    return [names[rank] for rank in best[group_of]], int((best[group_of] != ranks).sum())


def _ranks(splits: Sequence[str]) -> NDArray[np.int8]:
    """Return the rank of each row's split, the most held-out one first."""
    return np.fromiter((_HELD_OUT_FIRST[split] for split in splits), np.int8, len(splits))
