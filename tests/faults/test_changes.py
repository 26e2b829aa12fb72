"""What happened to the photos, or to the folder, between one command and the next."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from facegender.dataset.prepare import prepare
from facegender.dataset.settings import PrepareSettings
from facegender.dataset.table import read_table
from facegender.errors import DataError, UsageError
from facegender.evaluation.evaluate import evaluate
from facegender.models.bundle import load_bundle
from facegender.prediction.predictor import Predictor
from facegender.training.events import Warn
from facegender.training.settings import TrainSettings
from facegender.training.train import train
from tests.conftest import make_tree
from tests.faults.kills import FACEGENDER, environment
from tests.tiny_network import TINY

QUICK = TrainSettings(arch=TINY, crop="photo", init="none", epochs=1, batch_size=16, seed=3)
CSV = Path("faces.csv")


def alter(path):
    """Change one byte; size and times stay."""
    facts = os.stat(path)
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 1
    Path(path).write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.fixture
def table(in_tmp):
    """faces.csv of 48 photos."""
    make_tree(in_tmp / "photos", persons=8, photos=3)
    prepare(Path("photos"), CSV, PrepareSettings(val=0.25, test=0.25), workers=1)
    return read_table(CSV)


def refused(**options):
    with pytest.raises(DataError) as caught:
        train(CSV, "m", QUICK, workers=1, **options)
    assert not Path("m").exists()
    return caught.value


def test_a_photo_that_changed_in_one_byte_is_refused_by_name(table):
    alter(table.paths[5])
    error = refused()
    assert error.message == (
        f"1 of 48 photos are changed since prepare, the first is {table.paths[5]}"
    )
    assert "--on-change skip" in error.hint
    CSV.with_suffix(".json").unlink()
    shutil.rmtree("photos/male/male-1")
    assert "3 of 48 photos are no longer there" in refused().message, "known without a sidecar too"


def test_a_removed_folder_and_a_change_are_both_named(table):
    shutil.rmtree("photos/female/female-0")
    Path(table.paths[-1]).write_bytes(b"shorter")
    message = refused().message
    assert (
        "3 of 48 photos are no longer there, the first is photos/female/female-0/0.jpg" in message
    )
    assert f"1 of 48 photos are changed since prepare, the first is {table.paths[-1]}" in message


def test_nothing_is_left_to_learn_from(table):
    shutil.rmtree("photos")
    assert refused(on_change="skip").message == "the train split is empty"


def test_an_unknown_word_is_a_usage_error(table):
    with pytest.raises(UsageError, match="unknown --on-change 'ask'"):
        train(CSV, "m", QUICK, on_change="ask")


def test_skipped_rows_are_left_out_counted_and_stay_so(table, capsys):
    gone = [row for row, split in enumerate(table.splits) if split == "train"][:2]
    os.unlink(table.paths[gone[0]])
    alter(table.paths[gone[1]])
    events = []
    bundle = train(CSV, "m", QUICK, on_change="skip", workers=1, on_event=events.append)
    (warning,) = (event.message for event in events if isinstance(event, Warn))
    assert "1 of 48 photos are no longer there" in warning
    assert "these rows are left out" in warning
    data = bundle.manifest["data"]
    assert data["left_out"] == 2
    assert sum(data["splits"]["train"].values()) == table.splits.count("train") - 2
    assert "2 rows were left out" in bundle.files["README.md"].read_text()

    rest = table.take([row for row in range(len(table)) if row not in gone])
    others = [path for path, split in zip(rest.paths, rest.splits, strict=True) if split == "train"]
    with pytest.raises(DataError, match="no longer there"):
        train(CSV, "m", resume=True, workers=1)
    again = train(CSV, "m", resume=True, on_change="skip", workers=1)
    assert again.fingerprint == bundle.fingerprint
    alter(others[0])
    with pytest.raises(DataError, match="without the rows left out is not what the training"):
        train(CSV, "m", resume=True, on_change="skip", workers=1)
    assert load_bundle(Path("m")).fingerprint == bundle.fingerprint


def test_eval_counts_every_row_and_names_what_changed(table, model):
    gone, changed = (row for row, split in enumerate(table.splits) if split == "test"), None
    gone, changed = next(gone), next(gone)
    os.unlink(table.paths[gone])
    alter(table.paths[changed])
    result = evaluate(CSV, Predictor(model, workers=1))
    assert len(result.samples) == table.splits.count("test")
    assert result.unreadable == 1
    (warning,) = (text for text in result.warnings if "every row counts" in text)
    assert f"no longer there, the first is {table.paths[gone]}" in warning
    assert f"changed since prepare, the first is {table.paths[changed]}" in warning
    clean = evaluate(CSV, Predictor(model, workers=1), split="val")
    assert not any("every row counts" in text for text in clean.warnings)


@pytest.fixture
def locked():
    """A folder that nobody may write to, in one that all may enter, and how to be nobody."""
    outer = Path(tempfile.mkdtemp())
    outer.chmod(0o755)
    folder = outer / "locked"
    folder.mkdir()
    prefix = []
    if os.geteuid() == 0:
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        probe = [*prefix, sys.executable, "-c", "import facegender.cli, numpy"]
        try:
            done = subprocess.run(probe, env=environment(), cwd="/", capture_output=True)
        except FileNotFoundError:
            pytest.skip("no setpriv here")
        if done.returncode:
            pytest.skip("another user cannot read this Python")
    yield folder, prefix
    folder.chmod(0o755)
    shutil.rmtree(outer)


@pytest.mark.parametrize(
    "command",
    [
        "prepare {0}/photos --output {0}/faces.csv",
        "predict {0}/photos -r -q --no-detect --csv --output {0}/out.csv --model {0}/model",
        "eval {0}/faces.csv -q --model {0}/model --report {0}/report.html",
        "eval {0}/faces.csv -q --model {0}/model --record Title",
        "train {0}/faces.csv --output {0}/new --crop-kind photo --init none",
        "train {0}/faces.csv --output {0}/model --force --crop-kind photo --init none",
    ],
)
def test_a_read_only_folder_is_a_sentence(locked, model, command):
    folder, prefix = locked
    make_tree(folder / "photos", persons=6, photos=2)
    prepare(folder / "photos", folder / "faces.csv", PrepareSettings(val=0.3, test=0.3), workers=1)
    shutil.copytree(model, folder / "model")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
    done = subprocess.run(
        [*prefix, *FACEGENDER, *command.format(folder).split()],
        cwd="/",
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert "Permission denied" in done.stderr or "cannot be written" in done.stderr
    assert {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")} == before


def test_on_change_from_the_command_line(table):
    shutil.rmtree("photos/male")
    for option, message in (("skip", "one gender only"), ("refuse", "no longer there")):
        done = subprocess.run(
            [*FACEGENDER, "train", "--on-change", option],
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert message in done.stderr
    assert json.loads(CSV.with_suffix(".json").read_text())["schema"] == 1
