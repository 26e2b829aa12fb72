"""labels.csv: read, appended to, and reduced to what counts."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.dataset.review_labels import (
    HEADER,
    LabelsWriter,
    ReviewLabel,
    agreed_labels,
    current_labels,
    format_box,
    parse_box,
    read_review_labels,
)
from facegender.errors import DataError


def full(path, label="female", **other):
    values = {
        "box": (1.0, 2.0, 30.0, 40.5),
        "annotator": "ada",
        "time": "2026-01-02T03:04:05Z",
        "sample": "faces",
        "probability": 0.25,
        "stratum": "1990s",
        "model": "4beab803b5f7da20",
    }
    return ReviewLabel(str(path), label=label, **(values | other))


def written(file, *labels):
    writer = LabelsWriter(file)
    for label in labels:
        writer.append(label)
    writer.close()


def test_what_is_written_is_read(tmp_path):
    (tmp_path / "photos").mkdir()
    odd = os.fsdecode(b"=\xff,\n.jpg")
    labels = [
        full(tmp_path / "photos" / "a.jpg"),
        full(tmp_path / odd, "not_face", annotator="b;c", probability=None),
        full(tmp_path / "c.jpg", "not_face", box=None, sample="photos"),
        full(tmp_path / "photos" / "a.jpg", ""),
    ]
    file = tmp_path / "labels.csv"
    written(file, *labels[:2])
    written(file, *labels[2:])
    assert file.read_text(errors="replace").splitlines()[0] == ",".join(HEADER)
    assert read_review_labels(file) == labels
    assert "photos/a.jpg" in file.read_text(errors="replace")


def test_labels_made_elsewhere_need_three_columns(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("Label;note;BOX;file\nWoman;x;1,2,3,4;a.jpg\n1;;0 0 5 5;b.jpg\n")
    first, second = read_review_labels(file)
    assert first == ReviewLabel(str(tmp_path / "a.jpg"), (1, 2, 3, 4), "female")
    assert second.label == "male"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (",1 2 3 4,female", "no path"),
        ("a.jpg,1 2 3,female", "box '1 2 3'"),
        ("a.jpg,1 2 0 4,female", "box"),
        ("a.jpg,1 2 nan 4,female", "box"),
        ("a.jpg,1 2 3 4,perhaps", "label 'perhaps'"),
        ("a.jpg,,female", "no box"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, row, why):
    file = tmp_path / "labels.csv"
    file.write_text(f"path,box,label\na.jpg,1 2 3 4,male\n{row}\nb.jpg,1 2 3 4,male\n")
    with pytest.raises(DataError, match=rf"row 3 .*{why}"):
        read_review_labels(file)


def test_a_missing_column_is_named(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("path,label\na.jpg,male\n")
    with pytest.raises(DataError, match="no column box"):
        read_review_labels(file)


@pytest.mark.parametrize("kept", range(1, 60, 7))
def test_a_line_cut_by_a_kill_is_no_answer_and_harms_none_that_follow(tmp_path, kept):
    file = tmp_path / "labels.csv"
    one, two, three = (full(tmp_path / f"{name}.jpg") for name in "abc")
    written(file, one)
    size = file.stat().st_size
    written(file, two)
    assert size + kept < file.stat().st_size - 1
    os.truncate(file, size + kept)
    assert read_review_labels(file) == [one]
    written(file, three)
    assert read_review_labels(file) == [one, three]


def test_an_editor_that_leaves_the_last_newline_out_loses_no_row(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("path,box,label\na.jpg,1 2 3 4,male")
    written(file, full(tmp_path / "b.jpg"))
    assert [label.label for label in read_review_labels(file)] == ["male", "female"]
    assert file.read_text().splitlines()[0] == "path,box,label"


def test_an_empty_file_gets_its_header(tmp_path):
    file = tmp_path / "labels.csv"
    file.touch()
    written(file, full(tmp_path / "a.jpg"))
    assert len(read_review_labels(file)) == 1


def test_the_last_answer_of_an_annotator_counts():
    first, again = full("a.jpg"), full("a.jpg", "male")
    other = full("a.jpg", "not_face", annotator="bob")
    assert current_labels([first, other, again]) == [other, again]
    assert current_labels([first, other, full("a.jpg", "")]) == [other]


def test_the_majority_decides_then_who_settles():
    ada, bob, cyd = (
        full("a.jpg", label, annotator=name)
        for name, label in (("ada", "male"), ("bob", "female"), ("cyd", "female"))
    )
    assert agreed_labels([ada, bob, cyd]) == ([bob], [])
    agreed, split = agreed_labels([ada, bob])
    assert [label.label for label in agreed] == ["untellable"]
    assert split == agreed
    settled = full("a.jpg", "male", annotator="settled")
    assert agreed_labels([bob, cyd, settled]) == ([settled], [])


sides = st.floats(0.001, 1e6) | st.integers(1, 10**6).map(float)


@given(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), sides, sides))
def test_boxes_come_back(box):
    assert parse_box(format_box(box)) == pytest.approx(box, rel=1e-9, abs=1e-9)


@given(st.text())
def test_any_text_is_a_box_none_or_refused(text):
    try:
        box = parse_box(text)
    except ValueError:
        return
    assert box is None or (len(box) == 4 and box[2] > 0)
