"""The wheel and the source archive: all that is needed, and nothing else that is large."""

import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

PAGE = "facegender/review/page/"
REVIEW = ("review.html", "review.css", "common.js", "faces.js", "photos.js", "icon.svg")
MODEL = "facegender/models/default/"
BUNDLE = {
    "facegender.json",
    "model.keras",
    "model.tflite",
    "history.csv",
    "history.svg",
    "README.md",
}
KEPT = ("pyproject.toml", ".gitignore", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md")
PHOTO = b"\xff\xd8 somebody's face"


@pytest.fixture(scope="module")
def source(repo, tmp_path_factory):
    """A copy of the repository in which lies what must not be packed."""
    pytest.importorskip("hatchling")
    root = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("facegender", "tests", "examples"):
        shutil.copytree(repo / name, root / name, ignore=ignored)
    for name in (*KEPT, "constraints.txt"):
        shutil.copy(repo / name, root)
    for name in (
        f"{MODEL}last/state.json",
        f"{MODEL}.facegender-x.tmp",
        "facegender/me.jpg",
        "tests/real/someone.png",
        "examples/holiday/a.heic",
        "gender_model/model.keras",
        "faces.csv",
        "portrait.png",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PHOTO)
    return root


def build(root: Path, out: Path, kind: str) -> Path:
    from hatchling.builders.sdist import SdistBuilder
    from hatchling.builders.wheel import WheelBuilder

    builder = WheelBuilder if kind == "wheel" else SdistBuilder
    versions = ["standard"]
    return Path(next(builder(str(root)).build(directory=str(out), versions=versions)))


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """Name -> size of every file in the wheel, and the wheel's own size under ''."""
    file = build(source, tmp_path_factory.mktemp("wheel"), "wheel")
    with zipfile.ZipFile(file) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    return sizes | {"": file.stat().st_size}


def test_the_wheel_holds_the_package_and_the_model(wheel, repo):
    from facegender import __version__

    modules = {path.relative_to(repo).as_posix() for path in repo.glob("facegender/**/*.py")}
    about = f"facegender-{__version__}.dist-info/"
    metadata = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert set(wheel) == {
        "",
        *modules,
        "facegender/py.typed",
        *(PAGE + name for name in REVIEW),
        *(MODEL + name for name in BUNDLE),
        *(about + name for name in metadata),
    }


def test_nothing_else_in_the_wheel_is_large(wheel):
    others = {n: s for n, s in wheel.items() if n and not n.startswith(f"{MODEL}model.")}
    assert max(others.values()) < 100_000
    assert sum(others.values()) < 1_500_000
    assert wheel[""] < 10_000_000


def test_the_source_archive_builds_the_same_wheel(source, wheel, tmp_path):
    file = build(source, tmp_path, "sdist")
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (root,) = (tmp_path / "unpacked").iterdir()
    names = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert {*KEPT, "constraints.txt", "PKG-INFO"} < names
    assert {"tests/conftest.py", "tests/benchmarks/README.md", "examples/portrait.py"} < names
    assert not [path for path in root.rglob("*") if path.is_file() and path.read_bytes() == PHOTO]
    again = build(root, tmp_path / "again", "wheel")
    with zipfile.ZipFile(again) as archive:
        assert {e.filename: e.file_size for e in archive.infolist()} == {
            name: size for name, size in wheel.items() if name
        }
