import json

import pytest

from facegender.runtime.generations import NOTE, sweep, write_generation


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_only_what_was_noted_and_is_still_that_is_swept(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    old = write_generation(tmp_path, {"d.txt": b"old"}, {})
    contents = {name: name.encode() for name in ("a.txt", "b.txt", "c.txt", "e.txt")}
    entries = write_generation(tmp_path, contents, {"d.txt": old["d.txt"]["sha256"]})
    assert {entry["name"] for entry in entries.values()} == {f"{c}.2.txt" for c in "abce"}
    (tmp_path / "b.2.txt").write_text("somebody's own by now")
    (tmp_path / "e.2.txt").rename(tmp_path / "moved")
    (tmp_path / "e.2.txt").symlink_to("moved")
    sweep(tmp_path, {"c.2.txt"})
    assert names(tmp_path) == {"a.txt", "b.2.txt", "c.2.txt", "e.2.txt", "moved"}


@pytest.mark.parametrize("note", ['{"../x": "0"}', "[1]", "cut {", '{"gone": "0"}'])
def test_a_strange_note_removes_nothing(tmp_path, note):
    folder = tmp_path / "m"
    folder.mkdir()
    (tmp_path / "x").write_text("outside")
    (folder / NOTE).write_text(note)
    if note.startswith('{"..'):
        from facegender.runtime.files import sha256_of

        (folder / NOTE).write_text(json.dumps({"../x": sha256_of(tmp_path / "x")}))
    sweep(folder, ())
    assert (tmp_path / "x").exists()
