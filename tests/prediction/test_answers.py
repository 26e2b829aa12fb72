"""What predict wrote comes back, in every format."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.cli import _writers as writers
from facegender.errors import DataError, PhotoError
from facegender.faces.geometry import Face
from facegender.prediction.answers import AnswersFile
from facegender.prediction.predictor import FacePrediction, Prediction


class FakePredictor:
    threshold = 0.7

    class bundle:  # noqa: N801
        folder = "model"
        fingerprint = "4beab803b5f7da20"


def face(x, female):
    return FacePrediction(Face((x, 2.0, 30.0, 40.0), score=0.9), (female, 1 - female), False)


PREDICTIONS = [
    Prediction("a.jpg", (face(1.0, 0.75), face(50.0, 0.25))),
    Prediction("=b,\n.jpg", (face(3.0, 0.5),)),
    Prediction("none.jpg", ()),
    Prediction("bad.jpg", (), PhotoError("empty", "empty: 0 bytes")),
]


def written(kind, file):
    with writers.opened(file, kind, FakePredictor(), {}) as sink:
        for prediction in PREDICTIONS:
            sink.add(prediction)
    return file


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "relaid"])
def test_every_format_gives_the_same(kind, tmp_path):
    file = written("json" if kind == "relaid" else kind, tmp_path / "answers")
    if kind == "relaid":
        file.write_text(json.dumps(json.loads(file.read_text()), indent=1))
    answers = AnswersFile(file)
    found = list(answers)
    assert [element["path"].removeprefix("./") for element in found] == [
        prediction.path for prediction in PREDICTIONS
    ]
    assert [bool(element["error"]) for element in found] == [False, False, False, True]
    faces = [(unit["box"], unit["probabilities"]["female"]) for e in found for unit in e["faces"]]
    assert faces == [([1, 2, 30, 40], 0.75), ([50, 2, 30, 40], 0.25), ([3, 2, 30, 40], 0.5)]
    known = "" if kind in ("jsonl", "csv") else "4beab803b5f7da20"
    assert answers.head.get("model", {}).get("fingerprint", "") == known


def test_a_video_is_an_element_too(tmp_path):
    track = {"box": [0, 0, 9, 9], "seconds": 2.5, "probabilities": {"female": 0.9, "male": 0.1}}
    element = {"path": "a.mp4", "seconds": 9.0, "tracks": [track]}
    (tmp_path / "v.jsonl").write_text(json.dumps(element))
    assert list(AnswersFile(tmp_path / "v.jsonl")) == [element]


def test_tracks_in_csv_have_seconds(tmp_path):
    head = "path,error,face,x,y,width,height,landmarks,score,label,female,male,uncertain"
    rows = (f"{head},start,end,seconds", "a.mp4,,1,0,0,9,9,,1,female,0.9,0.1,no,0,4,2.5")
    rows += ("a.mp4,,2,0,0,9,9,,1,male,0.2,0.8,no,0,4,3", "a.jpg,,1,0,0,9,9,,1,male,0.2,0.8,no,,,")
    (tmp_path / "v.csv").write_text("\n".join(rows))
    video, photo = AnswersFile(tmp_path / "v.csv")
    assert [track["seconds"] for track in video["tracks"]] == [2.5, 3]
    assert "tracks" not in photo
    assert len(photo["faces"]) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("{}", "not the answer for a photo"),
        ('{"path": "a.jpg", "faces": [{"box": [1, 2, 3]}]}', "without numbers"),
        ('{"path": "a.jpg", "faces": [{"box": [1,2,3,4], "probabilities": {}}]}', "without"),
        ('{"path": "a.mp4", "tracks": [{"box": [1,2,3,4], "probabilities": '
         '{"female": 1, "male": 0}}]}', "without"),
        ('{"path": "a.jpg", "faces": []}\n{"path": "b', "last line is cut off"),
        ('{"schema": 1, "photos": [\n{"path": "a.jpg", "faces": []}', "truncated"),
        ("path,label\na.jpg,0\n", "no column"),
        ("path,error,face,x,y,width,height,female,male\na.jpg,,1,1,2,3\n", "row 2 is incomplete"),
        ("path,error,face,x,y,width,height,female,male\na.jpg,,1,1,2,3,4,x,0\n", "no numbers"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(text, why, tmp_path):
    (tmp_path / "x").write_text(text)
    with pytest.raises(DataError, match=why):
        list(AnswersFile(tmp_path / "x"))
    with pytest.raises(DataError, match="cannot read"):
        list(AnswersFile(tmp_path / "missing"))


@settings(max_examples=150, deadline=None)
@given(text=st.text() | st.text(alphabet='{}[]",: \n1').map(lambda t: '{"faces": ' + t))
def test_any_text_is_answers_or_refused(text, tmp_path_factory):
    file = tmp_path_factory.mktemp("any") / "x"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        found = list(AnswersFile(file))
    except DataError:
        return
    assert all(isinstance(element["path"], str) for element in found)


def test_a_line_that_a_kill_cut_off_names_the_remedy(tmp_path):
    whole = written("jsonl", tmp_path / "a.jsonl").read_bytes()
    (tmp_path / "cut.jsonl").write_bytes(whole[:-40])
    with pytest.raises(DataError, match="last line is cut off") as caught:
        list(AnswersFile(tmp_path / "cut.jsonl"))
    assert "--resume" in caught.value.hint
    (tmp_path / "no_end.jsonl").write_bytes(whole.rstrip(b"\n"))
    assert len(list(AnswersFile(tmp_path / "no_end.jsonl"))) == len(PREDICTIONS)
