"""Sessions: answers on disk at once, taken back, gone on with, by several annotators."""

import os
import subprocess
import sys

import pytest

from facegender.dataset.review_labels import (
    CHOSEN,
    FACES,
    PHOTOS,
    SETTLED,
    ReviewLabel,
    current_labels,
    read_review_labels,
)
from facegender.errors import DataError
from facegender.review.labels_file import (
    Photo,
    Session,
    already_answered,
    disagreements,
    known_labels,
    refuse_other_sample,
)
from tests.review.conftest import items_of


def labels_in(file):
    return [label.label for label in current_labels(read_review_labels(file))]


def test_an_answer_is_on_disk_when_it_returns(session):
    session.answer(2, "female")
    (row,) = read_review_labels(session.file)
    assert (row.label, row.annotator, row.sample, row.probability, row.model) == (
        "female",
        "ada",
        FACES,
        0.5,
        "model",
    )
    assert row.path == session.items[2].path
    assert row.time.endswith("Z")


def test_undo_takes_answers_back_one_by_one(session):
    session.answer(0, "female")
    session.answer(1, "male")
    session.answer(1, "untellable")
    assert session.undo() == 1
    assert labels_in(session.file) == ["female", "male"]
    assert session.undo() == 1
    assert session.undo() == 0
    assert session.undo() is None
    assert labels_in(session.file) == []
    assert session.labels == [""] * 8


def test_another_session_goes_on_and_can_undo(session, photos):
    session.answer(0, "female")
    session.answer(3, "not_face")
    session.undo()
    session.answer(4, "male")
    session.close()
    again = Session(session.file, items_of(photos), "ada")
    assert again.labels == ["female", "", "", "", "male", "", "", ""]
    assert again.undo() == 4
    assert again.undo() == 0
    assert again.undo() is None
    again.close()


def test_a_killed_session_loses_no_answer(photos, tmp_path):
    code = f"""
import os
from pathlib import Path
from tests.review.conftest import items_of
from facegender.review.labels_file import Session
session = Session(Path({str(tmp_path / "labels.csv")!r}), items_of({[*map(str, photos)]!r}), "ada")
session.answer(0, "female")
session.answer(1, "male")
os.kill(os.getpid(), 9)
"""
    if os.name != "posix":
        pytest.skip("kills by signal")
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True)
    assert done.returncode == -9, done.stderr.decode()
    assert labels_in(tmp_path / "labels.csv") == ["female", "male"]


def test_annotators_do_not_see_each_other(session, photos):
    session.answer(0, "female")
    other = Session(session.file, items_of(photos), "ben")
    assert other.labels == [""] * 8
    other.answer(0, "male")
    other.close()
    assert [row.label for row in disagreements(known_labels(session.file))] == ["female"]


def test_settled_answers_end_a_disagreement(session, photos):
    session.answer(0, "female")
    other = Session(session.file, items_of(photos), "ben")
    other.answer(0, "male")
    other.close()
    judge = Session(session.file, items_of(photos)[:1], SETTLED)
    judge.answer(0, "male")
    judge.close()
    assert Session(session.file, items_of(photos)[:1], SETTLED).labels == ["male"]


def test_agreement_counts_what_both_decided(session):
    session.answer(0, "male")
    session.answer(1, "female")
    session.answer(2, "untellable")
    assert session.agreement() == (1, 2)


def test_an_enlarged_sample_states_the_probability_of_earlier_answers_again(session, photos):
    session.answer(0, "male")
    session.close()
    larger = Session(session.file, items_of(photos, probability=0.8), "ada")
    larger.close()
    (row,) = current_labels(read_review_labels(session.file))
    assert (row.label, row.probability) == ("male", 0.8)


def test_another_sample_is_refused(session, photos):
    session.answer(0, "male")
    rows = known_labels(session.file)
    refuse_other_sample(rows, [(item.path, item.box) for item in session.items], FACES)
    with pytest.raises(DataError, match="another sample"):
        refuse_other_sample(rows, [], FACES)
    with pytest.raises(DataError, match="another sample"):
        refuse_other_sample(rows, [(str(photos[0]), None)], PHOTOS)


def test_answers_of_a_sample_are_not_asked_again_as_chosen_ones(session, photos):
    session.answer(0, "male")
    session.close()
    chosen = Session(session.file, items_of(photos[1:], CHOSEN, None), "ada")
    chosen.answer(0, "female")
    chosen.close()
    found = already_answered(known_labels(session.file), "ada")
    assert found == {(str(photos[0]), (20.0, 10.0, 60.0, 70.0))}
    assert Session(session.file, items_of(photos), "ada").labels[:2] == ["male", ""]


def photo_session(photos, file):
    items = items_of(photos[:2], PHOTOS)
    entries = [
        Photo(str(photos[0]), [0], 1, 0.5, ""),
        Photo(str(photos[1]), [1], 1, 0.5, ""),
        Photo(str(photos[2]), [], 0, 0.5, ""),
    ]
    return Session(file, items, "ada", entries)


def test_missed_faces_are_added_and_found_again(photos, tmp_path):
    file = tmp_path / "photos.csv"
    session = photo_session(photos, file)
    session.answer(0, "female")
    assert session.add(0, (1.0, 2.0, 30.0, 40.0), "male") == 2
    session.close_photo(0)
    session.answer(1, "not_face")
    session.close()
    again = photo_session(photos, file)
    assert again.photos[0].items == [0, 2]
    assert again.labels == ["female", "not_face", "male"]
    assert [photo.closed for photo in again.photos] == [True, False, False], "the last is asked"
    again.close()


def test_a_photo_is_not_done_before_its_faces_are(photos, tmp_path):
    session = photo_session(photos, tmp_path / "photos.csv")
    with pytest.raises(ValueError, match="no answer"):
        session.close_photo(0)
    session.close()


def test_a_photo_without_a_face_says_so_until_one_is_drawn(photos, tmp_path):
    session = photo_session(photos, tmp_path / "photos.csv")
    session.close_photo(2)
    session.close_photo(2)
    rows = current_labels(read_review_labels(session.file))
    assert [(row.box, row.label, row.sample) for row in rows] == [(None, "not_face", PHOTOS)]
    session.add(2, (1.0, 2.0, 30.0, 40.0), "female")
    rows = current_labels(read_review_labels(session.file))
    assert [(row.box, row.label) for row in rows] == [((1.0, 2.0, 30.0, 40.0), "female")]
    session.close()


def test_a_drawn_face_that_is_taken_back_is_withdrawn(photos, tmp_path):
    session = photo_session(photos, tmp_path / "photos.csv")
    number = session.add(0, (1.0, 2.0, 30.0, 40.0), "female")
    session.photos[0].closed = True
    assert session.undo() == number
    assert not session.photos[0].closed
    assert current_labels(read_review_labels(session.file)) == []
    session.close()


def test_known_labels_of_no_file_are_none(tmp_path):
    assert known_labels(tmp_path / "labels.csv") == []
    (tmp_path / "empty.csv").touch()
    assert known_labels(tmp_path / "empty.csv") == []


def test_disagreements_need_two_who_differ():
    box = (1.0, 2.0, 3.0, 4.0)
    same = [ReviewLabel("a", box, "male", name) for name in ("ada", "ben")]
    settled = ReviewLabel("a", box, "female", SETTLED)
    assert disagreements([*same, settled]) == []
