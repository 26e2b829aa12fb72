"""`facegender predict` with videos among the photos."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.prediction.made_videos import Portrait, make_video

pytest.importorskip("av")


@pytest.fixture(scope="module")
def film(astronaut, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    make_video(
        path, [Portrait(astronaut, 0, (175.0, 65.0, 100.0, 130.0))], seconds=2, seed=3, people=1
    )
    return path.read_bytes()


@pytest.fixture
def folder(in_tmp, film, astronaut):
    """Two photos with a film between them."""
    (in_tmp / "in").mkdir()
    Image.fromarray(astronaut).save(in_tmp / "in/a.jpg")
    (in_tmp / "in/b.mp4").write_bytes(film)
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(in_tmp / "in/c.png")
    return in_tmp


def test_videos_stand_between_photos_in_their_order(run, folder):
    out, err = run("predict", "in", "--jsonl", "-q", "--fps", 2)
    first, film, last = map(json.loads, out.splitlines())
    assert set(first) == set(last) == {"path", "error", "faces"}
    assert set(film) == {"path", "error", "seconds", "fps", "tracks", "screen_time"}
    assert [one["path"] for one in (first, film, last)] == ["in/a.jpg", "in/b.mp4", "in/c.png"]
    assert film["tracks"][0]["label"] == "female"
    assert err == ""


def test_csv_has_a_row_a_track_and_columns_for_times(run, folder):
    out, _ = run("predict", "in", "--csv", "-q", "--fps", 2)
    photo, track, nobody = csv.DictReader(io.StringIO(out))
    assert track["path"] == "in/b.mp4"
    assert (track["face"], track["label"], track["landmarks"]) == ("1", "female", "")
    assert float(track["end"]) == pytest.approx(2.0)
    assert track["end_time"] == "0:00:02.000"
    assert photo["start"] == nobody["start"] == ""


def test_a_csv_of_photos_alone_has_no_columns_for_times(run, folder):
    (folder / "in/b.mp4").unlink()
    out, _ = run("predict", "in", "--csv", "-q")
    assert "start" not in out.splitlines()[0]


def test_a_video_named_on_stdin_fits_the_csv(run, folder):
    out, _ = run("predict", "-", "--csv", "-q", stdin=b"in/c.png\nin/b.mp4\n")
    rows = list(csv.reader(io.StringIO(out)))
    assert {len(row) for row in rows} == {13}
    out, _ = run("predict", "-", "--csv", "-q", "--fps", 2, stdin=b"in/c.png\nin/b.mp4\n")
    assert {len(row) for row in csv.reader(io.StringIO(out))} == {19}


def test_a_table_says_when(run, folder):
    out, _ = run("predict", "in/b.mp4", "-q", "--end", "0:01")
    assert "0:00:00.000 to 0:00:01.000" in out


def test_videos_without_a_suffix_are_known_by_their_beginning(run, folder, film):
    (folder / "film").write_bytes(film)
    out, _ = run("predict", "film", "--jsonl", "-q", "--keyframes")
    assert "tracks" in json.loads(out)


def test_a_broken_video_costs_only_itself(run, folder):
    (folder / "in/b.mp4").write_text("no film")
    out, err = run("predict", "in", "--jsonl", "-q", code=3)
    lines = list(map(json.loads, out.splitlines()))
    assert "not a video" in lines[1]["error"]
    assert lines[0]["faces"] and lines[2]["error"] is None
    assert err.startswith("Failed: in/b.mp4: not a video")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty", "no photos or videos in this folder; --recursive searches its subfolders"),
        ("empty/*", "matches files, but no photos or videos"),
    ],
)
def test_where_neither_is_both_are_named(run_here, folder, name, words):
    (folder / "empty").mkdir()
    (folder / "empty/notes.txt").write_text("mine")
    _, err = run_here("predict", name, code=1)
    assert f"{name}: {words}" in err
    assert "there is no photo or video to predict" in err


def test_videos_are_kept_and_sorted(run, folder):
    run(
        *("predict", "in/b.mp4", "-q", "--fps", 2, "--sort", "sorted", "--crops", "crops"),
        *("--frames", "frames", "--subtitles", "subtitles", "--annotate", "annotate"),
    )
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        *("sorted/female/in/b.mp4", "crops/in/b.mp4.1.png", "frames/in/b.mp4.csv"),
        *("subtitles/in/b.mp4.ass", "subtitles/in/b.mp4.vtt", "annotate/in/b.mp4"),
    } <= made


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--fps", 5, "--keyframes"), "contradict"),
        (("--fps", 0), "must be above 0"),
        (("--start", "soon"), "malformed time"),
        (("--start", 5, "--end", 4), "not after the start"),
        (("--engine", "ray", "--output", "x", "--subtitles", "y"), "only writes Parquet"),
    ],
)
def test_impossible_options_are_refused_before_any_work(run, folder, options, words):
    _, err = run("predict", "in", *options, code=2)
    assert words in err


def test_without_pyav_videos_in_folders_are_left_out_with_a_word(run, folder):
    (folder / "blocked").mkdir()
    (folder / "blocked/sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'av' else real(name, *a)\n"
    )
    import os

    there = os.environ.get("PYTHONPATH", "")
    path = {"PYTHONPATH": f"{folder / 'blocked'}{os.pathsep}{there}"}
    out, err = run("predict", "in", "--jsonl", **path)
    assert len(out.splitlines()) == 2
    assert err.count("PyAV is not installed") == 1
    out, err = run("predict", "in/b.mp4", "--jsonl", "-q", code=3, **path)
    assert "pip install 'facegender[video]'" in err


def test_nothing_of_videos_is_imported_for_photos(folder):
    import subprocess
    import sys

    code = (
        "import sys; sys.argv = ['facegender', 'predict', 'in/a.jpg', '-q', '--jsonl']\n"
        "import runpy\n"
        "try: runpy.run_module('facegender', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([m for m in ('av', 'pysubs2', 'scipy') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_stop_within_a_video_is_resumed_within_it(run, folder, monkeypatch):
    """What a killed run leaves: an unfinished file of answers, its log, and a journal."""
    run("predict", "in", "-o", "whole.jsonl", "-q", "--fps", 10)
    expected = (folder / "whole.jsonl").read_text()
    assert not list(folder.glob(".*.facegender-video"))  # all is answered
    stop = folder / "stop"
    stop.mkdir()
    (stop / "sitecustomize.py").write_text(
        "from facegender.prediction import video_journal as v\n"
        "flush, count = v.VideoJournal.flush, [0]\n"
        "def stopped(self):\n"
        "    flush(self)\n"
        "    count[0] += 1\n"
        "    if count[0] == 3:\n"  # the head, a first group, a second one
        "        import os, signal\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "v.VideoJournal.flush = stopped\n"
        "from facegender.prediction import video\n"
        "video.BATCH = 8\n"
    )
    import os

    path = {"PYTHONPATH": f"{stop}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    run("predict", "in", "-o", "out.jsonl", "-q", "--fps", 10, code=-9, **path)
    journal = folder / ".out.jsonl.facegender-video"
    assert journal.read_bytes().count(b"\n") == 17
    assert (folder / "out.jsonl").read_text().count("\n") == 1  # the photo before it
    _, err = run("predict", "in", "-o", "out.jsonl", "--fps", 10, code=2)
    assert "--resume" in err
    run("predict", "in", "-o", "out.jsonl", "-q", "--fps", 10, "--resume")
    assert (folder / "out.jsonl").read_text() == expected
    assert not journal.exists()


def test_what_is_in_the_way_of_a_table_costs_only_the_table(run, folder):
    (folder / "frames/in").mkdir(parents=True)
    (folder / "frames/in/b.mp4.csv").write_text("mine")
    options = ["--frames", "frames", "--jsonl", "-q", "--fps", 2]
    out, err = run("predict", "in/b.mp4", *options, code=3)
    (film,) = map(json.loads, out.splitlines())
    assert film["seconds"] == pytest.approx(2)
    assert film["tracks"]
    assert "in the way" in err
    assert (folder / "frames/in/b.mp4.csv").read_text() == "mine"


def test_only_holds_for_tables_too(run, folder):
    run("predict", "in", "--frames", "frames", "--only", "male", "--jsonl", "-q", "--fps", 2)
    assert not [path for path in folder.rglob("frames/*") if path.is_file()]


def test_a_still_webp_is_a_photo_even_with_frames(run, folder, astronaut):
    Image.fromarray(astronaut).save(folder / "in/d.webp")
    first, *rest = (Image.fromarray(astronaut).resize((200, 200)).rotate(n) for n in range(3))
    first.save(folder / "in/e.webp", save_all=True, append_images=rest, duration=200)
    out, _ = run("predict", "in", "--frames", "frames", "--jsonl", "-q", "--fps", 2)
    kinds = {one["path"]: "tracks" in one for one in map(json.loads, out.splitlines())}
    assert (kinds["in/d.webp"], kinds["in/e.webp"]) == (False, True)
