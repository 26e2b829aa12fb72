"""From sources and options to sessions."""

import json

import numpy as np
import pytest

from facegender.cli.review import _column
from facegender.dataset.review_labels import CHOSEN, FACES, PHOTOS, read_review_labels
from facegender.dataset.samples import Samples
from facegender.errors import DataError, UsageError
from facegender.prediction.predictor import Predictor
from facegender.review.sources import read_answers, strata_of
from facegender.review.start import SETTLE, ReviewSettings, Table, open_session
from tests.review.conftest import face


def settings(tmp_path, **other):
    return ReviewSettings(**({"out": tmp_path / "labels.csv", "annotator": "ada"} | other))


def test_a_sample_of_faces_keeps_probabilities(answers, tmp_path):
    session = open_session(read_answers(answers), settings(tmp_path, count=4))
    assert len(session.items) == 4
    assert {item.probability for item in session.items} == {0.5}
    assert {item.sample for item in session.items} == {FACES}
    assert session.photos == []
    session.close()


def test_the_same_command_goes_on_and_a_larger_sample_extends_it(answers, tmp_path):
    first = open_session(read_answers(answers), settings(tmp_path, count=4))
    for number in range(4):
        first.answer(number, "female")
    first.close()
    again = open_session(read_answers(answers), settings(tmp_path, count=6))
    assert again.labels == ["female"] * 4 + [""] * 2
    again.close()
    assert read_review_labels(again.file)[-1].probability == pytest.approx(6 / 8)
    with pytest.raises(DataError, match="another sample"):
        open_session(read_answers(answers), settings(tmp_path, count=4, seed=9))


def test_chosen_faces_have_no_probability(answers, tmp_path):
    session = open_session(read_answers(answers), settings(tmp_path, kind=CHOSEN, count=3))
    assert [item.p_male for item in session.items[:2]] == [0.45, 0.05]
    assert {(item.sample, item.probability) for item in session.items} == {(CHOSEN, None)}
    session.close()


def test_chosen_faces_are_not_those_of_a_sample(answers, tmp_path):
    sampled = open_session(read_answers(answers), settings(tmp_path, count=4))
    known = {(item.path, item.box) for item in sampled.items}
    for number in range(4):
        sampled.answer(number, "male")
    sampled.close()
    chosen = open_session(read_answers(answers), settings(tmp_path, kind=CHOSEN))
    assert len(chosen.items) == 4
    assert not known & {(item.path, item.box) for item in chosen.items}
    chosen.close()


def test_photos_are_drawn_with_all_their_faces(answers, photos, tmp_path):
    session = open_session(read_answers(answers), settings(tmp_path, kind=PHOTOS, count=8))
    by_path = {photo.path: photo for photo in session.photos}
    assert len(by_path[str(photos[0])].items) == 2
    assert by_path[str(photos[7])].items == []
    for photo in session.photos:
        assert all(session.items[n].path == photo.path for n in photo.items)
    session.close()


def test_disagreements_are_settled_by_a_third(answers, tmp_path):
    for name, label in (("ada", "male"), ("ben", "female")):
        session = open_session(read_answers(answers), settings(tmp_path, annotator=name, count=4))
        session.answer(0, label)
        session.answer(1, "male")
        session.close()
    settle = open_session(read_answers(answers), settings(tmp_path, kind=SETTLE))
    assert len(settle.items) == 1
    assert settle.items[0].answer in ("female", "male")
    settle.answer(0, "male")
    settle.close()
    assert read_review_labels(settle.file)[-1].probability == 0.5


def test_settling_needs_a_disagreement(answers, tmp_path):
    with pytest.raises(DataError, match="nobody disagrees"):
        open_session(read_answers(answers), settings(tmp_path, kind=SETTLE))


def test_folders_and_columns_are_strata(answers, photos, tmp_path):
    found = read_answers(answers)
    assert set(strata_of(found, "folder")) == {"."}
    table = tmp_path / "attributes.csv"
    table.write_text("path,Decade\n" + "".join(f"photos/{n}.jpg,{n // 4}\n" for n in range(7)))
    found.columns["Decade"] = _column(table, "decade", found.photos)
    assert strata_of(found, "decade") == ["0"] * 4 + ["1"] * 3 + [""]
    session = open_session(found, settings(tmp_path, count=8, by="Decade"))
    assert {item.stratum for item in session.items} == {"0", "1"}
    session.close()
    with pytest.raises(UsageError, match="no column 'race', only folder, Decade"):
        strata_of(found, "race")
    table.write_text("path,Decade\nelsewhere.jpg,1\n")
    with pytest.raises(DataError, match="no path"):
        _column(table, "decade", found.photos)


def test_all_that_predict_writes_is_read_alike(answers, photos, tmp_path):
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    whole = tmp_path / "answers.json"
    head = {"schema": 1, "model": {"path": "m", "fingerprint": "abc"}}
    whole.write_text(json.dumps(head | {"photos": lines}))
    rows = ["path,error,face,x,y,width,height,landmarks,score,label,female,male,uncertain"]
    for photo in lines:
        for n, one in enumerate(photo["faces"] or [None], 1):
            box = ["", "", "", ""] if one is None else one["box"]
            pair = {"female": "", "male": ""} if one is None else one["probabilities"]
            cells = [photo["path"], photo["error"] or "", n if one else "", *box, "", "", ""]
            rows.append(",".join(map(str, [*cells, pair["female"], pair["male"], ""])))
    table = tmp_path / "answers.csv"
    table.write_text("\n".join(rows) + "\n")
    first, second, third = (read_answers(file) for file in (answers, whole, table))
    assert first.photos == second.photos == third.photos == [str(path) for path in photos]
    assert first.faces == second.faces == third.faces
    assert (first.model, second.model) == ("", "abc")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json\n",
        "[1]\n",
        '{"path": "a.jpg"}\n',
        json.dumps({"path": "a.jpg", "error": None, "faces": [face(0, 0, 0, 5, 0.5)]}),
        json.dumps({"path": "a.jpg", "error": None, "faces": [face(0, 0, 5, 5, 1.5)]}),
        json.dumps({"path": "a.jpg", "error": None, "faces": [{"box": [1]}]}),
    ],
)
def test_other_files_are_refused(tmp_path, text):
    file = tmp_path / "answers.jsonl"
    file.write_text(text)
    with pytest.raises(DataError):
        read_answers(file)


def test_a_csv_of_videos_says_what_else_to_give(tmp_path):
    file = tmp_path / "v.csv"
    file.write_text(
        "path,error,x,y,width,height,female,male,seconds\n"
        "empty.mp4,,,,,,,,\na.mp4,,10,10,40,50,0.9,0.1,5\n"
    )
    with pytest.raises(DataError, match="where in its videos") as refused:
        read_answers(file)
    assert "--output answers.jsonl" in refused.value.hint


def test_a_table_is_drawn_from_before_its_faces_are_found(photos, toy_model, tmp_path):
    labels = np.array([n % 2 for n in range(8)], np.int8)
    paths = [str(path) for path in photos]
    samples = Samples(paths, labels, [""] * 8, [""] * 8, {"age": list("aaaabbbb")})
    done = []
    table = Table(samples, Predictor(toy_model, workers=1))
    table.on_progress = lambda *counts: done.append(counts)
    session = open_session(table, settings(tmp_path, count=4, by="age"))
    assert done[-1] == (4, 4)
    assert {(item.stratum, item.probability) for item in session.items} == {("a", 0.5), ("b", 0.5)}
    assert session.items[0].box == (0, 0, 160, 120)
    assert session.items[0].model == table.predictor.bundle.fingerprint
    session.close()
    whole = settings(tmp_path, kind=PHOTOS, count=3, out=tmp_path / "p.csv")
    assert [len(photo.items) for photo in open_session(table, whole).photos] == [1, 1, 1]
    chosen = open_session(table, settings(tmp_path, kind=CHOSEN, out=tmp_path / "u.csv"))
    assert len(chosen.items) == 8


def test_nothing_to_look_at_is_said(tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text('{"path": "a.jpg", "error": null, "faces": []}\n')
    with pytest.raises(DataError, match="no face to look at"):
        open_session(read_answers(file), settings(tmp_path))
