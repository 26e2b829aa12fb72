import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.errors import DataError, FaceGenderError, UsageError
from facegender.prediction.answer_log import log_of, open_answers
from facegender.prediction.tally import Tally

FACTS = {"model": "abc", "threshold": 0.7}
NAMES = [f"{i}.jpg" for i in range(40)]


@pytest.fixture
def photos(in_tmp):
    for name in NAMES:
        Path(name).write_bytes(name.encode() * 3)
    return in_tmp


def answer(name):
    return f"answer to {name}\n"


def run(output, names=NAMES, *, resume=False, force=False, facts=FACTS, stop=None):
    """Answer what has no answer; raise before the photo `stop`. Returns what was answered."""
    done = []
    with open_answers(output, facts, "head\n", resume=resume, force=force) as log:
        for name in names:
            if log.is_answered(name):
                continue
            if name == stop:
                raise KeyboardInterrupt
            log.add(name, answer(name), Tally(1, women=1))
            done.append(name)
    return done


WHOLE = "head\n" + "".join(map(answer, NAMES))


def test_a_stopped_run_goes_on_where_it_was(photos):
    out = Path("out.txt")
    with pytest.raises(KeyboardInterrupt):
        run(out, stop="25.jpg")
    assert out.read_text() == "head\n" + "".join(map(answer, NAMES[:25]))
    with pytest.raises(UsageError, match="25 answers of an unfinished run"):
        run(out)
    assert run(out, resume=True) == NAMES[25:]
    assert out.read_text() == WHOLE
    assert run(out, resume=True) == []  # a finished run is reused
    assert run(out) == NAMES  # and a new one may replace it
    assert out.read_text() == WHOLE


def test_more_photos_are_answered_and_the_rest_reused(photos):
    out = Path("out.txt")
    run(out, NAMES[:30])
    assert run(out, NAMES, resume=True) == NAMES[30:]
    assert out.read_text() == WHOLE


def test_what_was_counted_before_is_known(photos):
    out = Path("out.txt")
    run(out, NAMES[:3])
    with open_answers(out, FACTS, "head\n", resume=True, force=False) as log:
        assert [(a.path, a.tally) for a in log.before] == [(n, Tally(1, 1)) for n in NAMES[:3]]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_a_kill_leaves_is_completed(tmp_path_factory, data):
    """Both files may end anywhere: the answers are written first, the log after them."""
    folder = tmp_path_factory.mktemp("kill")
    before = os.getcwd()
    os.chdir(folder)
    try:
        for name in NAMES:
            Path(name).write_bytes(name.encode() * 3)
        out = Path("out.txt")
        with pytest.raises(KeyboardInterrupt):
            run(out, stop="30.jpg")
        log = log_of(out)
        head = log.read_bytes().index(b"\n") + 1
        with log.open("r+b") as file:
            file.truncate(data.draw(st.integers(head, log.stat().st_size)))
        with out.open("r+b") as file:
            file.truncate(data.draw(st.integers(5, out.stat().st_size)))
        run(out, resume=True)
        assert out.read_text() == WHOLE
    finally:
        os.chdir(before)
        shutil.rmtree(folder)


def test_other_options_are_named(photos):
    out = Path("out.txt")
    run(out, NAMES[:3])
    with pytest.raises(UsageError, match="begun with --threshold 0.7, now with --threshold 0.9"):
        run(out, resume=True, facts=FACTS | {"threshold": 0.9})
    assert run(out, force=True, facts=FACTS | {"threshold": 0.9}) == NAMES


def test_a_photo_that_changed_is_named(photos):
    out = Path("out.txt")
    run(out)
    Path("7.jpg").write_bytes(b"another photo")
    with pytest.raises(DataError, match=r"7\.jpg changed since out\.txt was begun"):
        run(out, resume=True)


def test_a_file_without_a_log_is_not_touched(photos):
    out = Path("out.txt")
    out.write_text("somebody's")
    with pytest.raises(DataError, match="nothing tells how"):
        run(out, resume=True)
    assert out.read_text() == "somebody's"
    log_of(out).write_text("no log\n")
    with pytest.raises(DataError, match="damaged"):
        run(out, resume=True)
    assert out.read_text() == "somebody's"


@pytest.mark.parametrize("log", [b"", b'{"model": "ab'])
@pytest.mark.parametrize("answers", [b"", b"he", b"head\n"])
def test_a_run_that_could_not_begin_is_begun(photos, log, answers):
    """What a disk leaves that was full from the start."""
    out = Path("out.txt")
    out.write_bytes(answers)
    log_of(out).write_bytes(log)
    assert run(out, resume=True) == NAMES
    assert out.read_text() == WHOLE
    assert run(out, resume=True) == []


def test_answers_with_an_empty_log_are_not_touched(photos):
    out = Path("out.txt")
    out.write_text("head\nanswers")
    log_of(out).touch()
    with pytest.raises(DataError, match="nothing tells how") as caught:
        run(out, resume=True)
    assert "--force" in caught.value.hint and "is empty" in caught.value.hint
    assert out.read_text() == "head\nanswers"


def test_two_runs_do_not_mix(photos):
    with (
        open_answers(Path("out.txt"), FACTS, "", resume=False, force=False),
        pytest.raises(FaceGenderError, match="being written by another"),
        open_answers(Path("out.txt"), FACTS, "", resume=True, force=False),
    ):
        pass


def test_a_folder_that_is_not_there_is_said(in_tmp):
    with (
        pytest.raises(FaceGenderError, match="cannot write"),
        open_answers(Path("no/out.txt"), FACTS, "", resume=False, force=False),
    ):
        pass


def test_names_of_any_bytes(photos):
    odd = os.fsdecode(b"\xff.jpg")
    try:
        Path(odd).write_bytes(b"x")
    except OSError:
        pytest.skip("no such names here")
    assert run(Path("out.txt"), [odd]) == [odd]
    assert run(Path("out.txt"), [odd], resume=True) == []
