"""`facegender review`: options checked before any work, and what it prints."""

import os
import signal
import subprocess
import sys

import pytest

from facegender.dataset.review_labels import SETTLED, LabelsWriter, ReviewLabel
from tests.review.conftest import answers, photos  # noqa: F401  # fixtures


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--photos", "3", "--uncertain"], "contradict each other"),
        (["--settle", "--uncertain"], "contradict each other"),
        (["--photos", "3", "--sample", "5"], "--sample is for faces"),
        (["--uncertain", "--by", "folder"], "--by says how to draw"),
        (["--annotator", " "], "is no name"),
        (["--annotator", "settled"], "is no name"),
        (["--output", "labels.txt"], "names no CSV file"),
        (["--output", "nowhere/labels.csv"], "no such folder"),
        (["--output", "answers.csv"], "is what is to be reviewed"),
        (["--sample", "0"], "--sample"),
        (["--port", "70000"], "--port"),
    ],
)
def test_options_that_make_no_sense_are_refused(run, in_tmp, options, why):
    (in_tmp / "answers.csv").write_text("path,label\n")
    _, err = run("review", "answers.csv", *options, code=2)
    assert why in err


def test_a_missing_source_is_said(run):
    assert "nothing.jsonl" in run("review", "nothing.jsonl", code=2)[1]


def test_without_the_extra_one_sentence_says_how_to_install_it(in_tmp):
    (in_tmp / "answers.jsonl").touch()
    code = (
        "import sys\n"
        "import importlib.util as util\n"
        "real = util.find_spec\n"
        "util.find_spec = lambda n, p=None: None if n in ('starlette', 'uvicorn') else real(n, p)\n"
        "sys.argv = ['facegender', 'review', 'answers.jsonl']\n"
        "from facegender.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "starlette, uvicorn" in done.stderr
    assert "pip install 'facegender[review]'" in done.stderr


def test_help_imports_nothing_heavy(in_tmp):
    code = (
        "import sys\nsys.argv = ['facegender', 'review', '--help']\n"
        "from facegender.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'starlette', 'uvicorn', 'jinja2', 'numpy', 'PIL', 'tensorflow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.skipif(os.name != "posix", reason="ends it by a signal")
def test_it_prints_the_address_and_what_it_came_to(in_tmp, answers):  # noqa: F811
    pytest.importorskip("uvicorn")
    labels = in_tmp / "labels.csv"
    writer = LabelsWriter(labels)
    box = (20.0, 10.0, 60.0, 70.0)
    said = {"1.jpg": ("male", "female"), "2.jpg": ("male", "female", "male")}
    for photo, given in said.items():
        for name, label in zip(("ada", "ben", SETTLED), given, strict=False):
            path = str(in_tmp / "photos" / photo)
            writer.append(ReviewLabel(path, box, label, name, "", "faces", 1.0))
    writer.close()
    command = [sys.executable, "-m", "facegender", "review", str(answers), "--no-browser"]
    process = subprocess.Popen(
        [*command, "--annotator", "ada"], stdout=-1, stderr=-1, text=True, cwd=in_tmp
    )
    line = process.stderr.readline()
    assert line.startswith("Review at http://127.0.0.1:")
    second = subprocess.run(command, capture_output=True, text=True, cwd=in_tmp)
    assert "is being written by another review" in second.stderr
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "2 of 8 faces answered: 2 male." in out
    assert "The model agrees on 0 of 2" in out
    assert "ada and ben agree on 0 of 2 faces; Cohen's kappa 0.00" in out
    assert "Disagreements to settle: 1." in out, "the second face is settled"
    assert "Traceback" not in err


@pytest.mark.skipif(os.name != "posix", reason="ends it by a signal")
def test_a_signal_right_after_the_address_ends_it(in_tmp, answers):  # noqa: F811
    command = [sys.executable, "-m", "facegender", "review", str(answers), "--no-browser"]
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(command, stdout=-1, stderr=-1, text=True, cwd=in_tmp)
        process.stderr.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 128 + number
        assert "every answer is saved" in err
