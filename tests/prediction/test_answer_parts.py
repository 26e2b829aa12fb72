"""Answers in Parquet are read like those of any other format."""

import json

import pytest

from facegender.errors import DataError, FaceGenderError
from facegender.prediction.answer_parts import ARCHIVE, AnswerParts, is_parts
from facegender.prediction.answers import AnswersFile, open_answers

FACE = {
    "box": [1, 2, 30, 40],
    "landmarks": [[1.0, 2.0]] * 5,
    "score": 0.9,
    "label": "female",
    "probabilities": {"female": 0.75, "male": 0.25},
    "uncertain": False,
}
PHOTOS = [
    {"path": "a.jpg", "error": None, "faces": [FACE, FACE | {"box": [50, 2, 30, 40]}]},
    {"path": "none.jpg", "error": None, "faces": []},
    {"path": "bad.jpg", "error": "empty: 0 bytes", "faces": []},
    {"path": "c.jpg", "error": None, "faces": [FACE | {"box": [3, 2, 30, 40]}]},
]


@pytest.fixture
def archive(tmp_path):
    """A folder as `predict --engine ray` leaves it."""
    pytest.importorskip("pyarrow")
    from facegender.archive.parts import part_bytes

    folder = tmp_path / "answers"
    folder.mkdir()
    (folder / ARCHIVE).write_text('{"schema": 1, "fingerprint": "4beab803", "complete": true}')
    for number in (0, 1):
        part = part_bytes(PHOTOS[2 * number : 2 * number + 2], {})
        (folder / f"part-{number:08d}-ab.parquet").write_bytes(part)
    return folder


def test_a_folder_gives_what_json_lines_give(archive, tmp_path):
    lines = tmp_path / "answers.jsonl"
    lines.write_text("".join(json.dumps(photo) + "\n" for photo in PHOTOS))
    parts = open_answers(archive)
    for ours, theirs in zip(parts, AnswersFile(lines), strict=True):
        assert (ours["path"], ours["error"]) == (theirs["path"], theirs["error"])
        for one, other in zip(ours["faces"], theirs["faces"], strict=True):
            assert {name: other[name] for name in one} == one
    assert parts.head == {"model": {"fingerprint": "4beab803"}, "complete": True}
    assert parts.position == parts.size == 2
    one = open_answers(archive / "part-00000001-ab.parquet")
    assert [photo["path"] for photo in one] == ["bad.jpg", "c.jpg"]


def test_count_and_review_take_the_folder(archive):
    from facegender.evaluation.shares import count_shares
    from facegender.review.sources import read_answers

    shares = count_shares(archive)
    assert (shares.whole.faces, shares.whole.photos, shares.model) == (3, 3, "4beab803")
    assert [warning[:8] for warning in shares.warnings] == ["1 photos"]
    (archive / ARCHIVE).write_text('{"schema": 1, "fingerprint": "", "complete": false}')
    assert "has not ended" in count_shares(archive).warnings[0]
    assert [face.box for face in read_answers(archive).faces][1] == (50.0, 2.0, 30.0, 40.0)


@pytest.mark.parametrize("kind", ["no part", "cut", "other columns", "odd number", "no manifest"])
def test_what_is_none_is_said(archive, kind):
    first, second = sorted(archive.glob("part-*"))
    if kind == "no part":
        first.unlink(), second.unlink()
    elif kind == "cut":
        first.write_bytes(first.read_bytes()[:-9])
    elif kind == "no manifest":
        (archive / ARCHIVE).write_text("[1]")
    else:
        import pyarrow
        from pyarrow import parquet

        wrong = FACE | {"probabilities": {"female": 7.0, "male": 0.0}}
        rows = [{"path": "a.jpg", "error": None, "faces": [wrong]}]
        if kind == "other columns":
            rows = [{"path": "a.jpg"}]
        parquet.write_table(pyarrow.Table.from_pylist(rows), first)
    with pytest.raises(DataError):
        list(AnswerParts(archive))


def test_who_lacks_pyarrow_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    file = tmp_path / "x.parquet"
    file.write_bytes(b"PAR1")
    assert is_parts(file)
    with pytest.raises(FaceGenderError, match="pyarrow"):
        list(AnswerParts(file))
