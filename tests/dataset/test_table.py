import os
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.dataset.samples import Samples
from facegender.dataset.table import PhotoFinder, read_table, write_table
from facegender.errors import DataError

CELL = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\r\n\t\"',;"), max_size=12
)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_what_is_written_is_read(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("t")
    count = data.draw(st.integers(1, 6))
    names = st.text(
        st.characters(exclude_characters="/\0\\", exclude_categories=["Cs"]), min_size=1
    )
    usable = names.filter(lambda n: n.strip() not in ("", ".", ".."))

    def column(cells):
        return data.draw(st.lists(cells, min_size=count, max_size=count))

    samples = Samples(
        [os.path.join(folder, name) for name in column(usable)],
        np.array(column(st.integers(0, 1)), np.int8),
        column(CELL),
        column(st.sampled_from(["train", "val", "test"])),
        {"age": column(CELL)},
    )
    write_table(folder / "faces.csv", samples)
    back = read_table(folder / "faces.csv")
    assert back.paths == samples.paths
    assert back.labels.tolist() == samples.labels.tolist()
    assert (back.persons, back.splits) == (samples.persons, samples.splits)
    assert back.attributes == samples.attributes


def test_paths_are_relative_below_the_table_and_absolute_elsewhere(tmp_path):
    below, beside = tmp_path / "t" / "a.jpg", tmp_path / "b.jpg"
    (tmp_path / "t").mkdir()
    samples = Samples([str(below), str(beside)], np.array([0, 1], np.int8), ["", ""], ["train"] * 2)
    write_table(tmp_path / "t" / "faces.csv", samples)
    lines = (tmp_path / "t" / "faces.csv").read_text().splitlines()
    assert lines[0] == "path,label,person,split"
    assert [line.split(",")[0] for line in lines[1:]] == ["a.jpg", str(beside)]


def test_names_that_are_not_utf8_survive(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    samples = Samples([name], np.array([0], np.int8), [""], ["train"])
    write_table(tmp_path / "faces.csv", samples)
    assert read_table(tmp_path / "faces.csv").paths == [name]


def test_the_articles_headerless_windows_list(tmp_path):
    photo = tmp_path / "gender_pic" / "female" / "x" / "1.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"x")
    file = tmp_path / "list.csv"
    file.write_bytes(
        b"F:\\data\\gender_pic\\female\\x\\1.jpg,0\r\nF:\\data\\gender_pic\\gone.jpg,1\r\n"
    )
    samples = read_table(file)
    assert samples.paths[0] == str(photo)
    assert samples.labels.tolist() == [0, 1]
    assert not os.path.exists(samples.paths[1])


@pytest.mark.parametrize("text", ["image;sex\na.jpg;F\n", "\ufefffile\tgender\na.jpg\tfemale\n"])
def test_other_separators_names_and_a_bom(tmp_path, text):
    file = tmp_path / "l.csv"
    file.write_text(text, encoding="utf-8")
    samples = read_table(file)
    assert samples.paths == [str(tmp_path / "a.jpg")]
    assert samples.labels.tolist() == [0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("path,label\n", "no rows"),
        ("path,age\na.jpg,3\n", "no column label or gender"),
        ("path,label\na.jpg,2\n", "row 1 has the label '2'"),
        ("path,label\na.jpg,0\nb.jpg,\n", "row 2 has the label ''"),
        ("path,label,gender\na.jpg,0,male\n", "has the label '0' .female. and gender 'male'"),
        ("path,label,split\na.jpg,0,holdout\n", "split 'holdout'"),
        ("path,label,label\na.jpg,0,1\n", "names a column twice"),
        ("hello world\nfoo\n", "no columns path and label"),
        ("path,label\n,0\n", "row 1 has no path"),
        ("path,label\0\n", "NUL"),
    ],
)
def test_wrong_tables_are_refused_with_the_place(tmp_path, text, message):
    file = tmp_path / "faces.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        read_table(file)


def test_a_missing_table_says_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match="No such file") as caught:
        read_table(tmp_path / "faces.csv")
    assert "facegender prepare" in caught.value.hint


def photos(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_excel_find_their_files(tmp_path, encoding):
    photos(tmp_path, ["mx/jörg.jpg", "mx/anna.jpg"])
    text = "path;label;town\r\nmx\\jörg.jpg;male;Köln\r\n mx/anna.jpg ;female;Ulm\r\n"
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    found = read_table(tmp_path / "t.csv")
    assert found.paths == [str(tmp_path / "mx/jörg.jpg"), str(tmp_path / "mx/anna.jpg")]
    assert found.attributes["town"] == ["Köln", "Ulm"]


@pytest.mark.parametrize(("on_disk", "written"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_match_in_any_unicode_form(tmp_path, on_disk, written):
    name = "jörg.jpg"
    photos(tmp_path, [unicodedata.normalize(on_disk, name)])
    text = f"path,label\n{unicodedata.normalize(written, name)},1\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert read_table(tmp_path / "t.csv").paths == [
        str(tmp_path / unicodedata.normalize(on_disk, name))
    ]
    finder = PhotoFinder([str(tmp_path / unicodedata.normalize(on_disk, name))], [tmp_path])
    assert finder.find(unicodedata.normalize(written, name)) == 0


@pytest.mark.parametrize(
    "path",
    [
        "ds/female/f1.jpg",
        "ds\\female\\f1.jpg",
        "F:\\photos\\ds\\female\\f1.jpg",
        " ds/female/f1.jpg ",
        "/home/someone/ds/female/f1.jpg",
    ],
)
def test_a_path_of_another_machine_finds_its_photo(tmp_path, path):
    finder = PhotoFinder([str(tmp_path / "ds/female/f1.jpg")], [tmp_path])
    assert finder.find(path) == 0
    assert finder.find("ds/female/f2.jpg") is None
    assert finder.find("  ") is None


def test_labels_may_be_named(tmp_path):
    (tmp_path / "utk.csv").write_text("path,gender\na.jpg,0\nb.jpg,1\n")
    assert read_table(tmp_path / "utk.csv").labels.tolist() == [0, 1]
    assert read_table(tmp_path / "utk.csv", names=("1", "0")).labels.tolist() == [1, 0]
    with pytest.raises(DataError, match="row 2 has the label '1'"):
        read_table(tmp_path / "utk.csv", names=("F", "0"))


def test_names_beyond_ascii_begin_with_what_excel_needs(tmp_path):
    for name, begins in (("jörg.jpg", b"\xef\xbb\xbfpath"), ("anna.jpg", b"path")):
        samples = Samples([str(tmp_path / name)], np.array([0], np.int8), [""], ["train"])
        write_table(tmp_path / "faces.csv", samples)
        assert (tmp_path / "faces.csv").read_bytes().startswith(begins)
        assert read_table(tmp_path / "faces.csv").paths == samples.paths
