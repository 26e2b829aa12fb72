import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from facegender.errors import FaceGenderError
from facegender.runtime.files import (
    atomic_folder,
    atomic_path,
    lock,
    lock_target,
    remove_leftovers,
    write_text,
    write_together,
)


def test_a_failed_write_leaves_the_old_file_and_no_leftovers(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    class Boom(Exception):
        pass

    with pytest.raises(Boom), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise Boom
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_keeps_permissions_and_follows_links(tmp_path):
    target, link = tmp_path / "a.txt", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_new_file_gets_the_usual_permissions(tmp_path):
    mask = os.umask(0o022)
    try:
        write_text(tmp_path / "new", "x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o644


def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(FaceGenderError, match="cannot write"):
        write_text(tmp_path / "no" / "a.txt", "x")


def test_a_device_is_written_in_place():
    write_text(__import__("pathlib").Path("/dev/null"), "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_lock_refuses_a_second_process_and_dies_with_its_holder(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from facegender.runtime.files import lock\n"
        "with lock(Path(sys.argv[1]), 'train'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline().strip() == b"held"
    with pytest.raises(FaceGenderError, match="in use by another train"), lock(tmp_path, "train"):
        pass
    holder.kill()
    holder.wait()
    with lock(tmp_path, "train"):
        pass


WRITER = """
import sys, time; from pathlib import Path; from facegender.runtime.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half"); print(temporary.name, flush=True); time.sleep(60)
"""


def start_writer(target):
    """A process that is in the middle of a write, and the name of its temporary file."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, target], stdout=subprocess.PIPE)
    return process, target.with_name(process.stdout.readline().decode().strip())


def test_the_next_write_removes_what_a_killed_one_left_and_nothing_that_is_in_use(tmp_path):
    target, other = tmp_path / "a.txt", tmp_path / "b.txt"
    killed = [start_writer(target) for _ in range(3)]
    living, in_use = start_writer(target)
    elsewhere, of_another = start_writer(other)
    strange = tmp_path / ".facegender-mine.tmp"
    strange.mkdir()
    for process in (elsewhere, *(process for process, _ in killed)):
        process.kill()
        process.wait()
    assert len({temporary for _, temporary in killed} | {in_use, of_another}) == 5
    write_text(target, "new")
    assert set(tmp_path.iterdir()) == {target, in_use, of_another, strange}
    assert in_use.read_text() == "half"
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == {target, in_use, strange}
    living.kill()
    living.wait()
    write_text(target, "newer")
    assert set(tmp_path.iterdir()) == {target, strange}
    assert target.read_text() == "newer"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_temporary_file_of_another_user_is_left_alone(tmp_path):
    process, theirs = start_writer(tmp_path / "a.txt")
    process.kill()
    process.wait()
    os.chown(theirs, 12345, 12345)
    write_text(tmp_path / "a.txt", "new")
    assert theirs.exists()
    assert (tmp_path / "a.txt").read_text() == "new"


def test_many_writers_of_one_file_never_mix(tmp_path):
    code = (
        "import sys; from pathlib import Path; from facegender.runtime.files import write_text\n"
        "for i in range(60): write_text(Path(sys.argv[1]), sys.argv[2] * 20000)"
    )
    target = tmp_path / "a.txt"
    writers = [subprocess.Popen([sys.executable, "-c", code, target, c]) for c in "abc"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if target.exists():
            text = target.read_text()
            assert text == text[0] * 20000
            seen.add(text[0])
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(seen) > 1
    assert list(tmp_path.iterdir()) == [target]


def test_files_that_belong_together_are_all_staged_before_the_first_is_replaced(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(FaceGenderError, match="cannot write"):
        write_together([(tmp_path / "a", b"new"), (tmp_path / "no" / "b", b"new")])
    assert (tmp_path / "a").read_text() == "old"
    write_together([(tmp_path / "a", b"1"), (tmp_path / "b", b"2"), (tmp_path / "a", b"3")])
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "3", "b": "2"}


def test_a_locked_target_leaves_no_lock_behind(tmp_path):
    target = tmp_path / "faces.csv"
    (tmp_path / "link.csv").symlink_to("faces.csv")
    with lock_target(target, "prepare"):
        for same in (target, tmp_path / "link.csv"):
            with (
                pytest.raises(FaceGenderError, match="another prepare"),
                lock_target(same, "prepare"),
            ):
                pass
    assert [p.name for p in tmp_path.iterdir()] == ["link.csv"]


def free(_folder):
    """Anything may be replaced."""


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a"
    with atomic_folder(target, free) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "x").write_text("1")
        assert not target.exists()
    assert (target / "inner" / "x").read_text() == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]

    with pytest.raises(ValueError), atomic_folder(target, free) as folder:
        (folder / "half").write_text("2")
        raise ValueError
    assert [p.name for p in target.iterdir()] == ["inner"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_folder_takes_the_place_of_an_older_one_and_follows_links(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "x").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "old")
    with atomic_folder(tmp_path / "link", free) as folder:
        (folder / "y").write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert [p.name for p in (tmp_path / "old").iterdir()] == ["y"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "old"]


def test_what_may_not_be_replaced_is_asked_before_and_after(tmp_path):
    target = tmp_path / "a"

    def only_new(folder):
        if folder.exists():
            raise FaceGenderError("in the way")

    with pytest.raises(FaceGenderError, match="in the way"), atomic_folder(target, only_new):
        target.mkdir()
        (target / "mine").write_text("came meanwhile")
    assert (target / "mine").read_text() == "came meanwhile"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_old_folder_comes_back_when_the_new_cannot_take_its_place(tmp_path, monkeypatch):
    target = tmp_path / "a"
    target.mkdir()
    (target / "x").write_text("old")
    rename = Path.rename

    def failing(self, to):
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(FaceGenderError, match="No space left"), atomic_folder(target, free):
        pass
    assert (target / "x").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    with (
        pytest.raises(FaceGenderError, match="cannot write"),
        atomic_folder(tmp_path / "no" / "a", free),
    ):
        pass
