"""A stopped run goes on within a video, and its answer is that of one that was not stopped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePath

import numpy as np
import pytest

from facegender.errors import FaceGenderError
from facegender.images.video import Sampling, Video
from facegender.prediction.predictor import Predictor
from facegender.prediction.video import predict_video
from facegender.prediction.video_journal import VideoJournal
from facegender.prediction.video_outputs import VideoOutputs, VideoOutputSettings
from tests.prediction import made_videos

av = pytest.importorskip("av")

SAMPLING = Sampling(fps=5)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(Path(made_videos.__file__).parents[2] / "facegender/models/default", workers=1)


@pytest.fixture(scope="module")
def film(astronaut, predictor, tmp_path_factory) -> Path:
    (face,) = predictor.detector(astronaut)
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    portrait = made_videos.Portrait(astronaut, 0, face.box)
    made_videos.make_video(path, [portrait], seconds=5, seed=5, people=2)
    return path


def digest(path: Path) -> str:
    """What tells a file: a test that compares bytes and fails compares them for minutes more."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def answer(predictor, film, folder, journal):
    """The answer as JSON, and what tells the files with all faces and the crops."""
    settings = VideoOutputSettings(crops=folder / "crops", frames=folder / "frames")
    outputs = VideoOutputs(film, PurePath("film.mp4"), SAMPLING, settings)
    with outputs.collecting():
        prediction = predict_video(
            predictor, film, SAMPLING, on_frame=outputs.on_frame, journal=journal
        )
    outputs.write(prediction)
    files = {p.name: digest(p) for p in folder.rglob("*") if p.is_file()}
    return prediction.to_json(), files


class CountingPredictor:
    """A predictor that counts the faces that it is asked for."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor, self.asked = predictor, 0

    def classify(self, crops):
        self.asked += len(crops)
        return self._predictor.classify(crops)

    def __getattr__(self, name):
        return getattr(self._predictor, name)


def test_going_on_gives_the_same_answer_wherever_the_run_was_stopped(predictor, film, tmp_path):
    whole = tmp_path / "journal"
    with VideoJournal(whole, film, {}, crops=True) as journal:
        expected = answer(predictor, film, tmp_path / "whole", journal)
    lines = whole.read_bytes().splitlines(keepends=True)
    assert len(lines) == 26
    for kept in (1, 2, 9, 16, 26):
        place = tmp_path / f"stopped{kept}"
        # A killed run tears its last line.
        place.write_bytes(b"".join(lines[:kept]) + lines[-1][:50])
        counting = CountingPredictor(predictor)
        with VideoJournal(place, film, {}, crops=True) as journal:
            assert (journal.last is None) == (kept == 1)
            assert answer(counting, film, tmp_path / f"out{kept}", journal) == expected
        assert digest(place) == digest(whole)
        faces = [len(json.loads(line)["faces"]) for line in lines[1:]]
        assert counting.asked == sum(faces[kept - 1 :])


@pytest.mark.parametrize("change", ["facts", "video", "crops", "damage"])
def test_a_journal_of_something_else_is_begun_anew(predictor, film, tmp_path, change):
    place, other = tmp_path / "journal", tmp_path / "film.mp4"
    other.write_bytes(film.read_bytes())
    with VideoJournal(place, other, {"fps": 5}) as journal:
        predict_video(predictor, other, Sampling(fps=1, end=2), journal=journal)
    with VideoJournal(place, other, {"fps": 5}) as journal:
        assert journal.last == pytest.approx(1.0)
    if change == "video":
        other.write_bytes(film.read_bytes() + b"\0")
    if change == "damage":
        place.write_bytes(b"no journal\n")
    facts = {"fps": 1 if change == "facts" else 5}
    with VideoJournal(place, other, facts, crops=change == "crops") as journal:
        assert journal.last is None
        assert list(journal.frames()) == []
    assert place.read_bytes().count(b"\n") == 1


def test_a_full_disk_ends_the_run_with_a_sentence(predictor, film, tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no full device here")
    with VideoJournal(tmp_path / "journal", film, {}) as journal:
        journal._file = full.open("wb", buffering=0)
        with pytest.raises(FaceGenderError, match="No space left"):
            predict_video(predictor, film, Sampling(1), journal=journal)


def test_a_video_is_read_on_from_a_time(film):
    with Video(film, SAMPLING) as video:
        times = [frame.time for frame in video.frames()]
    for after in times[::7]:
        with Video(film, SAMPLING, after) as video:
            rest = [frame.time for frame in video.frames()]
        assert rest == [time for time in times if time > after]


def test_what_changed_between_frames_is_the_same_when_read_on(film):
    with Video(film, Sampling(1)) as video:
        frames = list(video.frames())
    with Video(film, Sampling(1), frames[1].time) as video:
        rest = list(video.frames())
    assert [one.change for one in rest] == [one.change for one in frames[2:]]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(rest, frames[2:], strict=True))


def test_damage_is_told_once_wherever_the_run_was_stopped(predictor, film, tmp_path):
    path = tmp_path / "damaged.mp4"
    data = bytearray(film.read_bytes())
    with av.open(str(film)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    for packet in packets[60:70]:
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    whole = tmp_path / "journal"
    with VideoJournal(whole, path, {}) as journal:
        expected = predict_video(predictor, path, SAMPLING, journal=journal)
    assert str(expected.error).startswith("damaged: ")
    lines = whole.read_bytes().splitlines(keepends=True)
    for kept in (3, len(lines) // 2, len(lines) - 1, len(lines)):
        place = tmp_path / f"stopped{kept}"
        place.write_bytes(b"".join(lines[:kept]))
        with VideoJournal(place, path, {}) as journal:
            found = predict_video(predictor, path, SAMPLING, journal=journal)
        assert str(found.error) == str(expected.error)
        assert len(found.tracks) == len(expected.tracks)
