import os

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.dataset.paths import PathIndex, Paths

PART = st.text(st.characters(exclude_characters="\0"), max_size=8)  # lone surrogates too
PATHS = st.lists(st.builds("/".join, st.lists(PART, min_size=1, max_size=4)), max_size=12)


@settings(deadline=None)
@given(PATHS, st.data())
def test_paths_are_a_list(paths, data):
    ours, theirs = Paths(paths), list(paths)
    assert ours == theirs
    assert list(ours) == theirs
    if paths:
        rows = data.draw(st.lists(st.integers(0, len(paths) - 1)))
        taken = ours.take(rows)
        row, other = data.draw(st.integers(-len(paths), len(paths) - 1)), data.draw(PART)
        ours[row] = theirs[row] = other
        ours.insert(row, "in/side")
        theirs.insert(row, "in/side")
        assert ours == theirs
        assert ours[1:] == theirs[1:]
        del ours[0], theirs[0]
        assert ours == theirs
        assert taken == [paths[i] for i in rows]  # what was taken before is not changed


def test_a_million_paths_take_little_memory():
    folders = [f"/a/rather/long/folder/of/many/photos/person-{i:04}/" for i in range(100)]
    paths = Paths(f"{folders[i % 100]}photo-{i:06}.jpg" for i in range(10_000))
    size = sum(len(getattr(paths, name)) * 8 for name in ("_starts", "_ends"))
    size += len(paths._folder) * 4 + len(paths._names)
    assert size / len(paths) < 40
    assert len(paths._folders) == 100
    assert paths[4321] == "/a/rather/long/folder/of/many/photos/person-0021/photo-004321.jpg"


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "./a", "c/../b", "c/d", "c//d"]), max_size=10))
def test_rows_are_found_by_their_path(paths):
    index = PathIndex(paths, os.path.abspath)
    keys = [os.path.abspath(path) for path in paths]
    assert index.first.tolist() == [keys.index(key) for key in keys]
    for key in {*keys, os.path.abspath("nowhere")}:
        assert index.find(key) == (keys.index(key) if key in keys else None)


def test_paths_whose_hashes_collide_are_told_apart(monkeypatch):
    monkeypatch.setattr("facegender.dataset.paths.hash", lambda _text: 7, raising=False)
    index = PathIndex(["a", "b", "a", "c", "b"], str)
    np.testing.assert_array_equal(index.first, [0, 1, 0, 3, 1])
    assert [index.find(path) for path in "abcd"] == [0, 1, 3, None]
