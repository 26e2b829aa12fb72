import os
import stat
import subprocess
import sys

import pytest

from facegender.errors import FaceGenderError
from facegender.runtime.files import (
    atomic_path,
    lock,
    lock_target,
    remove_leftovers,
    write_text,
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
    target = tmp_path / "a.txt"
    killed, left = start_writer(target)
    killed.kill()
    killed.wait()
    assert left.exists()
    living, in_use = start_writer(target)
    assert in_use == left, "a new writer takes the place of a killed one"
    strange = tmp_path / ".facegender-mine.tmp"
    strange.mkdir()
    write_text(target, "new")
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == {target, in_use, strange}
    assert in_use.read_text() == "half"
    living.kill()
    living.wait()
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == {target, strange}


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
