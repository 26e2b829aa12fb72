import csv
import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from facegender.dataset.prepare import prepare
from facegender.dataset.settings import PrepareSettings
from facegender.dataset.sidecar import read_sidecar
from facegender.dataset.table import read_table
from facegender.errors import DataError, UsageError
from tests.conftest import encoded, make_tree, pattern


def content_of(root):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()}


def test_nobody_is_in_two_splits_and_no_photo_is_touched(in_tmp):
    root = make_tree(in_tmp / "photos", persons=8, photos=3)
    before = content_of(root)
    result = prepare(root, Path("faces.csv"), PrepareSettings(val=0.2, test=0.2))
    assert content_of(root) == before
    samples = read_table(Path("faces.csv"))
    assert len(samples) == 48
    where = {}
    for person, split in zip(samples.persons, samples.splits, strict=True):
        assert where.setdefault(person, split) == split
    assert set(where.values()) == {"train", "val", "test"}
    assert result.method == "person"
    assert json.loads(json.dumps(result.to_json()))["persons"] == 16
    assert (
        Path("faces.csv").read_text().splitlines()[1].startswith("photos/female/female-0/0.jpg,0,")
    )


def test_rejects_are_listed_with_their_reason(in_tmp):
    root = make_tree(in_tmp / "photos")
    bad = {
        "female/female-0/empty.jpg": (b"", "empty"),
        "female/female-0/text.jpg": (b"hello", "not a photo"),
        "male/male-1/cut.jpg": (encoded(pattern(1, 9, (300, 300)))[:3000], "truncated"),
        "male/male-1/tiny.png": (encoded(pattern(1, 9, (10, 300)), "PNG"), "too small"),
        "male/male-1/newline\nname é.jpg": (b"x", "not a photo"),
    }
    for name, (data, _) in bad.items():
        (root / name).write_bytes(data)
    result = prepare(root, Path("faces.csv"))
    assert len(result.samples) == 36
    with Path("faces.rejected.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert rows == {f"photos/{name}": reason for name, (_, reason) in bad.items()}


def copy(root, source, target):
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    (root / target).write_bytes((root / source).read_bytes())


def test_copies_stay_in_one_split_and_can_be_dropped(in_tmp):
    root = make_tree(in_tmp / "photos", persons=8)
    copy(root, "female/female-0/0.jpg", "female/female-7/copy.jpg")
    result = prepare(root, Path("faces.csv"))
    assert result.copies == 1
    split = dict(zip(result.samples.persons, result.samples.splits, strict=True))
    assert split["female-0"] == split["female-7"]
    dropped = prepare(root, Path("faces.csv"), PrepareSettings(drop_duplicates=True))
    assert dropped.dropped == {"duplicate": 1}
    assert len(dropped.samples) == 48


def test_content_and_persons_under_both_genders_are_reported_and_can_be_dropped(in_tmp):
    root = make_tree(in_tmp / "photos", persons=8)
    copy(root, "female/female-0/0.jpg", "male/male-3/same.jpg")
    copy(root, "male/male-5/1.jpg", "male/female-2/him.jpg")
    result = prepare(root, Path("faces.csv"))
    assert result.content_conflicts == 2
    assert result.person_conflicts == 4
    kept = prepare(root, Path("faces.csv"), PrepareSettings(drop_conflicts=True))
    assert sum(kept.dropped.values()) == 6
    assert "female-2" not in kept.samples.persons


def test_photos_of_another_table_are_left_out_and_what_looks_like_them(in_tmp):
    root = make_tree(in_tmp / "photos", persons=8)
    for name in ("held/female/a.jpg", "held/male/b.jpg"):
        (in_tmp / name).parent.mkdir(parents=True)
    copy(root, "female/female-0/0.jpg", "../held/female/a.jpg")
    with Image.open(root / "male/male-3/1.jpg") as image:
        image.save(in_tmp / "held/male/b.jpg", quality=70)  # other bytes
    prepare(Path("held"), Path("held.csv"), PrepareSettings(split="photo", val=0, test=0))
    whole = prepare(root, Path("faces.csv"))
    apart = prepare(root, Path("apart.csv"), PrepareSettings(apart_from="held.csv"))
    assert apart.dropped == {"also in the other table": 2}
    left = set(whole.samples.paths) - set(apart.samples.paths)
    assert {Path(path).relative_to(root).as_posix() for path in left} == {
        "female/female-0/0.jpg",
        "male/male-3/1.jpg",
    }
    with pytest.raises(DataError, match="every photo is left out"):
        prepare(root, Path("none.csv"), PrepareSettings(apart_from="faces.csv"))


def test_splits_of_the_data_set_are_kept_and_leaks_are_moved(in_tmp):
    for split in ("train", "val"):
        for label, gender in enumerate(("female", "male")):
            folder = in_tmp / "photos" / split / gender
            folder.mkdir(parents=True)
            for i in range(4):
                seed = 1000 * label + 10 * (split == "val") + i
                (folder / f"{i}.jpg").write_bytes(encoded(pattern(label, seed)))
    copy(in_tmp / "photos", "val/male/0.jpg", "train/male/leak.jpg")
    result = prepare(Path("photos"), Path("faces.csv"))
    assert (result.method, result.moved) == ("folders", 1)
    assert len(result.samples.rows_of("val")) == 9
    alone = prepare(Path("photos"), Path("faces.csv"), PrepareSettings(drop_duplicates=True))
    assert len(alone.samples.rows_of("val")) == 8
    assert not any("leak" in path for path in alone.samples.paths)


def test_the_articles_split_is_in_list_order(in_tmp):
    from facegender.dataset.splits import split_like_article

    make_tree(in_tmp / "photos")
    result = prepare(Path("photos"), Path("faces.csv"), PrepareSettings(split="article"))
    samples = read_table(Path("faces.csv"))
    assert samples.labels.tolist() == sorted(samples.labels.tolist())
    assert samples.paths == sorted(samples.paths)
    assert samples.splits == split_like_article(36)
    assert not samples.rows_of("val")
    assert result.persons_in_two_splits > 0


def test_labels_from_a_file_and_attributes(in_tmp):
    make_tree(in_tmp / "photos", persons=5)
    paths = sorted(p.relative_to(in_tmp) for p in Path(in_tmp / "photos").rglob("*.jpg"))
    lines = [f"{p},{int('/male/' in str(p))}\n" for p in paths]
    Path("list.csv").write_text("".join(lines))
    rows = [
        f"{p},{'male' if '/male/' in str(p) else 'female'},{i % 90}\n" for i, p in enumerate(paths)
    ]
    Path("extra.csv").write_text("path,gender,age\n" + "".join(rows[:-1]))
    settings = PrepareSettings(labels="list.csv", attributes="extra.csv", split="photo")
    result = prepare(None, Path("faces.csv"), settings)
    assert result.without_attributes == 1
    samples = read_table(Path("faces.csv"))
    assert list(samples.attributes) == ["age"]
    assert samples.attributes["age"] == [*(str(i % 90) for i in range(len(paths) - 1)), ""]


def test_a_photo_that_is_listed_twice_gets_its_attributes_twice(in_tmp):
    make_tree(in_tmp / "photos", persons=4)
    paths = sorted(str(p.relative_to(in_tmp)) for p in Path(in_tmp / "photos").rglob("*.jpg"))
    again = [*paths, f"photos/../{paths[0]}", paths[0]]
    Path("list.csv").write_text("".join(f"{p},{int('/male/' in p)}\n" for p in again))
    Path("extra.csv").write_text(f"path,age,person\n{paths[0]},44,ann\n")
    settings = PrepareSettings(labels="list.csv", attributes="extra.csv", split="photo")
    result = prepare(None, Path("faces.csv"), settings)
    assert result.without_attributes == len(paths) - 1
    samples = read_table(Path("faces.csv"))
    named = [row for row, age in enumerate(samples.attributes["age"]) if age == "44"]
    assert named == [0, len(paths), len(paths) + 1]
    assert [samples.persons[row] for row in named] == ["ann"] * 3
    assert result.copies == 2


def test_long_deep_and_foreign_names(in_tmp):
    root = make_tree(in_tmp / "фото 写真", persons=4)
    deep = root / "female" / "Ünï cödé" / Path(*["d" * 200] * 10)
    deep.mkdir(parents=True)
    (deep / f"{'n' * 240}.jpg").write_bytes(encoded(pattern(0, 99_999)))
    result = prepare(Path("фото 写真"), Path("faces.csv"))
    samples = read_table(Path("faces.csv"))
    assert not result.rejected
    assert "Ünï cödé" in samples.persons
    assert all(Path(path).exists() for path in samples.paths)


def test_an_attribute_file_that_contradicts_the_labels_is_refused(in_tmp):
    make_tree(in_tmp / "photos")
    Path("extra.csv").write_text("path,gender\nphotos/male/male-0/0.jpg,female\n")
    with pytest.raises(DataError, match="gives gender 'female'"):
        prepare(Path("photos"), Path("faces.csv"), PrepareSettings(attributes="extra.csv"))
    assert not Path("faces.csv").exists()


def test_a_place_that_cannot_be_written_is_refused_before_the_work(in_tmp):
    make_tree(in_tmp / "photos")
    seen = []
    with pytest.raises(UsageError, match="there is no folder no"):
        prepare(Path("photos"), Path("no/faces.csv"), on_progress=lambda *_: seen.append(1))
    assert not seen


def test_the_sidecar_belongs_to_its_table_only(in_tmp):
    make_tree(in_tmp / "photos")
    result = prepare(Path("photos"), Path("faces.csv"))
    sidecar = read_sidecar(Path("faces.csv"))
    assert sidecar.sizes.tolist() == [Path(path).stat().st_size for path in result.samples.paths]
    assert sidecar.crop is None
    Path("faces.csv").write_text(Path("faces.csv").read_text() + "\n")
    assert read_sidecar(Path("faces.csv")) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"val": 0.6, "test": 0.5},
        {"val": float("nan")},
        {"test": float("nan")},
        {"split": "sideways"},
        {"split": "folders"},
    ],
)
def test_wrong_options_are_refused(in_tmp, settings):
    make_tree(in_tmp / "photos")
    with pytest.raises(UsageError):
        prepare(Path("photos"), Path("faces.csv"), PrepareSettings(**settings))
    assert not Path("faces.csv").exists()


def test_a_table_that_excel_saved_is_read_and_its_encoding_named(in_tmp):
    rows = ["path;label"]
    for label, name in enumerate(("anna", "jörg")):
        for i in range(6):
            path = in_tmp / "mx" / f"{name}_{i}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(encoded(pattern(label, 50 * label + i)))
            rows.append(f"mx\\{path.name};{label}")
    (in_tmp / "mix.csv").write_bytes("\r\n".join(rows).encode("cp1252"))
    found = prepare(None, "faces.csv", PrepareSettings(labels="mix.csv"), workers=1)
    assert len(found.samples) == 12
    assert found.encodings == {"mix.csv": "cp1252"}
    assert read_table(in_tmp / "faces.csv").labels.sum() == 6


def test_labels_that_stand_the_other_way_round_are_named(in_tmp):
    rows = ["path,gender"]
    for label in (0, 1):
        for i in range(6):
            path = in_tmp / f"{label}_{i}.jpg"
            path.write_bytes(encoded(pattern(label, 70 * label + i)))
            rows.append(f"{path.name},{1 - label}")  # 0 is male, as in UTKFace
    (in_tmp / "utk.csv").write_text("\n".join(rows))
    settings = PrepareSettings(labels="utk.csv", female="1", male="0")
    samples = prepare(None, "faces.csv", settings, workers=1).samples
    names = [Path(path).name.startswith("0_") for path in samples.paths]
    assert [label == 0 for label in samples.labels] == names
    with pytest.raises(UsageError, match="two different labels"):
        prepare(None, "f.csv", PrepareSettings(labels="utk.csv", female="1"), workers=1)
