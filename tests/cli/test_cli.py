"""The command line as a process: stdout, stderr, exit codes."""

import contextlib
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import WITH_TINY, environment
from tests.conftest import encoded, make_tree, pattern
from tests.tiny_network import TINY


@pytest.fixture
def photos(in_tmp):
    folder = in_tmp / "some photos"
    (folder / "deeper").mkdir(parents=True)
    for i, name in enumerate(("a.png", "b é.PNG", "deeper/c.png")):
        (folder / name).write_bytes(encoded(pattern(i % 2, i), "PNG"))
    (folder / "notes.txt").write_text("not a photo")
    return folder


def test_help_is_short_of_heavy_imports(run):
    code = (
        "import sys; sys.argv = ['facegender', *sys.argv[1:]]\n"
        "from facegender.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'PIL', 'sklearn'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    for args in (
        ["--help"],
        ["-h"],
        *([c, "--help"] for c in ("prepare", "train", "eval", "predict")),
    ):
        done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
        assert done.stderr == "[]\n"
        assert done.stdout.index("Examples:") < done.stdout.index("Options")


def test_importing_the_package_is_light():
    code = "import facegender, sys; print(len(facegender.__all__), 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split()[1] == "False"


def test_train_help_names_every_network(run):
    from facegender.choices import Arch

    out, _ = run("train", "--help")
    assert all(name in out for name in Arch)


def test_version(run):
    from facegender import __version__

    assert run("--version")[0] == f"facegender {__version__}\n"


TOY = ("--no-augment", "--crop-kind", "photo", "--init", "none")
"""Made photos are learned as they are, and hold no face to find."""


@pytest.mark.parametrize(
    ("arch", "parameters"),
    [(TINY, "1,186"), pytest.param("compact", "888,930", marks=pytest.mark.slow)],
)
def test_the_four_commands_end_to_end(run, in_tmp, arch, parameters):
    make_tree(in_tmp / "photos", persons=10, photos=4)
    out, err = run("prepare", "photos", "--val", "0.2")
    assert "Next:    facegender train" in out
    assert err == ""
    options = ("--arch", arch, "--epochs", "6", "--batch-size", "16", "--seed", "1", *TOY)
    out, err = run("train", *options, program=WITH_TINY)
    assert "Next:    facegender eval" in out
    lines = err.splitlines()
    photos = "48 photos to train, 16 to validate (val)"
    assert lines[0].startswith(f"{arch}: {parameters} parameters, {photos}")
    assert [line.split()[0] for line in lines[2:8]] == ["1", "2", "3", "4", "5", "6"]
    assert lines[-1].startswith("Training is over")
    assert len(lines) == 9, "nothing of TensorFlow's or Keras's own"
    assert not {"━", "\x1b"} & set(err), "a bar is for terminals"
    out, err = run("eval", "--json", "--by", "gender")
    result = json.loads(out)
    assert result["metrics"]["accuracy"]["value"] > 0.8
    assert set(result["groups"]["gender"]) == {"female", "male"}
    assert err == "Model: gender_model (in this folder)\n"
    out, _ = run("eval", "--split", "test")
    assert "recall of women" in out
    out, err = run("predict", "photos/female/female-0/0.jpg")
    assert "female" in out
    assert "Model: gender_model" in err


def test_predict_formats(run, photos, toy_model):
    run("predict", photos, "--json", "--output", "out.json", "--quiet", "--model", toy_model)
    whole = json.loads(open("out.json").read())
    assert (whole["schema"], whole["labels"]) == (1, ["female", "male"])
    assert [os.path.basename(p["path"]) for p in whole["photos"]] == ["a.png", "b é.PNG"]
    out, err = run("predict", photos, "-r", "--jsonl", "-q", FACEGENDER_MODEL=str(toy_model))
    assert [json.loads(line) for line in out.splitlines()][:2] == whole["photos"]
    assert len(out.splitlines()) == 3
    assert err == ""
    out, _ = run("predict", photos, "--csv", "--model", toy_model)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["label"] for row in rows] == [p["faces"][0]["label"] for p in whole["photos"]]
    out, _ = run("predict", photos, "--model", toy_model)
    assert "b é.PNG" in out


def test_lists_on_stdin_and_patterns(run, photos, toy_model):
    options = ("--jsonl", "-q", "--model", toy_model)
    names = [str(photos / "a.png"), str(photos / "b é.PNG")]
    expected = [json.loads(line) for line in run("predict", *names, *options)[0].splitlines()]
    for args, text in [
        (["-"], "\n".join(names) + "\n"),
        (["-"], "\r\n".join(names)),
        (["-0", "-"], "\0".join(names) + "\0"),
        (["-0"], "\0".join(names)),
        ([f"{photos}/*.[pP][nN][gG]"], ""),
    ]:
        out, _ = run("predict", *args, *options, stdin=text.encode())
        assert [json.loads(line) for line in out.splitlines()] == expected


def test_a_broken_photo_is_one_line_and_exit_code_3(run, photos, toy_model):
    (photos / "bad.jpg").write_bytes(b"\xff\xd8 nonsense")
    out, err = run("predict", photos, "no.jpg", "--jsonl", "--model", toy_model, code=3)
    assert len(out.splitlines()) == 4
    failed = [line for line in err.splitlines() if line.startswith("Failed:")]
    assert len(failed) == 2
    assert "bad.jpg" in failed[0]
    assert "no.jpg: no such file" in failed[1]


def test_answers_are_never_written_over_a_photo(run, photos, toy_model):
    before = (photos / "a.png").read_bytes()
    os.link(photos / "a.png", "linked.csv")
    for output in (photos / "a.png", "linked.csv"):
        options = ("--csv", "--output", output, "--model", toy_model)
        err = run("predict", photos, *options, code=2)[1]
        assert "is the name of a photo" in err or "facegender did not write it" in err
    assert (photos / "a.png").read_bytes() == before


def test_an_edited_table_is_not_replaced_unasked(run_here, in_tmp):
    run = run_here
    make_tree(in_tmp / "photos")
    run("prepare", "photos")
    run("prepare", "photos")
    text = Path("faces.csv").read_text().replace(",train", ",test", 1)
    Path("faces.csv").write_text(text)
    assert "was edited since prepare wrote it" in run("prepare", "photos", code=1)[1]
    assert Path("faces.csv").read_text() == text
    run("prepare", "photos", "--force")
    Path("mine.json").write_text('{"precious": 1}')
    _, err = run("prepare", "photos", "--output", "mine.csv", code=1)
    assert "was not written by prepare" in err
    assert (
        "is not the name of a table" in run("prepare", "photos", "--output", "mine.json", code=2)[1]
    )
    assert (
        "is one of the inputs"
        in run("prepare", "--labels", "faces.csv", "--output", "faces.csv", code=2)[1]
    )


def _wait_until_it_listens(process):
    """Wait until the process catches SIGTERM: on a busy machine Python itself starts slowly."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        time.sleep(1)
        return
    for _ in range(3000):
        caught = dict(line.split(":", 1) for line in status.read_text().splitlines())["SigCgt"]
        if int(caught, 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.02)
    pytest.fail("it never began to listen")


@pytest.fixture(scope="module")
def slow_photos():
    """Two large photos, which take a while to decode."""
    large = (np.kron(pattern(label, label), np.ones((60, 60, 1), np.uint8)) for label in (0, 1))
    return [encoded(pixels, "PNG", compress_level=1) for pixels in large]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["prepare photos", "predict photos -r --jsonl"])
def test_a_stop_while_photos_are_decoded_is_no_broken_photo(
    in_tmp, toy_model, slow_photos, number, command
):
    for i in range(30):  # fewer than one chunk: decoded in the main process
        folder = in_tmp / "photos" / ("female", "male")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.png").write_bytes(slow_photos[i % 2] + bytes([i]))  # no two are alike
    process = subprocess.Popen(
        [sys.executable, "-m", "facegender", *command.split()],
        env=os.environ | {"FACEGENDER_MODEL": str(toy_model)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_until_it_listens(process)
    time.sleep(0.3)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("it ended before the signal came")
    assert process.returncode == 128 + number, err
    assert "Failed" not in err
    assert not Path("faces.csv").exists()


def test_closed_streams(photos, toy_model):
    command = f"{sys.executable} -m facegender predict -q --model {toy_model}"
    photo = f"'{photos}/a.png'"
    for line, code, out in [
        (f"{command} - <&-", 1, b""),
        (f"{command} {photo} --jsonl 2>&-", 0, b'{"path"'),
        (f"{command} {photo} >&-", 0, b""),
        (f"{command} {photo} --csv --output /dev/stdout | cat", 0, b"path,error"),
        (f"{command} {photo} --csv > /dev/full", 1, b""),
    ]:
        done = subprocess.run(line, shell=True, capture_output=True)
        assert done.returncode == code, (line, done.stderr)
        assert done.stdout.startswith(out)
        assert b"fault of facegender" not in done.stderr


def test_names_that_are_not_utf8_or_hold_newlines(run, photos, toy_model):
    odd = os.fsencode(photos) + b"/caf\xe9\n.png"
    shutil.copy(photos / "a.png", odd)
    out, _ = run("predict", photos, "--json", "--model", toy_model)
    assert any(p["path"].endswith("caf\\udce9\n.png") for p in json.loads(out)["photos"])
    out, _ = run("predict", photos, "--model", toy_model)
    assert "caf\\udce9\\n.png" in out


@pytest.mark.parametrize(
    ("args", "message", "code"),
    [
        (["predict"], "no photo given", 2),
        (["predict", "x.jpg", "--json", "--csv"], "contradict each other", 2),
        (["predict", "x.jpg", "--threshold", "0.2"], "the threshold is 0.2", 2),
        (["predict", "x.jpg", "--model", "nowhere"], "'nowhere' does not exist", 2),
        (["predict", "*.nothing"], "*.nothing: no file matches this pattern", 1),
        (["predict", "."], ".: no photos", 1),
        (["prepare"], "no folder given", 2),
        (["prepare", "nowhere"], "no such folder: nowhere", 1),
        (["prepare", ".", "--val", "0.7", "--test", "0.7"], "leave something to train on", 2),
        (["train"], "cannot read faces.csv", 1),
        (["train", "--resume", "--force"], "contradict each other", 2),
        (["train", "--arch", "vgg", "x.csv"], "unknown --arch 'vgg'", 2),
        (["eval", "--split", "holdout"], "unknown --split 'holdout'", 2),
        (["train", "--no-such-option"], "No such option", 2),
        (["frobnicate"], "No such command", 2),
    ],
)
def test_errors_are_sentences(run_here, toy_model, args, message, code):
    if args[0] in ("eval", "predict") and "--model" not in args:
        args = [*args, "--model", toy_model]
    out, err = run_here(*args, code=code)
    assert message in err.replace("\n", " ")
    assert out == ""


def test_columns_of_also_may_have_blanks_around_them(run_here, toy_csv):
    _, err = run_here("train", toy_csv, "--also", " age, race", code=2)
    assert "--also age: the table has no such column" in err


def test_debug_shows_the_traceback(run):
    for args in (["--debug", "train"], ["train", "--debug"]):
        assert "Traceback" in run(*args, code=1)[1]


def test_a_closed_pipe_is_no_traceback(photos, toy_model):
    names = "\n".join([str(photos / "a.png")] * 2000)
    command = f"{sys.executable} -m facegender predict - --jsonl -q --model {toy_model} | head -1"
    done = subprocess.run(command, shell=True, input=names.encode(), capture_output=True)
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_a_stopped_training_is_saved_and_resumed(run, toy_csv, in_tmp, number, code):
    options = ("--arch", TINY, "--epochs", "20", "--patience", "20", "--batch-size", "16", *TOY)
    process = subprocess.Popen(
        [sys.executable, *WITH_TINY, "train", toy_csv, "--output", "cut", *options],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.split()[:1] == ["1"]:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    if process.returncode == 0:
        pytest.skip("the training ended before the signal came")
    assert process.returncode == code, err
    assert "Run the same command with --resume to continue" in err
    _, unfinished = run("predict", "-q", "--model", "cut", _any_photo(toy_csv), code=1)
    assert "go on with: facegender train --resume" in unfinished
    assert len(json.loads(open("cut/last/state.json").read())["history"]) < 20
    resume = ("train", toy_csv, "--output", "cut", "--resume", "--quiet")
    _, err = run(*resume, program=WITH_TINY)
    assert err == ""
    run("predict", "-q", "--model", "cut", _any_photo(toy_csv))
    assert len(json.loads(open("cut/last/state.json").read())["history"]) == 20


def _any_photo(toy_csv):
    from facegender.dataset.table import read_table

    return read_table(toy_csv).paths[0]


def test_a_killed_prepare_leaves_no_half_table(in_tmp):
    make_tree(in_tmp / "photos", persons=30, photos=8)
    for delay in (0.05, 0.25, 0.45):
        command = [sys.executable, "-m", "facegender", "prepare", "photos"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        if os.path.exists("faces.csv"):
            assert open("faces.csv").read().count("\n") == 481


@pytest.mark.slow
def test_a_terminal_sees_a_bar(toy_csv, in_tmp):
    import pty

    small = ("--epochs", "2", "--size", "32x32", *TOY)
    command = [sys.executable, "-m", "facegender", "train", str(toy_csv), *small]
    parent, child = pty.openpty()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=child, env=os.environ | {"TERM": "xterm"}
    )
    os.close(child)
    seen = b""
    with contextlib.suppress(OSError):  # raised when the other side closes
        while chunk := os.read(parent, 65536):
            seen += chunk
    assert process.wait() == 0
    assert b"Epoch 1/2" in seen
    assert "━".encode() in seen
    assert b"images/s" in seen
