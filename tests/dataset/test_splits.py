from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.dataset.splits import split_by_group, split_like_article, unite_groups
from facegender.errors import DataError, UsageError


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_groups_stay_together_shares_hold_and_equal_seeds_are_equal(data):
    women = data.draw(st.lists(st.integers(1, 9), min_size=12, max_size=40))
    men = data.draw(st.lists(st.integers(1, 9), min_size=12, max_size=40))
    seed = data.draw(st.integers(0, 99))
    labels, groups = [], []
    for label, sizes in enumerate((women, men)):
        for size in sizes:
            groups += [len(set(groups))] * size
            labels += [label] * size
    splits = split_by_group(labels, groups, val=0.15, test=0.25, seed=seed)
    assert splits == split_by_group(labels, groups, val=0.15, test=0.25, seed=seed)
    where = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        where[group].add(split)
    assert all(len(found) == 1 for found in where.values())
    for label, sizes in enumerate((women, men)):
        counts = Counter(s for s, own in zip(splits, labels, strict=True) if own == label)
        for split, share in (("val", 0.15), ("test", 0.25), ("train", 0.6)):
            assert counts[split] > 0
            assert abs(counts[split] - share * sum(sizes)) <= 9 + 1e-9


def test_another_seed_is_another_split():
    labels, groups = [0] * 50 + [1] * 50, list(range(100))
    one, two = (split_by_group(labels, groups, val=0.2, test=0.2, seed=s) for s in (1, 2))
    assert one != two


@pytest.mark.parametrize(("val", "test"), [(0.5, 0.5), (-0.1, 0.2), (0, 1)])
def test_fractions_that_leave_nothing_are_refused(val, test):
    with pytest.raises(UsageError):
        split_by_group([0, 1], [0, 1], val=val, test=test, seed=0)


def test_too_few_persons_are_refused():
    with pytest.raises(DataError, match="only 2 separate persons or photos of the label female"):
        split_by_group([0, 0, 1, 1, 1], [0, 1, 2, 3, 4], val=0.1, test=0.2, seed=0)


def test_a_share_of_zero_leaves_its_split_out():
    splits = split_by_group([0] * 9 + [1] * 9, list(range(18)), val=0.0, test=0.3, seed=0)
    assert set(splits) == {"train", "test"}


def test_the_articles_split_has_its_sizes_and_its_rows():
    from sklearn.model_selection import train_test_split
    from sklearn.utils import shuffle

    splits = split_like_article(7999)
    assert Counter(splits) == {"train": 6399, "test": 1600}
    # The article shuffled photos and labels together, then split both.
    names, labels = np.arange(7999), np.arange(7999) >= 4309
    names, labels = shuffle(names, labels, random_state=55)
    _, test_names, _, _ = train_test_split(names, labels, test_size=0.2, random_state=57)
    assert {i for i, split in enumerate(splits) if split == "test"} == set(test_names.tolist())


def test_copies_in_two_splits_go_to_the_held_out_one():
    splits, moved = unite_groups(["train", "val", "train", "test", "val"], [0, 0, 1, 2, 2])
    assert splits == ["val", "val", "train", "test", "test"]
    assert moved == 2


GROUPS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=1, max_size=40)


def plainly_split(labels, groups, shares, seed):
    """The rule of `split_by_group`, group by group."""
    rows_of = {}
    for row, group in enumerate(groups):
        rows_of.setdefault(group, []).append(row)
    random, result = np.random.default_rng(seed), [""] * len(labels)
    for label in (0, 1):
        own = [
            rows
            for rows in rows_of.values()
            if Counter(labels[row] for row in rows).most_common(1)[0][0] == label
        ]
        wanted, own = list(shares), [own[i] for i in random.permutation(len(own))]
        total, filled = sum(map(len, own)), dict.fromkeys(shares, 0)
        for left, rows in zip(range(len(own), 0, -1), own, strict=True):
            empty = [name for name in wanted if not filled[name]]
            choice = empty if left <= len(empty) else wanted
            split = max(choice, key=lambda name: shares[name] * total - filled[name])
            filled[split] += len(rows)
            for row in rows:
                result[row] = split
    return result


@settings(deadline=None)
@given(GROUPS, st.integers(0, 3))
def test_groups_are_dealt_by_the_plain_rule(rows, seed):
    labels = [0, 0, 0, 1, 1, 1, *(row[0] for row in rows)]
    groups = [90, 91, 92, 93, 94, 95, *(row[1] for row in rows)]
    shares = {"train": 1 - 0.2 - 0.3, "val": 0.2, "test": 0.3}
    found = split_by_group(labels, groups, val=0.2, test=0.3, seed=seed)
    assert found == plainly_split(labels, groups, shares, seed)
