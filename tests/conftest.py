"""Made photos for every machine; real faces where there are some."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import filelock
import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("COLUMNS", "200")

MakePhoto = Callable[..., Path]


def pattern(label: int, seed: int, size: tuple[int, int] = (48, 56)) -> np.ndarray:
    """A made "face": noise with a bright disc (female) or a dark bar (male), easy to learn."""
    width, height = size
    random = np.random.default_rng(seed)
    pixels = random.integers(60, 160, (height, width, 3)).astype(np.uint8)
    y, x = np.mgrid[:height, :width]
    if label == 0:
        disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(size) / 4) ** 2
        pixels[disc] = (250, 220, 210)
    else:
        pixels[height // 2 - 6 : height // 2 + 6] = (10, 20, 40)
    return pixels


def encoded(pixels: np.ndarray, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no model or option chosen from outside."""
    monkeypatch.chdir(tmp_path)
    for name in (*(n for n in os.environ if n.startswith("FACEGENDER_")), "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def make_tree(root: Path, persons: int = 6, photos: int = 3, names=("female", "male")) -> Path:
    """Gender folders of persons, each photo different."""
    for label, name in enumerate(names):
        for person in range(persons):
            folder = root / name / f"{name}-{person}"
            folder.mkdir(parents=True)
            for photo in range(photos):
                pixels = pattern(label, seed=label * 10_000 + person * 100 + photo)
                (folder / f"{photo}.jpg").write_bytes(encoded(pixels, quality=92))
    return root


MakeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Return a folder, filled by the first process of this test run that asks for it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def make_once(name: str, fill: Callable[[Path], object]) -> Path:
        folder, whole = shared / name, shared / f"{name}.whole"
        with filelock.FileLock(shared / f"{name}.lock"):
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of one that failed
                folder.mkdir()
                fill(folder)
                whole.touch()
        return folder

    return make_once


@pytest.fixture(scope="session")
def toy_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("toy") / "photos", persons=10, photos=4)


@pytest.fixture(scope="session")
def toy_csv(toy_tree: Path) -> Path:
    """faces.csv of the made photos: 80 photos of 20 persons."""
    from facegender.dataset.prepare import prepare
    from facegender.dataset.settings import PrepareSettings

    out = toy_tree.parent / "faces.csv"
    prepare(toy_tree, out, PrepareSettings(val=0.2, test=0.2, seed=1), workers=1)
    return out


@pytest.fixture(scope="session")
def toy_model(toy_csv: Path, make_once: MakeOnce) -> Path:
    """A compact model trained for a few epochs on the made photos; nobody may change it."""

    def fill(folder: Path) -> None:
        from facegender.training.settings import TrainSettings
        from facegender.training.train import train

        settings = TrainSettings(
            epochs=6, batch_size=16, seed=1, augment=False, crop="photo", init="none"
        )
        train(toy_csv, folder / "gender_model", settings, workers=1)

    return make_once("model", fill) / "gender_model"


@pytest.fixture(scope="session")
def finding_model(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made model, told to look for faces first: where it looks is real, what it says is not."""
    folder = tmp_path_factory.mktemp("finding") / "gender_model"
    shutil.copytree(toy_model, folder)
    manifest = json.loads((folder / "facegender.json").read_text())
    manifest["crop"] = {"kind": "box", "size": "64x64", "margin": 0.2}
    (folder / "facegender.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A photo of one person, 512x512, in the public domain."""
    return pytest.importorskip("skimage.data").astronaut()


@pytest.fixture(scope="session")
def repo() -> Path:
    """The repository, or skip: the tests may run on an installed wheel, away from it."""
    root = Path(__file__).parents[1]
    if not (root / "facegender" / "__init__.py").is_file():
        pytest.skip("needs the repository")
    return root


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real faces, or skip."""
    given = os.environ.get("FACEGENDER_TEST_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "gender_pic").is_dir():
        pytest.skip("no real faces here: set FACEGENDER_TEST_DATA")
    return folder
