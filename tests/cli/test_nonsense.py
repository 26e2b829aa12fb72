"""Every option of every command is checked before a photo is opened, and nonsense ends with 2."""

import os
import sys

import pytest
import typer

from facegender.cli import app
from facegender.errors import UsageError

NUMBERS = ("abc", "-1", "nan")
COUNTS = ("abc", "0", "1.5")
SHARES = ("abc", "-0.1", "1.5", "nan")
FILES = ("no/such/file", "photos")
"""Places where no file can be written: no folder for it, and a folder."""
FOLDERS = ("faces.csv", "faces.csv/below")
"""Places where no folder can be made."""
MISSING = ("no/such/thing",)
WORDS = ("nonsense", "")

CONTEXT = {
    "predict": ["photos", "-r", "--model", "model"],
    "train": ["faces.csv", "--output", "new", "--init", "none"],
    "eval": ["faces.csv", "--model", "model", "--by", "gender"],
    "prepare": ["photos", "--output", "new.csv", "--crops", "new", "--force"],
    "review": ["answers.jsonl", "--no-browser"],
    "count": ["answers.jsonl"],
    "explain": ["photos/female/female-0/0.jpg", "--model", "model"],
    "export": ["model", "--format", "litert", "--output", "new"],
    "info": ["model"],
}
"""A command that would succeed."""

NONSENSE = {
    "predict": {
        "--model": MISSING,
        "--min-face": COUNTS,
        "--min-score": SHARES,
        "--threshold": ("abc", "0.2", "1.5", "nan"),
        "--output": FILES,
        "--annotate": FOLDERS,
        "--crops": FOLDERS,
        "--sort": FOLDERS,
        "--only": WORDS,
        "--summary": WORDS,
        "--attributes": MISSING,
        "--engine": WORDS,
        "--shard-size": (*COUNTS, "500"),
        "--fps": ("abc", "0", "-1", "nan"),
        "--start": NUMBERS,
        "--end": NUMBERS,
        "--frames": FOLDERS,
        "--subtitles": FOLDERS,
        "--workers": COUNTS,
    },
    "train": {
        "--output": FOLDERS,
        "--arch": WORDS,
        "--init": (*WORDS, "no/such/model"),
        "--epochs": COUNTS,
        "--crop-kind": WORDS,
        "--size": ("abc", "", "64", "0x0", "20x20", "9999x9999"),
        "--seed": ("abc", "-1", "99999999999"),
        "--batch-size": COUNTS,
        "--lr": (*NUMBERS, "0", "inf"),
        "--schedule": WORDS,
        "--patience": COUNTS,
        "--weight-decay": (*NUMBERS, "2"),
        "--label-smoothing": (*NUMBERS, "1"),
        "--mixup": (*NUMBERS, "99"),
        "--start-share": (*SHARES, "0.5"),  # it mixes in a start, and there is none
        "--also": ("nonsense", "", "gender,nonsense"),
        "--freeze": ("abc", "-1", "5"),  # there is no start
        "--teacher": MISSING,
        "--teacher-share": (*SHARES, "0.5"),  # there is no teacher
        "--doubt": ("nonsense", "", "nonsense:a=.5", "gender:female=2", "gender:nobody=.5"),
        "--devices": WORDS,
        "--precision": WORDS,
        "--workers": COUNTS,
        "--on-change": WORDS,
        "--tensorboard": FOLDERS,
    },
    "eval": {
        "--model": MISSING,
        "--split": WORDS,
        "--where": ("nonsense", "", "nonsense=1", "gender=nonsense"),
        "--by": ("nonsense", "", "gender,nonsense"),
        "--target-accuracy": (*SHARES, "0", "5"),
        "--compare": MISSING,
        "--predictions": FILES,
        "--against": MISSING,
        "--min-accuracy": SHARES,
        "--min-group-accuracy": SHARES,
        "--report": FILES,
        "--gallery": ("abc", "-1"),
        "--record": ("", " "),
        "--seed": ("abc", "-1"),
        "--output": (*FILES, "new.json"),  # without --json
        "--workers": COUNTS,
    },
    "prepare": {
        "--output": (*FILES, "new.json", "new"),
        "--labels": MISSING,
        "--attributes": MISSING,
        "--apart-from": MISSING,
        "--split": (*WORDS, "folders"),  # these photos lie in no folders of splits
        "--val": SHARES,
        "--test": SHARES,
        "--seed": ("abc", "-1"),
        "--min-size": COUNTS,
        "--crops": (*FOLDERS, "photos"),
        "--size": ("abc", "", "64", "0x0", "9999x9999"),
        "--align": WORDS,
        "--like": MISSING,
        "--faces": WORDS,
        "--format": WORDS,
        "--min-face": COUNTS,
        "--workers": COUNTS,
    },
    "review": {
        "--output": FILES,
        "--sample": COUNTS,
        "--photos": COUNTS,
        "--by": WORDS,
        "--attributes": MISSING,
        "--seed": ("abc", "-1"),
        "--annotator": ("", " "),
        "--port": ("abc", "-1", "65536"),
        "--model": MISSING,
        "--workers": COUNTS,
    },
    "count": {
        "--labels": MISSING,
        "--by": WORDS,
        "--attributes": MISSING,
        "--model": MISSING,
        "--plan": ("abc", "0", "0.5", "-1", "nan"),
        "--unit": WORDS,
        "--output": (*FILES, "new.txt"),
        "--report": FILES,
    },
    "explain": {
        "--output": (*FILES, "no/such/file.png", "explained.txt"),
        "--face": COUNTS,
        "--model": MISSING,
    },
    "export": {
        "--format": WORDS,
        "--output": (*FOLDERS, "no/such/folder"),
        "--photos": MISSING,
        "--calibrate": (*MISSING, "photos"),  # without --int8
        "--max-difference": SHARES,
        "--max-flips": SHARES,
        "--workers": COUNTS,
    },
    "info": {},
}
ANY_TEXT = {("prepare", "--female"), ("prepare", "--male"), ("train", "--credit")}
"""Options that no text is nonsense for: names and titles."""

COMMANDS = typer.main.get_command(app).commands


def options_with_a_value(command):
    for option in COMMANDS[command].params:
        if option.param_type_name == "option" and not option.is_flag:
            yield option.opts[0]


class Opened:
    """Counts photos that are opened, by whatever function of Python's."""

    def __init__(self):
        self.photos = []
        self.active = False
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.active and event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.fsdecode(arguments[0])
            if path.endswith((".jpg", ".png")):
                self.photos.append(path)


OPENED = Opened()


@pytest.fixture
def work(in_tmp, monkeypatch):
    """A folder of photos, their table and a model."""
    from facegender.dataset.prepare import prepare
    from facegender.models.default_model import BUNDLED
    from tests.conftest import make_tree

    make_tree(in_tmp / "photos", persons=3, photos=1)
    prepare("photos", "faces.csv", workers=1)
    (in_tmp / "model").symlink_to(BUNDLED)
    (in_tmp / "answers.jsonl").write_text('{"path": "a.jpg", "error": null, "faces": []}\n')
    monkeypatch.setattr(OPENED, "photos", [])
    monkeypatch.setattr(OPENED, "active", True)
    return in_tmp


def exit_code(command, *arguments):
    one = [] if command in ("count", "explain", "info") else ["--workers", "1"]
    try:
        app([command, *one, *arguments])
    except SystemExit as end:
        return end.code
    except UsageError:
        return 2
    return 0


def test_nonsense_is_known_for_every_option():
    assert set(NONSENSE) == set(CONTEXT) == set(COMMANDS)
    for command, known in NONSENSE.items():
        expected = {o for o in options_with_a_value(command) if (command, o) not in ANY_TEXT}
        assert set(known) == expected


@pytest.mark.parametrize(
    ("command", "option"), [(c, option) for c, known in NONSENSE.items() for option in known]
)
def test_nonsense_is_refused_before_a_photo_is_opened(work, command, option, capsys):
    before = sorted(path.name for path in work.iterdir())
    for value in NONSENSE[command][option]:
        assert exit_code(command, *CONTEXT[command], f"{option}={value}") == 2, value
    assert OPENED.photos == []
    assert sorted(path.name for path in work.iterdir()) == before


def test_the_counter_counts(work, capsys):
    assert exit_code("predict", "photos", "-r", "--model", "model") == 0
    assert len(set(OPENED.photos)) == 6


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_options_and_values_of_flags_are_refused(work, command, capsys):
    assert exit_code(command, *CONTEXT[command], "--nonsense") == 2
    flags = [o.opts[0] for o in COMMANDS[command].params if getattr(o, "is_flag", False)]
    for flag in flags:
        assert exit_code(command, *CONTEXT[command], f"{flag}=nonsense") == 2, flag
    assert OPENED.photos == []
