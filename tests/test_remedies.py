"""What an error tells its reader to do next must be what helps."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from facegender.cli._preparation_display import _next_step
from facegender.errors import BundleError, FaceGenderError, UsageError, schema_hint
from facegender.faces.geometry import Geometry
from facegender.images.encode import save_picture
from facegender.models.bundle import load_bundle
from facegender.models.default_model import BUNDLED
from facegender.options import check_output_file, check_output_folder
from facegender.prediction import outputs
from facegender.prediction.predictor import Prediction
from facegender.runtime.files import cannot_write


def test_a_file_of_a_model_is_told_to_be_named_by_its_folder(tmp_path):
    with pytest.raises(BundleError, match="is a file, not a model folder") as caught:
        load_bundle(BUNDLED / "model.keras")
    assert caught.value.hint == f"Name the folder: {BUNDLED}"
    (tmp_path / "model.h5").write_bytes(b"")
    with pytest.raises(BundleError, match="is a file") as caught:
        load_bundle(tmp_path / "model.h5")
    assert "facegender.json" in caught.value.hint


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        (0, "An older facegender wrote it. Train the model again."),
        (2, "A newer facegender wrote it: update facegender, or: train the model again."),
        (None, "Train the model again."),
        ("1", "Train the model again."),
    ],
)
def test_another_schema_is_said_to_be_older_or_newer(tmp_path, schema, hint):
    assert schema_hint(schema, 1, "Train the model again.") == hint
    model = shutil.copytree(BUNDLED, tmp_path / "m")
    manifest = json.loads((model / "facegender.json").read_text())
    (model / "facegender.json").write_text(json.dumps(manifest | {"schema": schema}))
    with pytest.raises(BundleError, match="has schema") as caught:
        load_bundle(model)
    assert caught.value.hint == hint


def test_a_name_that_is_taken_asks_for_another_name(tmp_path):
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(FaceGenderError, match="in the way") as caught:
        save_picture(Image.new("RGB", (2, 2)), tmp_path / "a.png", "mark")
    assert "another name" in caught.value.hint
    assert (tmp_path / "a.png").read_bytes() == b"mine"


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    for check, place in (
        (check_output_folder, tmp_path / "new"),
        (check_output_file, tmp_path / "a.csv"),
    ):
        with pytest.raises(UsageError, match=f"the folder {tmp_path} cannot be written"):
            check("--output", place)
    check_output_file("--output", Path(os.devnull))


@pytest.mark.parametrize("fault", [errno.EROFS, errno.ENOSPC])
def test_a_full_or_read_only_disk_is_no_fault_of_the_photo(tmp_path, monkeypatch, fault):
    def no_room(*_):
        error = OSError(fault, "no room", str(tmp_path))
        raise cannot_write(tmp_path, error) from error

    photo = Image.new("RGB", (2, 2))
    photo.save(tmp_path / "a.jpg")
    job = outputs.PredictedPhoto(
        str(tmp_path / "a.jpg"), Path("a.jpg"), Prediction(str(tmp_path / "a.jpg"), ())
    )
    wanted = outputs.OutputSettings(Geometry("box", 64, 64), sort=tmp_path / "sorted", copy=True)
    monkeypatch.setattr(outputs, "_sort", no_room)
    with pytest.raises(FaceGenderError, match="cannot write"):
        outputs.write_outputs(job, wanted)


def test_the_next_step_after_prepare_is_one_that_works():
    some, none = {"female": 9, "male": 9}, {"female": 0, "male": 0}

    def following(train, val, test, validates="val"):
        return _next_step({"train": train, "val": val, "test": test}, validates, "")

    assert following(some, some, some) == "train"
    assert following(some, none, some, "test") == "train"
    assert following(none, some, none) == "eval --split val"
    assert following(none, none, some) == "eval"
    assert following(some, none, none) == "eval --split train"
    assert following({"female": 9, "male": 0}, some, some) == "eval"
