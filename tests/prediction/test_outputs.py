import os
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image

from facegender.dataset.cropping import mirrored
from facegender.errors import PhotoError
from facegender.faces.geometry import Face, Geometry
from facegender.prediction.annotate import draw_faces
from facegender.prediction.outputs import OutputSettings, PredictedPhoto, write_outputs
from facegender.prediction.predictor import FacePrediction, Prediction
from tests.conftest import encoded, pattern

GEOMETRY = Geometry("box", 32, 32)


def face(p_male=0.1, box=(10.0, 12.0, 20.0, 24.0), uncertain=False):
    return FacePrediction(Face(box, None, 0.9), (1 - p_male, p_male), uncertain)


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "in" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(encoded(pattern(0, 1)))
    return path


def job(photo, *faces, place="a.jpg", error=None):
    return PredictedPhoto(str(photo), PurePath(place), Prediction(str(photo), faces, error))


@pytest.mark.parametrize(
    ("faces", "folder"),
    [
        ((face(0.1),), "female"),
        ((face(0.9),), "male"),
        ((face(0.6, uncertain=True),), "uncertain"),
        ((face(0.1), face(0.9)), "several"),
        ((), "none"),
    ],
)
def test_photos_are_linked_into_the_folder_of_their_answer(photo, tmp_path, faces, folder):
    wanted = OutputSettings(GEOMETRY, sort=tmp_path / "out")
    for _ in range(2):  # a second run changes nothing
        assert write_outputs(job(photo, *faces), wanted).error == ""
    (found,) = (p for p in (tmp_path / "out").rglob("*") if not p.is_dir())
    assert found == tmp_path / "out" / folder / "a.jpg"
    assert found.is_symlink()
    assert found.samefile(photo)


@pytest.mark.parametrize("copy", [False, True])
def test_an_answer_that_changed_is_said_and_nothing_is_taken_away(photo, tmp_path, copy):
    wanted = OutputSettings(GEOMETRY, sort=tmp_path / "out", copy=copy)
    assert not write_outputs(job(photo, face(0.1)), wanted).elsewhere
    assert write_outputs(job(photo, face(0.9)), wanted).elsewhere
    assert (tmp_path / "out/female/a.jpg").exists()
    assert (tmp_path / "out/male/a.jpg").exists()


@pytest.mark.parametrize("copy", [False, True])
def test_a_sorted_folder_is_not_sorted_into_itself(photo, tmp_path, copy):
    """Looking at the uncertain ones again must not lose them."""
    out = tmp_path / "out"
    write_outputs(job(photo, face(0.6, uncertain=True)), OutputSettings(GEOMETRY, sort=out))
    link = out / "uncertain/a.jpg"
    again = write_outputs(job(link, face(0.1)), OutputSettings(GEOMETRY, sort=out, copy=copy))
    assert "is in the folder to sort into" in again.error
    assert link.is_symlink()
    assert link.samefile(photo)


def test_pictures_of_other_photos_are_not_written_over(photo, tmp_path):
    other = tmp_path / "other.jpg"
    other.write_bytes(encoded(pattern(1, 2)))
    wanted = OutputSettings(GEOMETRY, annotate=tmp_path / "m", crops=tmp_path / "k")
    assert write_outputs(job(photo, face()), wanted).error == ""
    before = (tmp_path / "m/a.jpg").read_bytes()
    assert "in the way" in write_outputs(job(other, face()), wanted).error
    assert "in the way" in write_outputs(job(tmp_path / "m/a.jpg", face()), wanted).error
    assert (tmp_path / "m/a.jpg").read_bytes() == before


def test_crops_of_fewer_faces_leave_none_behind(photo, tmp_path):
    wanted = OutputSettings(GEOMETRY, crops=tmp_path / "k")
    write_outputs(job(photo, face(), face(), face()), wanted)
    (tmp_path / "k/a.jpg.4.png").write_bytes(b"somebody's own")
    write_outputs(job(photo, face()), wanted)
    assert sorted(p.name for p in (tmp_path / "k").iterdir()) == ["a.jpg.1.png", "a.jpg.4.png"]


def test_other_bytes_of_the_same_name_are_in_the_way(photo, tmp_path):
    wanted = OutputSettings(GEOMETRY, sort=tmp_path / "s")
    first = PredictedPhoto(
        photo.read_bytes(), PurePath("stdin.jpg"), Prediction("stdin", (face(),))
    )
    second = PredictedPhoto(
        encoded(pattern(1, 9)), PurePath("stdin.jpg"), Prediction("stdin", (face(),))
    )
    assert write_outputs(first, wanted).error == write_outputs(first, wanted).error == ""
    assert "in the way" in write_outputs(second, wanted).error


def test_copies_are_copies_and_a_link_that_fails_becomes_one(photo, tmp_path, monkeypatch):
    assert not write_outputs(
        job(photo, face()), OutputSettings(GEOMETRY, sort=tmp_path / "c", copy=True)
    ).copied
    assert not (tmp_path / "c/female/a.jpg").is_symlink()
    assert (tmp_path / "c/female/a.jpg").read_bytes() == photo.read_bytes()

    def fail(*_args, **_options):
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", fail)
    assert write_outputs(job(photo, face()), OutputSettings(GEOMETRY, sort=tmp_path / "d")).copied
    assert (tmp_path / "d/female/a.jpg").read_bytes() == photo.read_bytes()


def test_nothing_of_the_users_is_written_over(photo, tmp_path):
    """Another file with that name stays, whether marked copies, crops or links are wanted."""
    before = photo.read_bytes()
    others = [tmp_path / "m/a.jpg", tmp_path / "k/a.jpg.1.png", tmp_path / "s/female/a.jpg"]
    for other in others:
        other.parent.mkdir(parents=True)
        other.write_bytes(b"somebody's own")
    for wanted in (
        OutputSettings(GEOMETRY, annotate=tmp_path / "m"),
        OutputSettings(GEOMETRY, crops=tmp_path / "k"),
        OutputSettings(GEOMETRY, sort=tmp_path / "s"),
        OutputSettings(GEOMETRY, sort=tmp_path / "s", copy=True),
        OutputSettings(GEOMETRY, annotate=photo.parent),
    ):
        assert "in the way" in write_outputs(job(photo, face()), wanted).error
    assert [other.read_bytes() for other in others] == [b"somebody's own"] * 3
    assert photo.read_bytes() == before


def test_our_own_pictures_are_written_anew(photo, tmp_path):
    wanted = OutputSettings(GEOMETRY, annotate=tmp_path / "m", crops=tmp_path / "k")
    assert write_outputs(job(photo, face(), face()), wanted).error == ""
    assert write_outputs(job(photo, face(0.9)), wanted).error == ""
    with Image.open(tmp_path / "k/a.jpg.1.png") as crop:
        assert crop.size == (32, 32)


def test_a_mirrored_tree_keeps_equal_names_apart(photo, tmp_path):
    wanted = OutputSettings(GEOMETRY, annotate=tmp_path / "m")
    for place in ("x/a.heic", "y/a.heic", "x/a.jpg"):
        write_outputs(job(photo, face(), place=place), wanted)
    names = sorted(p.relative_to(tmp_path / "m").as_posix() for p in (tmp_path / "m").rglob("*.*"))
    assert names == ["x/a.heic.jpg", "x/a.jpg", "y/a.heic.jpg"]


def test_a_photo_that_failed_leaves_nothing(photo, tmp_path):
    error = PhotoError("truncated", "truncated")
    assert (
        write_outputs(job(photo, error=error), OutputSettings(GEOMETRY, sort=tmp_path / "s")).error
        == ""
    )
    assert not (tmp_path / "s").exists()


def test_bytes_can_be_kept_too(photo, tmp_path):
    data = photo.read_bytes()
    source = PredictedPhoto(data, PurePath("stdin.jpg"), Prediction("stdin", (face(),)))
    write_outputs(source, OutputSettings(GEOMETRY, tmp_path / "m", tmp_path / "k", tmp_path / "s"))
    assert (tmp_path / "s/female/stdin.jpg").read_bytes() == data
    assert (tmp_path / "m/stdin.jpg").exists()
    assert (tmp_path / "k/stdin.jpg.1.png").exists()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("./a/b.jpg", "a/b.jpg"),
        ("/a/b.jpg", "a/b.jpg"),
        ("../b.jpg", "_up/b.jpg"),
        ("a/../../b.jpg", "a/_up/_up/b.jpg"),
        ("/", "photo"),
        ("", "photo"),
    ],
)
def test_places_stay_inside(name, place):
    assert mirrored(name) == PurePath(place)


@pytest.mark.parametrize("size", [(48, 56), (640, 480), (3000, 200), (200, 3000)])
def test_boxes_and_words_are_drawn_inside_at_any_size(size):
    photo = np.full((size[1], size[0], 3), 128, np.uint8)
    width, height = size
    corners = [(0, 0), (width - 20, 0), (0, height - 24), (width - 20, height - 24)]
    faces = tuple(
        face(0.9, (x, y, 20.0, 24.0), uncertain=i == 1) for i, (x, y) in enumerate(corners)
    )
    drawn = np.asarray(draw_faces(photo, faces))
    times = drawn.shape[1] / width
    assert times == int(times)
    assert max(drawn.shape[:2]) >= 480
    assert (drawn == (0x56, 0xB4, 0xE9)).all(-1).sum() > 100
    assert (drawn == (255, 255, 255)).all(-1).sum() > 50
    assert (photo == 128).all()


def test_the_source_is_never_opened_for_writing(photo, tmp_path):
    os.chmod(photo, 0o444)
    stamp = photo.stat().st_mtime_ns
    wanted = OutputSettings(GEOMETRY, tmp_path / "m", tmp_path / "k", tmp_path / "s", copy=True)
    assert write_outputs(job(photo, face()), wanted).error == ""
    assert photo.stat().st_mtime_ns == stamp
