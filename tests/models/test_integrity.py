import json
import shutil

import pytest

from facegender.errors import BundleError
from facegender.models.bundle import KERAS, LITERT, MANIFEST
from facegender.models.integrity import inspect_bundle


@pytest.fixture
def model(toy_model, tmp_path):
    return shutil.copytree(toy_model, tmp_path / "model")


def states(inspection):
    return {file.role: file.state for file in inspection.files}


def test_a_whole_model(model):
    found = inspect_bundle(model)
    assert found.whole
    assert states(found) == dict.fromkeys(
        (KERAS, LITERT, "history.csv", "history.svg", "README.md"), "whole"
    )
    assert found.card.startswith("# A facegender model: compact")
    for file in found.files:
        assert file.bytes == (model / file.name).stat().st_size


def test_every_file_is_judged_though_others_are_damaged(model):
    (model / KERAS).write_bytes((model / KERAS).read_bytes()[:-1])
    (model / LITERT).unlink()
    (model / "README.md").write_text("x" * (model / "README.md").stat().st_size)
    found = inspect_bundle(model)
    assert not found.whole
    assert states(found) == {
        KERAS: "damaged",
        LITERT: "missing",
        "history.csv": "whole",
        "history.svg": "whole",
        "README.md": "damaged",
    }
    assert found.card == "", "a changed card is not shown as the model's"
    assert all((file.state == "whole") == (file.problem == "") for file in found.files)


def test_a_manifest_that_names_nonsense_is_no_crash(model):
    manifest = json.loads((model / MANIFEST).read_text())
    manifest["files"][LITERT] = ["not", "an", "entry"]
    manifest["files"]["history.csv"] = {"name": "../history.csv", "bytes": None, "sha256": 7}
    (model / MANIFEST).write_text(json.dumps(manifest))
    found = inspect_bundle(model)
    assert states(found)[KERAS] == "whole"
    assert not found.whole
    json.dumps(found.to_json(), allow_nan=False)


def test_no_model_is_an_error(model, tmp_path):
    (model / MANIFEST).unlink()
    for folder in (model, tmp_path / "nowhere"):
        with pytest.raises(BundleError):
            inspect_bundle(folder)


def test_the_contract(model):
    found = inspect_bundle(model)
    contract = found.to_json()
    assert contract["whole"] is True
    assert {"labels", "arch", "crop", "threshold", "training", "data", "metrics", "versions"} < set(
        contract
    )
    assert set(contract["files"][LITERT]) == {"name", "bytes", "sha256", "state", "problem"}
