import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.archive.shards import (
    make_plan,
    names_of,
    read_manifest,
    refuse_other,
    write_manifest,
)
from facegender.archive.sources import Reader
from facegender.archive.store import LocalFolder
from facegender.errors import FaceGenderError, UsageError
from facegender.prediction.answer_parts import ARCHIVE

READER = Reader("/base")
NAMES = st.lists(st.binary(min_size=1, max_size=12).map(os.fsdecode), max_size=60)


def planned(names, size, there=(), reader=READER):
    stream = io.BytesIO()
    return make_plan(names, size, reader, there, stream), stream.getvalue()


class Memory:
    """A folder that holds a plan."""

    def __init__(self, plan):
        self.plan = plan

    def read_at(self, name, offset, length):
        return self.plan[offset : offset + length]


@given(NAMES, st.integers(1, 20))
def test_every_name_is_in_one_shard_in_order(names, size):
    plan, data = planned(iter(names), size)
    found = [names_of(shard, Memory(data), "plan") for shard in plan.missing]
    assert [name for part in found for name in part] == names
    assert all(len(part) == size for part in found[:-1])
    assert [shard.photos for shard in plan.missing] == list(map(len, found))
    assert (plan.photos, plan.shards) == (len(names), len(found))
    assert len({shard.name for shard in plan.missing}) == plan.shards
    assert sorted(shard.name for shard in plan.missing) == [shard.name for shard in plan.missing]


@given(NAMES, st.integers(1, 20), st.data())
def test_only_what_is_missing_is_planned(names, size, data):
    whole, _ = planned(names, size)
    all_names = [shard.name for shard in whole.missing]
    there = data.draw(st.sets(st.sampled_from(all_names))) if all_names else set()
    rest, text = planned(names, size, there)
    assert [shard.name for shard in rest.missing] == [n for n in all_names if n not in there]
    assert (rest.digest, rest.photos, rest.shards) == (whole.digest, whole.photos, whole.shards)
    starts = {shard.name: i * size for i, shard in enumerate(whole.missing)}
    for shard in rest.missing:
        expected = names[starts[shard.name] : starts[shard.name] + size]
        assert names_of(shard, Memory(text), "plan") == expected


def test_another_name_or_folder_makes_another_shard():
    names = [f"{i}.jpg" for i in range(10)]
    first, _ = planned(names, 5)
    second, _ = planned([*names[:9], "x.jpg"], 5)
    assert first.missing[0].name == second.missing[0].name
    assert first.missing[1].name != second.missing[1].name
    assert first.digest != second.digest
    elsewhere, _ = planned(names, 5, reader=Reader("/other"))
    assert elsewhere.digest != first.digest
    absolute, _ = planned([f"/base/{name}" for name in names], 5)
    assert absolute.digest == first.digest
    joined, _ = planned(["a.jpg", "b.jpg"], 5), planned(['a.jpg", "/base/b.jpg'], 5)
    assert joined[0].digest != planned(['a.jpg", "/base/b.jpg'], 5)[0].digest


def test_a_name_listed_twice_is_there_twice_as_in_the_plain_engine():
    plan, _ = planned(["a.jpg", "a.jpg"], 1)
    assert len({shard.name for shard in plan.missing}) == 2


def test_a_folder_with_other_files_is_refused(tmp_path):
    folder = LocalFolder(tmp_path)
    (tmp_path / ".lock").touch()
    assert read_manifest(folder) is None
    (tmp_path / "mine.parquet").touch()
    with pytest.raises(UsageError, match=r"other files, such as mine\.parquet"):
        read_manifest(folder)


def test_a_damaged_manifest_is_refused(tmp_path):
    folder = LocalFolder(tmp_path)
    for text in ("{", "[]", '{"schema": 2}'):
        (tmp_path / ARCHIVE).write_text(text)
        with pytest.raises(FaceGenderError, match="cannot be understood"):
            read_manifest(folder)


def test_answers_of_another_run_are_refused_by_name(tmp_path):
    folder = LocalFolder(tmp_path)
    facts = {"schema": 1, "fingerprint": "a", "threshold": 0.7, "photos": 9, "input": "x"}
    write_manifest(folder, facts | {"complete": True})
    there = read_manifest(folder)
    refuse_other(folder, there, facts)
    for change, message in (
        ({"fingerprint": "b"}, "another model: a there, b now"),
        ({"threshold": 0.8}, r"another threshold: 0\.7 there, 0\.8 now"),
        ({"photos": 10, "input": "y"}, "other photos: 9 there, 10 now"),
        ({"input": "y"}, "to 9 other photos"),
    ):
        with pytest.raises(UsageError, match=message):
            refuse_other(folder, there, facts | change)
