from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facegender.dataset import near_copies
from facegender.dataset.checks import MOST_ALIKE, find_conflicts
from facegender.dataset.near_copies import hash_photo, near_pairs
from facegender.dataset.prepare import prepare
from facegender.dataset.samples import Samples
from facegender.dataset.settings import PrepareSettings

BITS = st.lists(st.integers(0, 63), max_size=6)


def drawn_hashes(data, count):
    """Hashes of a few bases, some bits flipped."""
    bases = [0, 0x0F0F_F0F0_1234_5678, 2**64 - 1]
    found = np.zeros(count, near_copies._HASHES)
    for row in range(count):
        found["read"][row] = data.draw(st.booleans() | st.just(True))
        for name in ("phash", "dhash"):
            value = data.draw(st.sampled_from(bases))
            for bit in data.draw(BITS):
                value ^= 1 << bit
            found[name][row] = value
    return found


def are_near(one, two):
    return bool(
        one["read"]
        and two["read"]
        and int(one["phash"] ^ two["phash"]).bit_count() <= near_copies.NEAR_PHASH
        and int(one["dhash"] ^ two["dhash"]).bit_count() <= near_copies.NEAR_DHASH
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_near_copies_are_those_that_comparing_every_pair_finds(data):
    ours, theirs = (drawn_hashes(data, data.draw(st.integers(0, 6))) for _ in range(2))
    expected = {}
    for row, one in enumerate(ours):
        for other, two in enumerate(theirs):
            if are_near(one, two):
                expected.setdefault(row, other)
    with mock.patch.object(near_copies, "_AT_ONCE", 2):
        assert near_copies.near_copies(ours, theirs) == expected


def connected(count, pairs):
    """The rows that pairs connect, as sets."""
    groups = [{row} for row in range(count)]
    for one, other in pairs:
        joined = groups[one] | groups[other]
        for row in joined:
            groups[row] = joined
    return {frozenset(group) for group in groups}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_pairs_link_all_photos_that_look_the_same(data):
    hashes = drawn_hashes(data, data.draw(st.integers(0, 8)))
    every = [(i, j) for i in range(len(hashes)) for j in range(i) if are_near(hashes[i], hashes[j])]
    pairs = near_pairs(hashes).tolist()
    assert connected(len(hashes), pairs) == connected(len(hashes), every)
    assert all(are_near(hashes[one], hashes[other]) for one, other in pairs)


def test_a_photo_that_cannot_be_read_has_no_hashes(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    assert hash_photo(str(tmp_path / "bad.jpg")) is None


def noise(seed):
    """A picture that looks like no other."""
    grain = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), np.uint8)
    return Image.fromarray(grain).resize((90, 90), Image.Resampling.BICUBIC)


def tree(root, folders):
    """A tree of 12 different pictures a label, each with a smaller copy in another folder."""
    for label, first in (("female", 0), ("male", 100)):
        for number in range(12):
            one, other = (root / folder / label for folder in folders)
            for place in (one, other):
                place.mkdir(parents=True, exist_ok=True)
            picture = noise(first + number)
            picture.save(one / f"{number}.png")
            picture.resize((60, 60)).save(other / f"{number}_small.jpg", quality=80)
    return root


def test_near_copies_stay_in_one_split(tmp_path, in_tmp):
    result = prepare(
        tree(tmp_path / "photos", ["", ""]), "faces.csv", PrepareSettings(seed=1), workers=1
    )
    split_of = {}
    for path, split in zip(result.samples.paths, result.samples.splits, strict=True):
        key = path.removesuffix(".png").removesuffix("_small.jpg")
        assert split_of.setdefault(key, split) == split
    assert len(set(split_of.values())) == 3
    assert result.near_copies == []


def test_near_copies_in_the_splits_of_folders_are_named(tmp_path, in_tmp):
    result = prepare(tree(tmp_path / "photos", ["train", "test"]), "faces.csv", workers=1)
    assert result.moved == 0
    assert len(result.near_copies) == len(result.to_json()["near_copies"]) == 24
    for pair in result.near_copies:
        names = sorted(path.rpartition("/")[2] for path in pair)
        assert names[1] == names[0].replace(".png", "_small.jpg")


def test_many_that_look_alike_do_not_hold_each_other(in_tmp):
    for count, together in ((MOST_ALIKE, True), (MOST_ALIKE + 1, False)):
        samples = Samples(
            [f"{i}.jpg" for i in range(count)], np.zeros(count, np.int8), [""] * count, [""] * count
        )
        pairs = np.stack([np.arange(1, count), np.zeros(count - 1, np.intp)], axis=1)
        digests = [f"{i + 1:032x}" for i in range(count)]
        found = find_conflicts(samples, digests, near=pairs)
        assert (len(set(found.groups.tolist())) == 1) == together
        assert len(set(found.sure_groups.tolist())) == count
        assert len(found.near) == count - 1
