"""labels.csv as a table of faces."""

import pytest

from facegender.dataset.reviewed import is_reviewed, read_reviewed
from facegender.errors import DataError

HEAD = "path,box,label,annotator,sample,probability,stratum\n"


@pytest.fixture
def write(tmp_path):
    def write(text):
        (tmp_path / "labels.csv").write_text(text)
        return tmp_path / "labels.csv"

    return write


def test_what_people_said_is_counted_apart(write):
    file = write(
        HEAD + "a.jpg,1 2 3 4,female,x,faces,.5,p\na.jpg,9 2 3 4,male,x,faces,.5,p\n"
        "b.jpg,1 2 3 4,not_face,x,faces,.25,q\nc.jpg,1 2 3 4,untellable,x,faces,.5,p\n"
        "d.jpg,,not_face,x,photos,.5,p\n"
        "e.jpg,1 2 3 4,male,x,faces,.5,p\ne.jpg,1 2 3 4,female,y,faces,.5,p\n"
    )
    found = read_reviewed(file)
    assert found.samples.labels.tolist() == [0, 1]
    assert found.samples.attributes["box"] == ["1 2 3 4", "9 2 3 4"]
    assert found.samples.attributes["stratum"] == ["p", "p"]
    assert [box for _, box in found.not_faces] == [(1, 2, 3, 4)]
    assert (found.untellable, found.split) == (2, 1)
    assert not found.unequal
    assert not found.chosen


def test_beside_a_random_sample_chosen_faces_are_left_out(write):
    text = HEAD + "a.jpg,1 2 3 4,female,x,faces,.5,\nb.jpg,1 2 3 4,male,x,uncertain,,\n"
    assert len(read_reviewed(write(text)).samples) == 2
    found = read_reviewed(write(text), sampled=True)
    assert (len(found.samples), found.left_out, found.chosen) == (1, 1, False)
    alone = read_reviewed(write(HEAD + "b.jpg,1 2 3 4,male,x,uncertain,,\n"), sampled=True)
    assert (len(alone.samples), alone.left_out, alone.chosen) == (1, 0, True)


def test_different_probabilities_are_noticed(write):
    text = HEAD + "a.jpg,1 2 3 4,female,x,faces,.5,p\nb.jpg,1 2 3 4,male,x,faces,.1,q\n"
    assert read_reviewed(write(text)).unequal


def test_labels_of_nothing_are_refused(write):
    with pytest.raises(DataError, match="calls no face female or male"):
        read_reviewed(write(HEAD + "b.jpg,1 2 3 4,untellable,x,faces,.5,p\n"))


@pytest.mark.parametrize(
    ("text", "reviewed"),
    [
        ("path,box,label\n", True),
        ("File;Box;Label\n", True),
        ("path,label\na.jpg,1\n", False),
        ("path,label,person,split,photo,box\na.jpg,1,,train,b.jpg,1 2 3 4\n", False),
        ("a.jpg,1\n", False),
        ("", False),
    ],
)
def test_a_table_of_faces_is_known_by_its_columns(write, text, reviewed):
    assert is_reviewed(write(text)) is reviewed


def test_no_file_is_no_labels(tmp_path):
    assert not is_reviewed(tmp_path / "labels.csv")


def test_faces_in_videos_are_left_out_and_counted(write):
    rows = "film.mp4,1 2 3 4,female,x,faces,.5,\n"
    found = read_reviewed(write(HEAD + rows + "b.jpg,1 2 3 4,male,x,faces,.5,\n"))
    assert (len(found.samples), found.of_videos) == (1, 1)
    with pytest.raises(DataError, match="only labels faces in videos"):
        read_reviewed(write(HEAD + rows))
