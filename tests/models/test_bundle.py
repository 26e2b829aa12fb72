import json
import shutil

import numpy as np
import pytest

from facegender.errors import BundleError, FaceGenderError
from facegender.models.bundle import KERAS, LITERT, MANIFEST, load_bundle, save_bundle
from facegender.models.default_model import choose_model
from facegender.models.inference import (
    KerasNetwork,
    LiteRtNetwork,
    compare,
    load_network,
    run_network,
)
from facegender.prediction.predictor import Predictor
from tests.conftest import pattern


@pytest.fixture
def model(toy_model, tmp_path):
    return shutil.copytree(toy_model, tmp_path / "model")


def edit(folder, **changes):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | changes))


def test_a_bundle_says_what_it_is(model):
    bundle = load_bundle(model)
    assert bundle.arch == "compact"
    assert bundle.geometry.shape == (64, 64, 3)
    assert set(bundle.files) == {
        "model.keras",
        "model.tflite",
        "history.csv",
        "history.svg",
        "README.md",
    }
    assert bundle.manifest["labels"] == ["female", "male"]
    assert bundle.manifest["data"]["splits"]["train"] == {"female": 24, "male": 24}


DAMAGE = {
    "no folder": lambda f: shutil.rmtree(f),
    "no manifest": lambda f: (f / MANIFEST).unlink(),
    "cut manifest": lambda f: (f / MANIFEST).write_text((f / MANIFEST).read_text()[:99]),
    "foreign manifest": lambda f: (f / MANIFEST).write_text("[1, 2]"),
    "missing twin": lambda f: (f / LITERT).unlink(),
    "missing keras": lambda f: (f / KERAS).unlink(),
    "cut twin": lambda f: (f / LITERT).write_bytes((f / LITERT).read_bytes()[:-1]),
    "changed twin": lambda f: (f / LITERT).write_bytes(b"x" + (f / LITERT).read_bytes()[1:]),
    "changed card": lambda f: (f / "README.md").write_text("other"),
    "label order": lambda f: edit(f, labels=["male", "female"]),
    "newer schema": lambda f: edit(f, schema=2),
    "other crop kind": lambda f: edit(f, crop={"kind": "ears", "size": "64x64"}),
    "no fingerprint": lambda f: edit(f, fingerprint=None),
    "no threshold": lambda f: edit(f, threshold=None),
    "bad temperature": lambda f: edit(f, temperature=0.0),
    "no files": lambda f: edit(f, files={}),
    "path outside": lambda f: edit(f, files={KERAS: {"name": "../x", "sha256": "", "bytes": 0}}),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_whatever_is_wrong_is_refused_by_name(model, name):
    DAMAGE[name](model)
    with pytest.raises(BundleError) as caught:
        Predictor(model)
    assert str(model) in caught.value.message or "model.keras" in caught.value.message


def test_another_input_size_is_refused(model):
    edit(model, crop={"kind": "photo", "size": "96x96"})
    with pytest.raises(BundleError, match=r"takes \(64, 64, 3\)"):
        load_network(load_bundle(model))


def test_a_twin_that_is_no_model_is_refused(model):
    bundle = load_bundle(model)
    contents = {KERAS: bundle.files[KERAS].read_bytes(), LITERT: b"not a flatbuffer" * 99}
    facts = {k: v for k, v in bundle.manifest.items() if k not in ("schema", "labels", "files")}
    with pytest.raises(BundleError, match="cannot be loaded"):
        load_network(save_bundle(model, contents, facts))


def test_nan_weights_are_refused(model):
    from facegender.training.finish import keras_bytes

    bundle = load_bundle(model)
    network = bundle.load_keras()
    network.get_layer("logits").set_weights([np.full((192, 2), np.nan), np.zeros(2)])
    facts = {k: v for k, v in bundle.manifest.items() if k not in ("schema", "labels", "files")}
    with pytest.raises(BundleError, match="not two probabilities"):
        load_network(save_bundle(model, {KERAS: keras_bytes(network)}, facts))


def test_a_save_over_a_model_keeps_the_names_and_foreign_files(model):
    (model / "notes.txt").write_text("mine")
    (model / "history.2020.csv").write_text("mine too")
    bundle = load_bundle(model)
    facts = {k: v for k, v in bundle.manifest.items() if k not in ("schema", "labels", "files")}
    contents = {role: path.read_bytes() for role, path in bundle.files.items()}
    for _ in range(2):
        saved = save_bundle(model, contents, facts)
        assert all(path.name == role for role, path in saved.files.items())
        assert {p.name for p in model.iterdir() if p.is_file()} == {
            *("notes.txt", "history.2020.csv", MANIFEST),
            *("model.keras", "model.tflite", "history.csv", "history.svg", "README.md"),
        }


def test_a_folder_with_numbered_names_loads_and_gets_the_usual_ones(model):
    """As facegender 0.1 wrote them after `train --resume`."""
    manifest = json.loads((model / MANIFEST).read_text())
    for entry in manifest["files"].values():
        old = model / entry["name"]
        stem, dot, suffix = entry["name"].partition(".")
        entry["name"] = f"{stem}.3{dot}{suffix}"
        old.rename(model / entry["name"])
    (model / MANIFEST).write_text(json.dumps(manifest))
    bundle = load_bundle(model)
    assert bundle.files[KERAS].name == "model.3.keras"
    load_network(bundle)
    facts = {k: v for k, v in bundle.manifest.items() if k not in ("schema", "labels", "files")}
    contents = {role: path.read_bytes() for role, path in bundle.files.items()}
    assert save_bundle(model, contents, facts).files[KERAS].name == "model.keras"
    assert {p.name for p in model.iterdir() if p.is_file()} == {MANIFEST, *contents}


def test_a_first_save_spares_what_lies_in_the_folder(model, tmp_path):
    bundle = load_bundle(model)
    facts = {k: v for k, v in bundle.manifest.items() if k not in ("schema", "labels", "files")}
    contents = {role: path.read_bytes() for role, path in bundle.files.items()}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my notes")
    saved = save_bundle(tmp_path / "mine", contents, facts)
    assert (tmp_path / "mine" / "README.md").read_text() == "my notes"
    assert saved.files["README.md"].name == "README.2.md"


def test_a_save_that_fails_leaves_the_old_model(model, monkeypatch):
    import facegender.models.bundle as module

    before = load_bundle(model).fingerprint
    facts = dict(load_bundle(model).manifest)

    def broken(*_, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.json, "dumps", broken)
    with pytest.raises(FaceGenderError, match="No space"):
        save_bundle(model, {KERAS: b"new"}, facts)
    monkeypatch.undo()
    assert load_bundle(model).fingerprint == before


def test_the_twin_agrees_with_the_keras_model(model):
    bundle = load_bundle(model)
    crops = np.stack([np.resize(pattern(i % 2, i, (64, 64)), (64, 64, 3)) for i in range(70)])
    ours = run_network(KerasNetwork(bundle.load_keras()), crops)
    twin = run_network(LiteRtNetwork(bundle.litert.read_bytes()), crops)
    difference, flips = compare(ours, twin)
    assert difference < 1e-3
    assert flips == 0


def test_compare_counts_flips_away_from_one_half():
    ours = np.array([[0.4, 0.6], [0.4995, 0.5005], [0.9, 0.1]], np.float32)
    other = np.array([[0.6, 0.4], [0.5005, 0.4995], [0.9, 0.1]], np.float32)
    difference, flips = compare(ours, other)
    assert flips == 1
    assert difference == pytest.approx(0.2)


def test_the_model_is_chosen_in_order(in_tmp, model, monkeypatch):
    assert choose_model("x")[1] == "given"
    bundled = choose_model(None)[1] if (in_tmp / "nothing").exists() else None
    shutil.copytree(model, "gender_model")
    assert choose_model(None)[1] == "in this folder"
    monkeypatch.setenv("FACEGENDER_MODEL", str(model))
    assert choose_model(None) == (model, "$FACEGENDER_MODEL")
    monkeypatch.setenv("FACEGENDER_MODEL", "")
    assert choose_model(None)[1] == "in this folder"
    monkeypatch.setenv("FACEGENDER_MODEL", "nowhere")
    with pytest.raises(BundleError, match=r"no model folder at nowhere \(\$FACEGENDER_MODEL names"):
        choose_model(None)
    assert bundled is None
