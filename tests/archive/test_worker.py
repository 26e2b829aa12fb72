"""What a worker does, without Ray."""

from dataclasses import replace

import pytest

pyarrow = pytest.importorskip("pyarrow")

from pyarrow import parquet  # noqa: E402

from facegender.archive.parts import facts_of, part_bytes  # noqa: E402
from facegender.archive.score import _files  # noqa: E402
from facegender.archive.shards import make_plan  # noqa: E402
from facegender.archive.sources import Reader  # noqa: E402
from facegender.archive.store import LocalFolder  # noqa: E402
from facegender.archive.worker import BEGUN, MAX_TRIES, Scorer, ScoringJob  # noqa: E402
from facegender.faces.detection import FaceDetector  # noqa: E402


@pytest.fixture
def work(whole, photos, tmp_path):
    """Make a scorer and the shards of a list of names."""

    def make(names, size=20, **changes):
        folder = LocalFolder(tmp_path)
        reader = Reader(str(photos))
        with folder.opened("_plan") as stream:
            shards = make_plan(names, size, reader, (), stream).missing
        model = {path.name: path.read_bytes() for path in _files(whole)}
        job = ScoringJob(model, whole.threshold, whole.detector, folder, "_plan", reader, far=False)
        return Scorer(replace(job, **changes)), shards

    return make


def names_in(photos):
    return sorted(path.name for path in photos.iterdir())


def test_answers_are_those_of_the_predictor(work, whole, photos, tmp_path):
    scorer, shards = work(names_in(photos))
    done = [scorer.score(shard) for shard in shards]
    assert [(one.photos, one.failed, one.trouble) for one in done] == [
        (20, 0, ""),
        (20, 0, ""),
        (20, 1, ""),
    ]
    ((name, why),) = done[2].failures
    assert name == "059.jpg"
    assert why.startswith("not a photo")
    rows = [r for s in shards for r in parquet.read_table(tmp_path / s.name).to_pylist()]
    expected = [p.to_json() for p in whole.predict([photos / name for name in names_in(photos)])]
    assert [row["path"] for row in rows] == names_in(photos)
    for row, answer in zip(rows, expected, strict=True):
        assert row["error"] == answer["error"]
        assert len(row["faces"]) == len(answer["faces"])
        for ours, theirs in zip(row["faces"], answer["faces"], strict=True):
            pair = ours.pop("probabilities"), theirs.pop("probabilities")
            assert pair[0] == pytest.approx(pair[1], abs=2e-6)
            assert ours == theirs


def test_every_fact_of_a_found_face_survives(astronaut, tmp_path):
    from facegender import Predictor
    from facegender.models.default_model import BUNDLED

    (answer,) = Predictor(BUNDLED, workers=1).predict(astronaut)
    photo = answer.to_json() | {"path": "a.jpg"}
    assert photo["faces"][0]["landmarks"]
    data = part_bytes([photo], {"photos": 1})
    of_videos = dict.fromkeys(("seconds", "fps", "tracks", "screen_time"))
    assert parquet.read_table(pyarrow.BufferReader(data)).to_pylist() == [photo | of_videos]
    assert facts_of(data) == {"photos": 1}
    assert facts_of(data[:-9]) is None
    assert facts_of(b"") is None


def test_a_shard_run_again_writes_nothing_again(work, photos, tmp_path):
    scorer, (shard, *_) = work(names_in(photos))
    first = scorer.score(shard)
    before = (tmp_path / shard.name).stat()
    again = scorer.score(shard)
    assert (again.photos, again.faces, again.trouble) == (first.photos, first.faces, "")
    assert (tmp_path / shard.name).stat().st_mtime_ns == before.st_mtime_ns
    assert not list(tmp_path.glob(f"{BEGUN}*"))


def test_half_a_file_of_answers_is_made_anew(work, photos, tmp_path):
    scorer, (shard, *_) = work(names_in(photos))
    scorer.score(shard)
    whole = (tmp_path / shard.name).read_bytes()
    (tmp_path / shard.name).write_bytes(whole[: len(whole) // 2])
    assert scorer.score(shard).trouble == ""
    assert parquet.read_table(tmp_path / shard.name).num_rows == 20


def test_a_shard_that_kills_its_workers_is_left(work, photos, tmp_path, monkeypatch):
    scorer, (deadly, other, *_) = work(names_in(photos))

    class Killed(BaseException):
        pass

    def die(self, shard, predictor):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Scorer, "_answered", die)
        for _ in range(MAX_TRIES):
            with pytest.raises(Killed):
                scorer.score(deadly)
    done = scorer.score(deadly)
    assert f"{MAX_TRIES} workers died while scoring 20 photos from 000.jpg on" in done.trouble
    assert not done.hopeless
    assert not (tmp_path / deadly.name).exists()
    assert scorer.score(other).trouble == ""


def test_a_folder_that_another_machine_lacks_is_no_answer(work, tmp_path):
    names = [f"{i}.png" for i in range(20)]
    scorer, (shard,) = work(names, far=True)
    assert "none of the 20 photos from 0.png on exists on" in scorer.score(shard).trouble
    assert not (tmp_path / shard.name).exists()
    scorer, (shard,) = work(names)
    assert scorer.score(shard).failed == 20
    scorer, (shard,) = work([*names[1:], "000.jpg"], far=True)
    assert scorer.score(shard).failed == 19


def test_a_store_that_refuses_leaves_the_shard_for_later(work, s3, photos, tmp_path):
    s3.objects["photos/0.jpg"] = (photos / "000.jpg").read_bytes()
    s3.refused.add("photos/1.jpg")
    scorer, (shard,) = work(["s3://photos/0.jpg", "s3://photos/1.jpg"])
    assert "ACCESS_DENIED" in scorer.score(shard).trouble
    assert not (tmp_path / shard.name).exists()
    s3.refused.clear()
    done = scorer.score(shard)
    assert (done.trouble, done.failed, done.failures[0][1]) == ("", 1, "no such file")
    first, second = parquet.read_table(tmp_path / shard.name).to_pylist()
    assert len(first["faces"]) == 1
    assert second["error"] == "no such file"


def test_a_machine_that_would_answer_otherwise_is_hopeless(work, photos, tmp_path):
    for change, message in (
        ({"version": "0.0.9"}, "Install the same version"),
        ({"detector": FaceDetector("mtcnn", 30, 0.7)}, "uses the detector"),
        ({"model": {}}, "holds no model"),
    ):
        scorer, (shard, *_) = work(names_in(photos), **change)
        done = scorer.score(shard)
        assert done.hopeless
        assert message in done.trouble
    assert not list(tmp_path.glob("part-*"))


def test_a_full_disk_leaves_no_half_file(work, photos, tmp_path, monkeypatch):
    scorer, (shard, *_) = work(names_in(photos))

    def full(self, name, data):
        if name == shard.name:
            raise OSError(28, "No space left on device")
        (tmp_path / name).write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFolder, "write", full)
        assert "No space left" in scorer.score(shard).trouble
    assert scorer.score(shard).trouble == ""


def test_videos_are_answered_among_photos(work, whole, photos, tmp_path, astronaut):
    pytest.importorskip("av")
    from facegender.images.video import Sampling
    from facegender.prediction.answer_parts import AnswerParts
    from facegender.prediction.video import predict_video
    from tests.prediction.made_videos import Portrait, make_video

    portrait = Portrait(astronaut, 0, (175.0, 65.0, 100.0, 130.0))
    make_video(photos / "film.mp4", [portrait], seconds=2, seed=3, people=1)
    sampling = Sampling(fps=2)
    names = ["000.jpg", "film.mp4", "gone.mp4", "s3://bucket/film.mp4", "001.jpg"]
    scorer, (shard,) = work(names, sampling=sampling)
    done = scorer.score(shard)
    assert (done.photos, done.failed, done.trouble) == (5, 2, "")
    assert [name for name, _ in done.failures] == ["gone.mp4", "s3://bucket/film.mp4"]
    rows = parquet.read_table(tmp_path / shard.name).to_pylist()
    assert [row["path"] for row in rows] == names
    assert [row["faces"] is None for row in rows] == [False, True, True, True, False]
    expected = predict_video(whole, photos / "film.mp4", sampling).to_json()
    assert {name: rows[1][name] for name in expected if name != "path"} == {
        name: value for name, value in expected.items() if name != "path"
    }
    assert rows[0]["tracks"] is rows[0]["seconds"] is None
    elements = list(AnswerParts(tmp_path / shard.name))
    assert [sorted(one) for one in elements[:2]] == [
        ["error", "faces", "path"],
        ["error", "path", "tracks"],
    ]
    assert elements[1]["tracks"] == expected["tracks"]
