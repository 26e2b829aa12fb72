"""Tables that were not made by `prepare`, or not with good intent."""

import csv
import json
import os

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facegender.dataset.attributes import join_attributes
from facegender.dataset.samples import Samples
from facegender.dataset.sidecar import read_sidecar, sidecar_path
from facegender.dataset.table import read_table, write_table
from facegender.errors import DataError, FaceGenderError

GOOD = "path,label,person,split\na.jpg,0,p,train\nb.jpg,1,q,test\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace("\n", "\r\n", 1),
        "\ufeff" + GOOD,
        "\ufeff" + GOOD.replace("\n", "\r\n"),
        GOOD.replace("path,label", '"path","label"'),
        GOOD.replace("a.jpg", '"a.jpg"'),
        GOOD + "\n\r\n   \n",
        GOOD.rstrip("\n"),
    ],
    ids=["CRLF", "CR", "mixed", "BOM", "BOM and CRLF", "quoted", "quotes", "empty lines", "no end"],
)
def test_line_ends_quotes_and_marks_do_not_matter(tmp_path, text):
    file = tmp_path / "l.csv"
    file.write_bytes(text.encode())
    samples = read_table(file)
    assert [os.path.basename(path) for path in samples.paths] == ["a.jpg", "b.jpg"]
    assert samples.labels.tolist() == [0, 1]
    assert (samples.persons, samples.splits) == (["p", "q"], ["train", "test"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD.encode() + b"c\0.jpg,0,,train\n", "NUL"),
        (b"path,label\n" + b"x" * 5000 + b"\0.jpg,0\n", "NUL"),
        (GOOD.encode("utf-16-le"), "NUL"),
        (b"path,label\n" + b"x" * 10_000_000 + b",0\n", "field larger than"),
        (b'path,label\n"' + b"x" * 10_000_000, "field larger than"),
        (b"path,label\na.jpg,=1+1\n", "row 1 has the label '=1\\+1'"),
        (b"path,label\na.jpg,homme\n", "row 1 has the label 'homme'"),
        (b"path,label\na.jpg,\xff\n", "row 1 has the label"),
        (b"path,label\na.jpg\n", "row 1 has the label ''"),
        (b"path,label,split\na.jpg,0,=train\n", "split '=train'"),
        (b"label,split\n0,train\n", "no columns path and label"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "NUL"),
        (b"path,label\n", "no rows"),
        (b"\n\n\n", "no columns path and label|is empty|no rows"),
    ],
)
def test_what_is_no_table_of_labels_is_refused(tmp_path, content, message):
    file = tmp_path / "l.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_table(file)
    assert len(caught.value.message) < 500


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"path,label\n", b"image;sex;person\n"]))
@example(b"a.jpg,0\r\r\n\xff", b"path,label\n")
def test_any_bytes_are_a_table_or_a_typed_error(tmp_path_factory, content, header):
    file = tmp_path_factory.mktemp("t") / "l.csv"
    file.write_bytes(header + content)
    try:
        samples = read_table(file)
    except DataError:
        return
    assert len(samples.paths) == len(samples.labels) == len(samples.persons) > 0
    assert set(samples.labels.tolist()) <= {0, 1}


FORMULAS = st.sampled_from(["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=x", "''@", "'", "'x", "-"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(FORMULAS, FORMULAS), min_size=1, max_size=5, unique_by=lambda t: t[0]))
def test_what_looks_like_a_formula_is_shielded_and_read_back_as_it_was(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("t")
    samples = Samples(
        [os.path.join(folder, name) for name, _ in rows],
        np.zeros(len(rows), np.int8),
        [person for _, person in rows],
        ["train"] * len(rows),
    )
    write_table(folder / "faces.csv", samples)
    with open(folder / "faces.csv", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    back = read_table(folder / "faces.csv")
    assert (back.paths, back.persons) == (samples.paths, samples.persons)


def test_attributes_are_kept_as_they_came(tmp_path):
    """A table's further columns are the user's own and not changed."""
    (tmp_path / "a.csv").write_text("path,age,note\na.jpg,-1,=1+1\n")
    samples = Samples([str(tmp_path / "a.jpg")], np.zeros(1, np.int8), [""], ["train"])
    join_attributes(samples, tmp_path / "a.csv", [])
    write_table(tmp_path / "faces.csv", samples)
    assert read_table(tmp_path / "faces.csv").attributes == {"age": ["-1"], "note": ["=1+1"]}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[1]",
        "{}",
        "[" * 100_000,
        '{"schema": 1, "settings": {}, "crop": null, "table": 1, "photos": 1}',
        '{"schema": 1, "settings": {}, "crop": null, "table": {}, "photos": {}}',
        '{"schema": 1, "settings": {}, "crop": null, "table": {},'
        ' "photos": {"bytes": [1], "blake2b": []}}',
        '{"schema": 9, "settings": {}, "crop": null, "table": {},'
        ' "photos": {"bytes": [], "blake2b": []}}',
    ],
)
def test_a_hostile_sidecar_is_refused(tmp_path, content):
    (tmp_path / "faces.csv").write_text(GOOD)
    sidecar_path(tmp_path / "faces.csv").write_text(content)
    with pytest.raises(FaceGenderError) as caught:
        read_sidecar(tmp_path / "faces.csv")
    assert "faces.json" in caught.value.message


def test_a_sidecar_of_another_table_says_nothing_of_this_one(tmp_path):
    (tmp_path / "faces.csv").write_text(GOOD)
    content = {"schema": 1, "settings": {}, "crop": None, "table": {"sha256": "0"}}
    content["photos"] = {"bytes": [], "blake2b": []}
    sidecar_path(tmp_path / "faces.csv").write_text(json.dumps(content))
    assert read_sidecar(tmp_path / "faces.csv") is None
