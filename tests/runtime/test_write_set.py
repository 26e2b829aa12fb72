import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from facegender.errors import FaceGenderError
from facegender.runtime import write_set as module
from facegender.runtime.write_set import complete, current, write_set

HEAD = "head.json"


def write(folder, **texts):
    """Write a set whose head names its files."""
    with write_set(folder / HEAD) as new:
        for name, text in texts.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(text)
        digests = {
            name: {"sha256": hashlib.sha256(text.encode()).hexdigest()}
            for name, text in texts.items()
        }
        (new / HEAD).write_text(json.dumps({"files": digests}))


def read(folder):
    """What a reader takes for the set: the files that the head names."""
    head = folder / HEAD
    names = json.loads(current(head, head).read_text())["files"]
    return {name: current(folder / name, head).read_text() for name in names}


def files(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_older_files_go_and_those_of_the_user_stay(tmp_path):
    write(tmp_path, **{"a": "1", "sub/b": "2", "c": "3", "d": "4"})
    (tmp_path / "c").write_text("changed by the user")
    (tmp_path / "d").rename(tmp_path / "mine")
    (tmp_path / "d").symlink_to("mine")
    write(tmp_path, a="new")
    found = files(tmp_path)
    assert json.loads(found.pop(HEAD))["files"].keys() == {"a"}
    assert found == {"a": "new", "c": "changed by the user", "d": "4", "mine": "4"}
    assert not (tmp_path / "sub").exists()


@pytest.mark.parametrize("name", ["../outside", "sub/../../outside", "{absolute}"])
def test_a_head_that_names_files_elsewhere_removes_none(tmp_path, name):
    folder, outside = tmp_path / "m", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("mine")
    digest = hashlib.sha256(b"mine").hexdigest()
    names = {name.replace("{absolute}", str(outside)): {"sha256": digest}}
    (folder / HEAD).write_text(json.dumps({"files": names}))
    write(folder, a="1")
    assert outside.read_text() == "mine"


@pytest.mark.parametrize(
    "head", ["[1]", "cut {", '{"files": 3}', '{"files": {"a": 1}}', "[" * 9**4]
)
def test_a_strange_head_is_replaced(tmp_path, head):
    (tmp_path / HEAD).write_text(head)
    write(tmp_path, a="1")
    assert read(tmp_path) == {"a": "1"}


def test_a_failure_leaves_the_old_files(tmp_path):
    write(tmp_path, a="old", b="old")
    before = files(tmp_path)
    with pytest.raises(FaceGenderError, match="No space"), write_set(tmp_path / HEAD) as new:
        (new / "a").write_text("new")
        raise OSError(28, "No space left on device")
    assert files(tmp_path) == before


@pytest.mark.parametrize("moved", range(4))
def test_a_reader_finds_the_new_files_until_the_next_write_moves_them(tmp_path, monkeypatch, moved):
    """As after a kill: nothing runs that could clear up."""
    write(tmp_path, a="old", b="old", gone="old")
    replace, left = Path.replace, moved

    def stopping(path, target):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stopping)
    new = {"a": "new", "b": "new"}
    if moved < 3:
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, **new)
    else:
        write(tmp_path, **new)
    monkeypatch.undo()
    assert read(tmp_path) == new
    complete(tmp_path / HEAD)
    assert read(tmp_path) == new
    assert files(tmp_path).keys() == {"a", "b", HEAD}


def test_links_are_followed_and_permissions_kept(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "real").write_text("old")
    (tmp_path / "deep" / "real").chmod(0o640)
    (tmp_path / "a").symlink_to("deep/real")
    write(tmp_path, a="new")
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "deep" / "real").read_text() == "new"
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o640


def test_a_link_in_the_place_of_committed_files_is_not_followed(tmp_path):
    """It may come from an archive that somebody unpacked."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("mine")
    folder = tmp_path / "m"
    folder.mkdir()
    module._staging(folder / HEAD)[1].symlink_to(tmp_path / "photos")
    complete(folder / HEAD)
    assert (tmp_path / "photos" / "a.jpg").read_text() == "mine"


def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(FaceGenderError, match="cannot write"):
        write(tmp_path / "no", a="1")
