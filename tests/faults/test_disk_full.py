"""The disk is full: a sentence and exit code 1, the old files as they were, no half file."""

import contextlib
import hashlib
import os
import subprocess

import pytest

from facegender.errors import FaceGenderError
from facegender.faces.extraction import cache_crops
from facegender.faces.geometry import Geometry
from facegender.models.bundle import KERAS, LITERT, load_bundle, save_bundle
from facegender.training.settings import TrainSettings
from facegender.training.state import read_state
from facegender.training.train import train
from tests.conftest import make_tree
from tests.faults.kills import FACEGENDER, OLD, Train, environment, temporary

FULL = ("No space left on device", "File too large")
FACTS = {
    "fingerprint": "01d01d01d01d01d0",
    "crop": {"kind": "photo", "size": "64x64"},
    "threshold": 0.7,
    "temperature": 1.0,
}
LIMIT = 3000
"""Bytes that a process may write to one file where no small disk can be had."""


@pytest.fixture
def small_disk(tmp_path):
    """Mounts small file systems; skips where that is not allowed."""
    mounted = []

    def mount(size):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run(command, capture_output=True).returncode == 0:
                mounted.append(folder)
                return folder
        pytest.skip("no small disk can be mounted here")

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)])


def fill(folder):
    """Take all the space that is left."""
    with (folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 1024)


@pytest.fixture(params=["a full disk", "a limit of the process"])
def tight(request, tmp_path, small_disk):
    """A folder, a way to fill it, and a way to start commands that will not get through there."""
    if request.param == "a full disk":
        folder = small_disk("256k")
        return folder, lambda: fill(folder), {}
    resource = pytest.importorskip("resource")
    folder = tmp_path / "limited"
    folder.mkdir()
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))}
    return folder, lambda: None, limit


def content(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "filler"
    }


def assert_fails(*arguments, cwd, **options):
    """Run a command that must fail with one sentence; return it."""
    done = subprocess.run(
        [*FACEGENDER, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        **options,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert any(reason in done.stderr for reason in FULL), done.stderr
    return done.stderr


def test_prepare(tight, tmp_path):
    folder, use_up, options = tight
    make_tree(tmp_path / "few", persons=4, photos=1)
    make_tree(tmp_path / "many", persons=15, photos=10)
    for photos in ("few", "many"):
        arguments = ("prepare", photos, "--output", folder / "faces.csv")
        if photos == "few":
            assert subprocess.run([*FACEGENDER, *map(str, arguments)], cwd=tmp_path).returncode == 0
    before = content(folder)
    assert len(before) == 3
    use_up()
    assert "cannot write" in assert_fails(*arguments, cwd=tmp_path, **options)
    assert content(folder) == before
    assert not temporary(folder)


def test_predict(tight, tmp_path, model):
    folder, use_up, options = tight
    make_tree(tmp_path / "photos", persons=15, photos=10)
    (folder / "out.json").write_text(OLD)
    use_up()
    arguments = ("predict", "photos", "-r", "-q", "--no-detect", "--model", model, "--json")
    assert "cannot write" in assert_fails(
        *arguments, "--output", folder / "out.json", cwd=tmp_path, **options
    )
    assert (folder / "out.json").read_text() == OLD
    assert not temporary(folder)


@pytest.mark.parametrize("option", ["--report", "--predictions"])
def test_eval(tight, tmp_path, toy_csv, model, option):
    folder, use_up, options = tight
    (folder / "result").write_text(OLD)
    use_up()
    arguments = ("eval", toy_csv, "-q", "--model", model, "--no-leaks", "--split", "all")
    assert "cannot write" in assert_fails(
        *arguments, option, folder / "result", cwd=tmp_path, **options
    )
    assert (folder / "result").read_text() == OLD
    assert not temporary(folder)


def test_the_cache_of_crops(small_disk, toy_tree):
    """The space is taken before hours are spent on reading photos."""
    folder = small_disk("256k")
    paths = [str(path) for path in sorted(toy_tree.rglob("*.jpg"))]
    with pytest.raises(FaceGenderError, match="cache of crops: No space left"):
        cache_crops(paths, Geometry("photo", 64, 64), folder=folder, workers=1)
    assert not any(folder.iterdir())
    assert os.statvfs(folder).f_bfree * os.statvfs(folder).f_frsize >= 250_000
    crops, failed = cache_crops(paths[:9], Geometry("photo", 64, 64), folder=folder, workers=1)
    assert crops[:].any(axis=(1, 2, 3)).all()
    assert not failed


@pytest.mark.slow
def test_a_checkpoint(small_disk, tmp_path, toy_csv):
    """The disk fills up in the first epoch; once there is room, it ends as if it never had."""
    settings = TrainSettings(seed=3, crop="photo", init="none", batch_size=16, epochs=2, patience=2)
    train(toy_csv, tmp_path / "whole", settings, workers=1)
    disk = small_disk("17m")
    case = Train(tmp_path / "train", toy_csv, 2)
    case.written = disk / "model"
    error = assert_fails(*case.arguments(), cwd=tmp_path)
    assert "cannot write" in error
    assert case.judge() == "a newer whole state"
    assert read_state(case.written).epoch == 0
    assert len(content(case.written)) == 2, "what no state names is no use and takes space"
    subprocess.run(["mount", "-o", "remount,size=99m", str(disk)], check=True)
    train(toy_csv, case.written, resume=True, workers=1)
    assert load_bundle(case.written).fingerprint == load_bundle(tmp_path / "whole").fingerprint


def test_a_save_of_a_model(small_disk):
    """The new generation goes where its manifest could not be written any more."""
    folder = small_disk("256k")
    contents = {KERAS: b"k" * 50_000, LITERT: b"t" * 20_000}
    old = save_bundle(folder, contents, FACTS)
    before = content(folder)
    large = {KERAS: b"k" * 100_000, LITERT: b"t" * 100_000}
    with pytest.raises(FaceGenderError, match="No space left"):
        save_bundle(folder, large, FACTS | {"fingerprint": "0123456789abcdef"})
    assert content(folder) == before
    assert load_bundle(folder).fingerprint == old.fingerprint == FACTS["fingerprint"]
