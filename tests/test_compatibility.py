"""What older versions wrote still loads, and is answered as before.

`data/before` was written by the code of November 2026, before its modules were moved into rooms:
a table of crops with its sidecar, predictions of its test rows, an export without the model's
bytes, the manifest of a model folder, the state of a training that had just begun, and what
``predict --json`` and ``eval --json`` printed. Its photos are made: squares of random colours.
"""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facegender.cli import app
from facegender.dataset.open_table import open_table
from facegender.errors import FaceGenderError
from facegender.exporting.manifest import check_place
from facegender.models.bundle import KERAS, LITERT, MANIFEST, load_bundle
from facegender.models.default_model import BUNDLED
from facegender.runtime.files import sha256_of
from facegender.training.state import read_state

BEFORE = Path(__file__).parent / "data" / "before"


@pytest.fixture
def before(in_tmp: Path) -> Path:
    """The current folder, with everything from before in it; the model folder is whole again."""
    shutil.copytree(BEFORE, in_tmp, dirs_exist_ok=True)
    manifest = json.loads((BEFORE / "model" / MANIFEST).read_text())
    for name in (KERAS, LITERT):
        entry = manifest["files"][name]
        if sha256_of(BUNDLED / name) != entry["sha256"]:
            pytest.skip("the bundled weights are others now")
        shutil.copy(BUNDLED / name, in_tmp / "model" / entry["name"])
    return in_tmp


def run(*args: str, code: int = 0) -> str:
    """Return what a command prints on stdout."""
    result = CliRunner().invoke(app, args)
    assert result.exit_code == code, result.output
    return result.stdout


def alike(now: object, then: object, place: str = "") -> None:
    """Demand all that was there before; numbers may differ by rounding, and more may be there."""
    if isinstance(then, dict):
        assert isinstance(now, dict), place
        for key, value in then.items():
            assert key in now, f"{place}/{key}"
            alike(now[key], value, f"{place}/{key}")
    elif isinstance(then, list):
        assert isinstance(now, list) and len(now) == len(then), place
        for i, value in enumerate(then):
            alike(now[i], value, f"{place}/{i}")
    elif isinstance(then, float):
        assert now == pytest.approx(then, abs=1e-4), place
    else:
        assert now == then, place


def test_a_model_folder_loads(before):
    bundle = load_bundle(before / "model")
    assert bundle.fingerprint == "4beab803b5f7da20"
    assert bundle.geometry.to_json() == {"kind": "box", "size": "112x112", "margin": 0.2}
    assert bundle.litert is not None


def test_a_table_loads_with_its_sidecar(before):
    table = open_table(before / "faces.csv")
    assert table.samples.labels.tolist() == [0, 1] * 6
    assert table.samples.splits == ["train"] * 4 + ["val"] * 2 + ["test"] * 6
    assert table.samples.attributes["age"][:2] == ["20", "23"]
    assert table.fingerprint == json.loads((before / "facts.json").read_text())["fingerprint"]
    assert table.sidecar is not None
    assert table.sidecar.settings["split"] == "person"
    assert table.is_cropped_to(load_bundle(before / "model").geometry)


def test_predict_prints_what_it_did(before):
    photos = ("photos/0.png", "photos/1.png", "photos/none.jpg")
    out = run("predict", *photos, "--no-detect", "--json", "-q", "--model", "model", code=3)
    then = json.loads((before / "predict.json").read_text())
    alike(json.loads(out), then)


def test_eval_prints_what_it_did_and_reads_predictions_of_before(before):
    wanted = ("--by", "gender", "--compare", "predictions.csv", "--json", "-q")
    out = run("eval", "--model", "model", *wanted)
    now, then = json.loads(out), json.loads((before / "eval.json").read_text())
    assert now["comparison"]["difference"]["value"] == 0
    for varying in ("seconds", "comparison", "warnings"):
        del then[varying]
    alike(now, then)


def test_an_export_is_known_for_one(before):
    export = json.loads((before / "export" / "export.json").read_text())
    assert export["source"]["fingerprint"] == "4beab803b5f7da20"
    check_place(before / "export", force=True)
    with pytest.raises(FaceGenderError, match="holds an export already"):
        check_place(before / "export", force=False)


def test_where_a_training_stands_is_read(before):
    state = read_state(before / "training")
    assert (state.settings.arch, state.settings.init, state.settings.seed) == ("lite", "none", 1)
    assert (state.epoch, state.step, state.history, state.finished) == (0, 0, [], "")
    assert state.data == json.loads((before / "facts.json").read_text())["fingerprint"]
