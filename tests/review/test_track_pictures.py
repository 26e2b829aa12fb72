"""Tracks of videos are reviewed: shown at their best and in three more frames."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from facegender.dataset.review_labels import read_review_labels
from facegender.errors import DataError, PhotoError, UsageError
from facegender.evaluation.answered import read_answers as counted
from facegender.review.pictures import Pictures
from facegender.review.sources import read_answers
from facegender.review.start import PHOTOS, ReviewSettings, open_session
from facegender.review.track_pictures import Moment, frame_at, moments_of, picture_of_track

av = pytest.importorskip("av")

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30))


def track(*times: float) -> dict:
    moments = [{"time": time, "box": [40, 20, 30, 30]} for time in times]
    return {
        "box": [40, 20, 30, 30],
        "seconds": 2.0,
        "probabilities": {"female": 0.2, "male": 0.8},
        "best": moments[0],
        "more": moments[1:],
    }


@pytest.fixture
def film(tmp_path, monkeypatch):
    """Four seconds, each of a colour."""
    monkeypatch.chdir(tmp_path)
    with av.open("film.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(100):
            pixels = np.full((96, 160, 3), COLOURS[number // 25], np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return tmp_path / "film.mp4"


def close(pixels: np.ndarray, colour: int) -> bool:
    return bool(np.abs(pixels.astype(int) - COLOURS[colour]).max() < 30)


def test_tracks_that_are_seen_best_at_the_same_place_stay_two(film, tmp_path):
    """As where a scene is repeated: each is drawn, and its label counts for it alone."""
    element = {"path": str(film), "error": None, "tracks": [track(0.48), track(2.48)]}
    element["tracks"][1]["probabilities"] = {"female": 0.9, "male": 0.1}
    answers = tmp_path / "a.jsonl"
    answers.write_text(json.dumps(element) + "\n")
    session = open_session(read_answers(answers), ReviewSettings(tmp_path / "labels.csv", "ada"))
    assert len(session.items) == 2
    woman = next(n for n, item in enumerate(session.items) if item.p_male == 0.1)
    session.answer(woman, "female")
    session.close()
    labels = read_review_labels(tmp_path / "labels.csv")
    (match,) = counted(answers, labels=labels).matches
    assert match.unit == 1


def test_of_an_animated_picture_the_frame_at_the_moment_is_shown(tmp_path):
    """Not the one before, which may be of another person."""
    path = tmp_path / "film.gif"
    first, *rest = (Image.new("RGB", (160, 96), colour) for colour in COLOURS)
    first.save(path, save_all=True, append_images=rest, duration=1000)
    for number in range(4):
        pixels, size = frame_at(str(path), float(number))
        assert close(pixels[5, 5], number)
        assert size == (160, 96)


def test_a_track_is_shown_at_its_best_and_in_three_more_frames(film):
    moments = moments_of(track(2.48, 0.0, 1.0, 3.96))
    picture = picture_of_track(str(film), moments, 1.0, (96, 640))
    pixels = np.asarray(Image.open(io.BytesIO(picture.data)))
    assert pixels.shape == (96 + 32, 96, 3)
    assert picture.size == (160, 96)
    assert close(pixels[40, 48], 2)
    assert [close(pixels[112, 16 + 32 * i], colour) for i, colour in enumerate((0, 1, 3))] == [
        True
    ] * 3


def test_a_track_without_times_is_not_shown():
    assert moments_of({"box": [1, 2, 3, 4]}) == ()
    assert moments_of({"best": {"time": 1, "box": [1, 2, 0, 4]}}) == ()
    assert moments_of({"best": {"time": "soon", "box": [1, 2, 3, 4]}}) == ()
    assert moments_of({"best": {"time": 1, "box": [1, 2, 3, 4]}}) == (
        Moment(1.0, (1.0, 2.0, 3.0, 4.0)),
    )


def test_a_video_that_is_gone_or_shorter_is_said(film, tmp_path):
    with pytest.raises(PhotoError, match="no such file"):
        picture_of_track("gone.mp4", [Moment(1.0, (1.0, 2.0, 30.0, 40.0))], 2, (96, 640))
    with pytest.raises(PhotoError, match=r"no frame at 9\.000 s"):
        picture_of_track(str(film), [Moment(9.0, (1.0, 2.0, 30.0, 40.0))], 2, (96, 640))


def test_the_tracks_of_answers_are_the_faces_of_a_session(film, tmp_path):
    element = {"path": "film.mp4", "error": None, "tracks": [track(1.0), track(1.0, 2.0)]}
    element["tracks"][1]["best"] = {"time": 3.0, "box": [60, 20, 30, 30]}
    photo = {"path": "a.jpg", "error": None, "faces": []}
    (tmp_path / "answers.jsonl").write_text(json.dumps(element) + "\n" + json.dumps(photo) + "\n")
    answers = read_answers(tmp_path / "answers.jsonl")
    boxes = [(40.0, 20.0, 30.0, 30.0), (60.0, 20.0, 30.0, 30.0)]
    assert [face.box for face in answers.faces] == boxes
    assert [face.p_male for face in answers.faces] == [0.8, 0.8]
    session = open_session(answers, ReviewSettings(tmp_path / "labels.csv", "1"))
    assert {(item.path, item.box) for item in session.items} == set(answers.moments)
    session.close()
    pictures = Pictures(answers.moments)
    shapes = [
        np.asarray(Image.open(io.BytesIO(made.result(20).data))).shape[:2]
        for made in (pictures.face(str(film), boxes[1]), pictures.thumb(str(film), boxes[1]))
    ]
    assert shapes == [(96 + 96, 96), (144, 144)]
    pictures.close()
    with pytest.raises(UsageError, match="not photos"):
        open_session(answers, ReviewSettings(tmp_path / "photos.csv", "1", PHOTOS))


def test_a_csv_of_videos_alone_has_nothing_to_review(film, tmp_path):
    (tmp_path / "answers.csv").write_text(
        "path,error,face,x,y,width,height,landmarks,score,label,female,male,uncertain,seconds\n"
        "film.mp4,,1,40,20,30,30,,0.9,male,0.2,0.8,no,2.0\n"
    )
    with pytest.raises(DataError, match="does not say where"):
        read_answers(tmp_path / "answers.csv")
