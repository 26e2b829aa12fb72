"""`facegender predict` on whole photos."""

import contextlib
import csv
import io
import json
import os
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.conftest import encoded


@pytest.fixture
def holiday(astronaut, in_tmp):
    """A tree with photos of one person, of two and of none, two of the same name."""
    two = np.concatenate([astronaut, np.asarray(Image.fromarray(astronaut).resize((300, 512)))], 1)
    nobody = np.full((200, 300, 3), (30, 120, 200), np.uint8)
    for name, photo in (("a.jpg", astronaut), ("b/a.jpg", two), ("b/c.png", nobody)):
        path = in_tmp / "holiday" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(photo, "PNG" if name.endswith("png") else "JPEG"))
    return in_tmp / "holiday"


def answers(out):
    return [json.loads(line) for line in out.splitlines()]


def test_faces_are_found_with_all_that_the_contract_says(run, holiday, finding_model):
    out, err = run("predict", "holiday", "-r", "--json", "-q", "--model", finding_model)
    result = json.loads(out)
    photos = {photo["path"]: photo for photo in result["photos"]}
    counts = {path: len(photo["faces"]) for path, photo in photos.items()}
    expected = {"holiday/a.jpg": 1, "holiday/b/a.jpg": 2, "holiday/b/c.png": 0}
    assert {path.replace(os.sep, "/"): n for path, n in counts.items()} == expected
    assert all(photo["error"] is None for photo in photos.values())
    (face,) = result["photos"][0]["faces"]
    assert set(face) == {
        *("box", "landmarks", "score", "roll", "label", "probabilities", "uncertain")
    }
    assert all(isinstance(side, int) for side in face["box"])
    assert len(face["landmarks"]) == 5
    assert 0.6 <= face["score"] <= 1
    assert face["probabilities"]["female"] + face["probabilities"]["male"] == pytest.approx(1)
    assert err == ""


def test_table_and_csv_number_the_faces_and_say_no_face(run, holiday, finding_model):
    out, _ = run("predict", "holiday", "-r", "-q", "--model", finding_model)
    assert "no face" in out
    out, _ = run("predict", "holiday", "-r", "-q", "--csv", "--model", finding_model)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["face"] for row in rows] == ["1", "1", "2", ""]
    assert rows[-1]["label"] == ""
    areas = [int(row["width"]) * int(row["height"]) for row in rows[1:3]]
    assert areas == sorted(areas, reverse=True)


def test_a_long_table_is_printed_in_parts_that_lose_nothing(monkeypatch):
    from facegender.cli import _writers as writers
    from facegender.prediction.predictor import Prediction

    monkeypatch.setattr(writers, "TABLE_ROWS", 4)
    photos = [Prediction(f"photo-{i}.jpg", ()) for i in range(10)]
    out = io.StringIO()
    with writers._table(out) as write:
        for photo in photos:
            write(photo)
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines if "no face" in line] == [p.path for p in photos]
    assert sum("how sure" in line for line in lines) == 3
    out = io.StringIO()
    with writers._table(out):
        pass
    assert out.getvalue() == ""


def test_a_table_that_is_interrupted_has_the_answers_until_then():
    from facegender.cli import _writers as writers
    from facegender.errors import Interrupted
    from facegender.prediction.predictor import Prediction

    out = io.StringIO()
    with pytest.raises(Interrupted), writers._table(out) as write:
        write(Prediction("photo.jpg", ()))
        raise Interrupted("stopped")
    assert "photo.jpg" in out.getvalue()


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("out.json", '{"schema": 1'),
        ("out.jsonl", '{"path": "holiday/a.jpg"'),
        ("out.CSV", "path,error,face"),
        ("out.txt", "photo"),
        ("out", "photo"),
    ],
)
def test_the_suffix_of_the_output_gives_the_format(run, holiday, finding_model, name, begins):
    out, err = run("predict", "holiday", "-r", "-o", name, "--model", finding_model)
    assert out == ""
    assert open(name, encoding="utf-8-sig").read().lstrip().startswith(begins)
    assert f"Written: {name}" in err
    run("predict", "holiday", "-r", "-o", name, "--model", finding_model, "-q")  # it is ours


def test_a_photo_is_never_written_over(run, holiday, finding_model):
    before = (holiday / "b/a.jpg").read_bytes()
    for more in ((), ("--csv",), ("--json", "--force")):
        run("predict", "holiday/a.jpg", "-o", "holiday/b/a.jpg", *more, code=2)
    assert (holiday / "b/a.jpg").read_bytes() == before
    (holiday / "notes.txt").write_text("mine")
    _, err = run("predict", "holiday/a.jpg", "-o", "holiday/notes.txt", code=2)
    assert "facegender did not write it" in err
    options = ("-q", "--model", finding_model)
    run("predict", "holiday/a.jpg", "-o", "holiday/notes.txt", "--force", *options)
    assert "how sure" in (holiday / "notes.txt").read_text()


def test_every_run_ends_with_one_line(run, holiday, finding_model):
    (holiday / "broken.jpg").write_bytes(b"no photo")
    _, err = run("predict", "holiday", "-r", "--model", finding_model, code=3)
    (line,) = [line for line in err.splitlines() if " photos: " in line]
    assert line.startswith("4 photos: 3 faces, ")
    assert line.endswith(", 1 without a face, 1 failed")
    _, err = run("predict", "holiday", "-r", "-q", "--model", finding_model, code=3)
    assert " photos: " not in err
    places = ("-o", "a.jsonl", "--crops", "kept", "--sort", "sorted")
    _, err = run("predict", "holiday/broken.jpg", *places, "--model", finding_model, code=3)
    assert err.splitlines()[-1].endswith("1 failed. Written: a.jsonl")  # no folder was made


def test_a_summary_counts_folders_or_a_column(run, holiday, finding_model, in_tmp):
    options = ("-r", "-q", "--model", finding_model)
    out, _ = run("predict", "holiday", "--summary", "folder", "-o", "a.jsonl", *options)
    rows = {line.split()[0]: line.split()[1:3] for line in out.splitlines() if line.strip()}
    assert rows["holiday"] == ["1", "1"]
    assert rows["holiday/b"] == ["2", "2"]
    assert rows["all"] == ["3", "3"]
    (in_tmp / "years.csv").write_text("path,Year\nholiday/a.jpg,1999\nholiday/b/a.jpg,2001\n")
    table = ("--attributes", "years.csv")
    out, _ = run("predict", "holiday", "--summary", "year", *table, "-o", "a.csv", *options)
    assert {"1999", "2001", "(missing)"} <= {
        line.split()[0] for line in out.splitlines() if line.strip()
    }
    run("predict", "holiday", "--summary", "year", "-o", "a.csv", *options, code=2)
    run("predict", "holiday", "--summary", "size", *table, "-o", "a.csv", *options, code=2)
    run("predict", "holiday", "--summary", "folder", "--json", *options, code=2)


def test_only_some_photos_are_shown_and_kept(run, holiday, finding_model, in_tmp):
    options = ("-r", "--model", finding_model)
    out, err = run("predict", "holiday", "--only", "none", "--jsonl", *options)
    assert [photo["path"] for photo in answers(out)] == ["holiday/b/c.png"]
    assert "3 photos: 3 faces" in err
    assert "1 shown (none)" in err
    out, _ = run("predict", "holiday", "--only", "several", "--csv", "--crops", "kept", *options)
    assert {row["path"] for row in csv.DictReader(io.StringIO(out))} == {"holiday/b/a.jpg"}
    assert files_in(in_tmp / "kept") == ["b/a.jpg.1.png", "b/a.jpg.2.png"]
    run("predict", "holiday", "--only", "cats", *options, code=2)


def test_a_stopped_run_keeps_its_answers_and_goes_on(run, holiday, finding_model, in_tmp):
    photo = (holiday / "a.jpg").read_bytes()
    many = in_tmp / "many"
    many.mkdir()
    for i in range(120):
        (many / f"{i:03}.jpg").write_bytes(photo + bytes([i]))
    command = ("predict", "many", "-o", "out.jsonl", "--model", str(finding_model))
    process = subprocess.Popen(
        [sys.executable, "-m", "facegender", *command, "--workers", "1"], stderr=subprocess.PIPE
    )
    out = in_tmp / "out.jsonl"
    end = time.monotonic() + 60
    while time.monotonic() < end and not (out.exists() and out.stat().st_size):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"--resume" in err
    some = answers(out.read_text())
    assert 0 < len(some) < 120
    _, err = run(*command, code=2)
    assert "unfinished run" in err
    _, err = run(*command, "--resume")
    assert [photo["path"] for photo in answers(out.read_text())] == [
        f"many/{i:03}.jpg" for i in range(120)
    ]
    assert "120 photos: 120 faces" in err
    _, err = run(*command, "--resume", "--threshold", "0.9", code=2)
    assert "begun with --threshold 0.7, now with --threshold 0.9" in err
    run("predict", "many", "-o", "out.json", "--resume", code=2)


def test_no_detect_min_face_and_min_score(run, holiday, finding_model):
    options = ("--jsonl", "-q", "--model", finding_model)
    (whole,) = answers(run("predict", "holiday/a.jpg", "--no-detect", *options)[0])
    assert whole["faces"][0]["box"] == [0, 0, 512, 512]
    assert whole["faces"][0]["score"] is None
    for more in (("--min-face", "300"), ("--min-score", "1")):
        (none,) = answers(run("predict", "holiday/a.jpg", *more, *options)[0])
        assert none["faces"] == []
    run("predict", "holiday/a.jpg", "--min-score", "7", *options, code=2)
    run("predict", "holiday/a.jpg", "--min-face", "0", *options, code=2)


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


def test_what_is_kept_mirrors_the_tree(run, holiday, finding_model, in_tmp):
    before = {p: p.read_bytes() for p in holiday.rglob("*.*")}
    kept = ("--annotate", "marked", "--crops", "crops", "--sort", "sorted")
    for _ in range(2):
        run("predict", "holiday", "-r", "-q", "--csv", "--model", finding_model, *kept)
        assert files_in(in_tmp / "marked") == ["a.jpg", "b/a.jpg", "b/c.png"]
        assert files_in(in_tmp / "crops") == ["a.jpg.1.png", "b/a.jpg.1.png", "b/a.jpg.2.png"]
        places = files_in(in_tmp / "sorted")
        assert len(places) == 3
        assert {"none/b/c.png", "several/b/a.jpg"} < set(places)
    assert {p: p.read_bytes() for p in holiday.rglob("*.*")} == before


def test_folders_written_to_are_not_read(run, holiday, finding_model, in_tmp):
    options = ("-r", "-q", "--jsonl", "--model", finding_model, "--annotate", "holiday/marked")
    first = answers(run("predict", "holiday", *options)[0])
    assert answers(run("predict", "holiday", *options)[0]) == first


def test_reading_and_writing_one_folder_is_a_contradiction(run, holiday, finding_model, in_tmp):
    options = ("-r", "-q", "--model", finding_model)
    _, err = run("predict", "holiday", *options, "--sort", "holiday", code=2)
    assert "both an input and an output folder" in err
    (in_tmp / "sorted").mkdir()
    for _ in range(2):
        run("predict", "holiday", "sorted", *options, "--sort", "sorted", code=0)
        run("predict", "**/*.jpg", *options, "--annotate", "marked")
    assert "marked" not in {p.parts[-2] for p in (in_tmp / "marked").rglob("marked/*")}
    assert len(files_in(in_tmp / "sorted")) == 3


def test_a_malformed_address_costs_only_itself(run, holiday, finding_model):
    names = "http://[bad\nholiday/a.jpg\n"
    options = ("--jsonl", "--allow-url", "-q", "--model", finding_model)
    out, _ = run("predict", "-", *options, stdin=names.encode(), code=3)
    first, second = answers(out)
    assert first["error"].startswith("cannot be fetched")
    assert len(second["faces"]) == 1


def test_names_with_carriage_returns_survive_csv(run, holiday, finding_model, in_tmp):
    odd = in_tmp / "cr\rname.jpg"
    try:
        odd.write_bytes((holiday / "a.jpg").read_bytes())
    except OSError:
        pytest.skip("no such names here")
    out, _ = run("predict", odd.name, "--csv", "-q", "--model", finding_model)
    assert len(list(csv.reader(io.StringIO(out, newline="")))) == 2


def test_copy_without_sort_is_a_contradiction(run, holiday):
    _, err = run("predict", "holiday", "--copy", code=2)
    assert "--sort" in err


def test_one_image_on_stdin(run, holiday, finding_model):
    data = (holiday / "a.jpg").read_bytes()
    options = ("--jsonl", "-q", "--model", finding_model)
    (ours,) = answers(run("predict", "--stdin-image", *options, stdin=data)[0])
    (same,) = answers(run("predict", "holiday/a.jpg", *options)[0])
    assert ours == same | {"path": "stdin"}
    out, _ = run("predict", "--stdin-image", *options, stdin=b"", code=3)
    assert "empty" in answers(out)[0]["error"]
    run("predict", "-", "--stdin-image", *options, stdin=data, code=2)


def test_addresses_need_leave(run, in_tmp, finding_model):
    _, err = run("predict", "https://example.org/a.jpg", code=2)
    assert "--allow-url" in err
    options = ("--jsonl", "--allow-url", "--model", finding_model)
    out, err = run("predict", "http://127.0.0.1:9/a.jpg", *options, code=3)
    (answer,) = answers(out)
    assert answer["path"] == "http://127.0.0.1:9/a.jpg"
    assert "this machine or its network" in answer["error"]


def test_a_terminal_sees_a_bar(holiday, finding_model):
    import pty

    parent, child = pty.openpty()
    command = [sys.executable, "-m", "facegender", "predict", "holiday", "-r", "--csv"]
    process = subprocess.Popen(
        [*command, "--model", str(finding_model)],
        stdout=subprocess.PIPE,
        stderr=child,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(child)
    seen = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(parent, 65536):
            seen += chunk
    assert process.wait() == 0
    assert b"Predicting" in seen
    assert b"3/3" in seen


@pytest.mark.parametrize("workers", ["1", "2"])
def test_who_waits_for_each_answer_gets_it(holiday, finding_model, workers):
    command = [sys.executable, "-m", "facegender", "predict", "-", "--jsonl", "-q"]
    options = ["--model", str(finding_model), "--workers", workers, "--crops", "kept"]
    process = subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    answer = process.stdout.readline
    with process:
        for size in (1, 2, 40, 1, 1):  # 40 start the processes that read photos
            process.stdin.write(b"holiday/a.jpg\n" * size)
            assert select.select([process.stdout], [], [], 60)[0], f"no answer to {size} names"
            found = [json.loads(answer()) for _ in range(size)]
            assert [len(photo["faces"]) for photo in found] == [1] * size
        process.stdin.close()
        assert answer() == b""
    assert process.returncode == 0


def test_one_rule_for_what_is_a_photo_in_folders_and_patterns(run, holiday, finding_model, in_tmp):
    photo = (in_tmp / "holiday/a.jpg").read_bytes()
    nas = in_tmp / "nas [2024]"
    for name in ("a.jfif", "noext", "sub/b.pjpeg", "@eaDir/a.jpg/thumb.jpg", "#recycle/c.jpg"):
        (nas / name).parent.mkdir(parents=True, exist_ok=True)
        (nas / name).write_bytes(photo)
    (nas / "a.jpg.json").write_text("{}")

    def photos(*arguments):
        out, err = run("predict", *arguments, "--jsonl", "-q", "--model", finding_model)
        assert "failed" not in err
        names = [json.loads(line)["path"] for line in out.splitlines()]
        return [name.replace(os.sep, "/").removeprefix("nas [2024]/") for name in names]

    assert photos("nas [2024]") == ["a.jfif", "noext"]
    assert photos("nas [2024]", "-r") == ["a.jfif", "noext", "sub/b.pjpeg"]
    assert photos("nas [2024]/**") == ["a.jfif", "noext", "sub/b.pjpeg"]
    assert photos("nas [2024]/*") == ["a.jfif", "noext"]
    _, err = run("predict", "nas [2024]/no [1].jpg", code=3)
    assert "no such file" in err
