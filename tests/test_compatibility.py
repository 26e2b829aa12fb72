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
    """The current folder, with everything from before in it, and the weights of today.

    The weights of before are too large to keep: what they answered is compared in form only.
    """
    shutil.copytree(BEFORE, in_tmp, dirs_exist_ok=True)
    manifest = json.loads((BEFORE / "model" / MANIFEST).read_text())
    for name in (KERAS, LITERT):
        entry = manifest["files"][name]
        shutil.copy(BUNDLED / name, in_tmp / "model" / entry["name"])
        entry |= {"sha256": sha256_of(BUNDLED / name), "bytes": (BUNDLED / name).stat().st_size}
    (in_tmp / "model" / MANIFEST).write_text(json.dumps(manifest))
    return in_tmp


def run(*args: str, code: int = 0) -> str:
    """Return what a command prints on stdout."""
    result = CliRunner().invoke(app, args)
    assert result.exit_code == code, result.output
    return result.stdout


def alike(now: object, then: object, place: str = "") -> None:
    """Demand every key that was there before, with the same kind of value; more may be there."""
    if isinstance(then, dict):
        assert isinstance(now, dict), place
        for key, value in then.items():
            assert key in now, f"{place}/{key}"
            alike(now[key], value, f"{place}/{key}")
    elif isinstance(then, list):
        assert isinstance(now, list), place
        assert bool(now) == bool(then), place
        for i, (one, other) in enumerate(zip(now, then, strict=False)):
            alike(one, other, f"{place}/{i}")
    elif isinstance(then, (int, float)) and not isinstance(then, bool):
        assert isinstance(now, (int, float)) or now is None, place  # a mean of nothing is null
    elif then is not None:
        assert type(now) is type(then), place


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
    assert now["comparison"]["other"] == "predictions.csv"
    assert now["comparison"]["coverage"] == 1
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
