import os

import pytest

from facegender.dataset.folders import scan_folders
from facegender.errors import DataError, UsageError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return os.fspath(root)


def rows(listing, root):
    samples = listing.samples
    paths = [os.path.relpath(path, root) for path in samples.paths]
    return list(zip(paths, samples.labels.tolist(), samples.persons, samples.splits, strict=True))


@pytest.mark.parametrize(
    ("women", "men"),
    [("female", "male"), ("Women", "MEN"), ("woman", "man"), ("F", "m"), ("女", "男")],
)
def test_usual_names(tmp_path, women, men):
    root = touch(tmp_path, f"{women}/a.jpg", f"{men}/b.jpg")
    assert rows(scan_folders(root), root) == [
        (f"{women}/a.jpg", 0, "", ""),
        (f"{men}/b.jpg", 1, "", ""),
    ]


def test_persons_are_the_first_folder_inside(tmp_path):
    root = touch(tmp_path, "male/bob/1.jpg", "male/bob/deep/2.jpg", "female/ann/1.jpg")
    assert rows(scan_folders(root), root) == [
        ("female/ann/1.jpg", 0, "ann", ""),
        ("male/bob/1.jpg", 1, "bob", ""),
        ("male/bob/deep/2.jpg", 1, "bob", ""),
    ]


@pytest.mark.parametrize(
    "layout", ["{split}/{gender}", "{gender}/{split}", "deep/er/{split}/{gender}"]
)
def test_splits_of_the_data_set_are_kept(tmp_path, layout):
    names = [
        layout.format(split=split, gender=gender) + "/a.jpg"
        for split in ("train", "valid", "test")
        for gender in ("female", "male")
    ]
    root = touch(tmp_path, *names)
    found = {(label, split) for _, label, _, split in rows(scan_folders(root), root)}
    assert found == {(label, split) for label in (0, 1) for split in ("train", "val", "test")}


def test_other_names(tmp_path):
    root = touch(tmp_path, "Frauen/a.jpg", "Maenner/b.jpg")
    with pytest.raises(DataError, match=r"no gender folders.*Frauen/, Maenner/"):
        scan_folders(root)
    listing = scan_folders(root, female="frauen", male="Maenner")
    assert listing.samples.labels.tolist() == [0, 1]
    with pytest.raises(UsageError):
        scan_folders(root, female="Frauen")


def test_hidden_files_are_skipped_and_outside_ones_counted(tmp_path):
    root = touch(
        tmp_path,
        "female/a.jpg",
        "male/b.jpg",
        "male/.DS_Store",
        "male/Thumbs.db",
        "c.jpg",
        "x/d.jpg",
    )
    listing = scan_folders(root)
    assert len(listing.samples) == 2
    assert listing.outside == 2


def test_links_are_followed_and_loops_are_not(tmp_path):
    root = touch(tmp_path / "data", "female/a.jpg", "male/b.jpg")
    touch(tmp_path, "elsewhere/c.jpg")
    (tmp_path / "data/male/friend").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/male/loop").symlink_to(tmp_path / "data")
    (tmp_path / "data/male/self").symlink_to("self")
    found = rows(scan_folders(root), root)
    assert ("male/friend/c.jpg", 1, "friend", "") in found
    assert ("male/self", 1, "", "") in found  # no folder: the check of photos will reject it
    assert len(found) == 4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["female/a.jpg"], "no photos of the label male"),
        (["female/a.jpg", "male/.hidden"], "no photos of the label male"),
        (["a.jpg", "b.jpg"], "no folders and 2 files"),
        (["train/female/a.jpg", "train/male/b.jpg", "female/c.jpg"], "some are not"),
    ],
)
def test_trees_of_another_kind_are_refused(tmp_path, names, message):
    with pytest.raises(DataError, match=message) as caught:
        scan_folders(touch(tmp_path, *names))
    assert caught.value.hint


def test_no_such_folder():
    with pytest.raises(DataError, match="no such folder"):
        scan_folders("/nonexistent")


def test_folders_of_systems_hold_no_persons_and_other_files_are_counted(tmp_path):
    root = touch(
        tmp_path,
        *("female/a.jpg", "female/@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "male/b.jpg"),
        *("male/#recycle/old.jpg", "$RECYCLE.BIN/male/x.jpg", "male/a.jpg.json"),
        *("attributes.csv", "notes.txt"),
    )
    listing = scan_folders(root, own=[tmp_path / "attributes.csv"])
    assert [label for _, label, _, _ in rows(listing, root)] == [0, 1]
    assert set(listing.samples.persons) == {""}
    assert listing.others == 1
    assert listing.outside == 1, "notes.txt, but not the table that the command was given"
