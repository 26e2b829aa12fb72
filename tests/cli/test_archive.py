"""`predict --engine`: what is refused, what photos are meant. Runs of Ray are in tests/archive."""

import os
import subprocess
import sys

import pytest

from facegender.cli._archive import photo_names
from facegender.cli._inputs import Inputs
from facegender.errors import FaceGenderError, UsageError
from facegender.images.download import DownloadLimits
from tests.archive.conftest import s3  # noqa: F401 - a fixture


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--engine", "spark"], "unknown --engine 'spark'"),
        (["--engine", "ray"], "needs a folder for the answers"),
        (["--engine", "ray", "-o", "out", "--csv"], "only writes Parquet"),
        (["--engine", "ray", "-o", "out", "--annotate", "x"], "only writes Parquet"),
        (["--engine", "ray", "-o", "out", "--only", "female"], "only writes Parquet"),
        (["--engine", "ray", "-o", "out", "--resume"], "only writes Parquet"),
        (["--shard-size", "9"], "--shard-size is for --engine ray"),
    ],
)
def test_what_makes_no_sense_is_refused(run, in_tmp, options, sentence):
    _, err = run("predict", "a.jpg", *options, code=2)
    assert sentence in err
    assert not list(in_tmp.iterdir())


def test_without_the_extra_it_says_what_to_install(whole_model, monkeypatch, tmp_path):
    from facegender.archive.score import score_archive

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FaceGenderError, match="needs ray") as raised:
        score_archive(["a.jpg"], tmp_path / "out", whole_model)
    assert "pip install 'facegender[ray]'" in raised.value.hint
    assert not (tmp_path / "out").exists()


@pytest.fixture
def whole_model():
    from facegender.models.default_model import BUNDLED
    from facegender.prediction.predictor import Predictor

    return Predictor(BUNDLED, detect=False, workers=1)


def test_nothing_else_imports_ray_or_arrow():
    code = (
        "import sys, facegender.cli, facegender.archive.score\n"
        "from facegender.prediction.predictor import Predictor\n"
        "Predictor(workers=1)\n"
        "print([m for m in ('ray', 'pyarrow', 'pandas', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def named(*arguments, **how):
    missing = []
    names = list(
        photo_names(list(arguments), Inputs(fetch=False, **how), lambda *a: missing.append(a))
    )
    return names, missing


def test_photos_meant_by_folders_lists_and_patterns(in_tmp):
    for name in ("in/b.jpg", "in/a.png", "in/c/d.jpg", "in/notes.txt"):
        (in_tmp / name).parent.mkdir(parents=True, exist_ok=True)
        (in_tmp / name).touch()
    top = [os.path.join("in", name) for name in ("a.png", "b.jpg")]
    assert named("in") == (top, [])
    assert named("in", recursive=True) == ([*top, os.path.join("in", "c", "d.jpg")], [])
    assert named("in/*.jpg", "x.jpg") == (["in/b.jpg", "x.jpg"], [])


def test_addresses_are_named_and_not_fetched(in_tmp):
    address = "http://127.0.0.1:9/a.jpg"
    with pytest.raises(UsageError, match="is an address"):
        named(address)
    assert named(address, limits=DownloadLimits()) == ([address], [])


def test_photos_in_a_list_as_parquet(in_tmp):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"path": ["a.jpg", "s3://photos/b.jpg"]}), "list.parquet")
    assert named("z.jpg", "list.parquet") == (["z.jpg", "a.jpg", "s3://photos/b.jpg"], [])
    parquet.write_table(arrow.table({"path": ["http://127.0.0.1:9/a.jpg"]}), "web.parquet")
    with pytest.raises(UsageError, match="is an address"):
        named("web.parquet")


def test_photos_in_a_bucket(s3, in_tmp):  # noqa: F811
    for name in ("in/b.jpg", "in/a.PNG", "in/c/d.jpg", "in/notes.txt", "in/.e.jpg"):
        s3.objects[f"photos/{name}"] = b"x"
    top = ["s3://photos/in/a.PNG", "s3://photos/in/b.jpg"]
    assert named("s3://photos/in") == (top, [])
    assert named("s3://photos/in/", recursive=True) == ([*top, "s3://photos/in/c/d.jpg"], [])
    assert named("s3://photos/in/b.jpg", "x.jpg") == (["s3://photos/in/b.jpg", "x.jpg"], [])
    names, ((empty, why),) = named("s3://photos/none")
    assert (names, empty) == ([], "s3://photos/none")
    assert "no photos" in why
