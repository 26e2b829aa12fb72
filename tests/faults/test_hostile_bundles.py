"""Model folders that somebody else made, with SHA-256 sums that fit."""

import ast
import contextlib
import io
import json
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import facegender
from facegender.errors import BundleError, FaceGenderError
from facegender.models.bundle import KERAS, LITERT, MANIFEST, load_bundle
from facegender.models.default_model import BUNDLED
from facegender.models.inference import load_network
from facegender.models.keras_backend import import_keras
from facegender.prediction.predictor import Predictor
from facegender.runtime.files import sha256_of
from facegender.training.train import train
from tests.conftest import encoded, pattern


@pytest.fixture
def model(toy_model, tmp_path):
    return shutil.copytree(toy_model, tmp_path / "model")


def forge(folder, role, content=None, name=None, **facts):
    """Exchange a file (None drops it) and make the manifest say that it belongs there."""
    manifest = json.loads((folder / MANIFEST).read_text()) | facts
    if content is None:
        manifest["files"].pop(role, None)
    else:
        path = folder / (name or role)
        path.write_bytes(content)
        entry = {"name": path.name, "sha256": sha256_of(path), "bytes": len(content)}
        manifest["files"][role] = entry
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def zipped(members, packing=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def members_of(folder):
    with zipfile.ZipFile(folder / KERAS) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def spy(tmp_path_factory):
    """A network that writes the file RAN when its code runs, and does when Keras is let."""
    keras = import_keras()
    with contextlib.chdir(tmp_path_factory.mktemp("spy")):
        inputs = keras.Input((64, 64, 3))
        touch = keras.layers.Lambda(lambda x: (__import__("pathlib").Path("RAN").touch(), x)[1])
        features = keras.layers.Flatten()(touch(inputs))
        outputs = keras.layers.Dense(2, activation="softmax")(features)
        keras.Model(inputs, outputs).save("spy.keras")
        Path("RAN").unlink()
        keras.saving.load_model("spy.keras", safe_mode=False)
        assert Path("RAN").exists(), "or else nothing is proved below"
        return Path("spy.keras").read_bytes()


def test_code_in_a_model_never_runs(spy, model, in_tmp, toy_csv):
    forge(model, KERAS, spy)
    forge(model, LITERT)
    with pytest.raises(BundleError, match=r"model\.keras cannot be loaded: .*lambda") as caught:
        load_bundle(model).load_keras()
    assert "\n" not in caught.value.message
    with pytest.raises(BundleError, match="cannot be loaded"):
        Predictor(model)
    from facegender.training.settings import TrainSettings

    settings = TrainSettings(init=str(model), crop="photo", epochs=1)
    with pytest.raises(FaceGenderError):
        train(toy_csv, in_tmp / "out", settings, workers=1)
    assert not list(in_tmp.rglob("RAN"))
    assert not Path("RAN").exists()


def test_a_model_may_not_name_code_by_its_module(model, in_tmp):
    members = members_of(model)
    evil = {
        "module": "os",
        "class_name": "system",
        "config": {"command": "touch RAN"},
        "registered_name": None,
    }
    network = json.loads(members["config.json"])
    network["config"]["layers"][1] = evil
    for config in (evil, evil | {"module": "keras.src.utils", "class_name": "get_file"}, network):
        members["config.json"] = json.dumps(config)
        forge(model, KERAS, zipped(members))
        with pytest.raises(BundleError, match="cannot be loaded"):
            load_bundle(model).load_keras()
    assert not list(in_tmp.rglob("RAN"))


def test_odd_archives_are_refused_before_keras_reads_them(model, tmp_path):
    whole = members_of(model)
    outside = "../" * 8 + f"{tmp_path}/RAN"
    pickled = io.BytesIO()
    np.savez(pickled, a=np.array([object], object))
    cases = {
        "no archive": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "a way out": zipped(whole | {outside: b"x"}),
        "assets": zipped(whole | {"assets/vocabulary.txt": b"x"}),
        "pickled weights": zipped(
            {k: v for k, v in whole.items() if not k.endswith("h5")}
            | {"model.weights.npz": pickled.getvalue()}
        ),
        "no weights": zipped({"config.json": whole["config.json"]}),
        "a bomb": zipped(whole | {"model.weights.h5": bytes(200_000_000)}, zipfile.ZIP_DEFLATED),
        "two configurations": zipped(whole).replace(b"metadata.json", b"config.json\0\0"),
    }
    for what, content in cases.items():
        forge(model, KERAS, content)
        with pytest.raises(BundleError, match="cannot be loaded") as caught:
            load_bundle(model).load_keras()
        assert len(caught.value.message) < 700, what
    assert not (tmp_path / "RAN").exists()


def test_another_format_cannot_be_chosen_by_name(model):
    """Keras has a reader of old HDF5 files, which it would choose by the name alone."""
    forge(model, KERAS, b"\x89HDF\r\n\x1a\n" + bytes(100), name="model.h5")
    with pytest.raises(BundleError, match=r"does not end in \.keras"):
        load_bundle(model).load_keras()


def test_weights_that_lead_to_other_files_are_refused(model, tmp_path):
    h5py = pytest.importorskip("h5py")
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["a"] = np.zeros(4, np.float32)
    members = members_of(model)
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        del file[names[0]]
        file[names[0]] = h5py.ExternalLink(str(secret), "a")
    forge(model, KERAS, zipped(members | {"model.weights.h5": buffer.getvalue()}))
    with pytest.raises(BundleError, match="cannot be loaded"):
        load_bundle(model).load_keras()


def test_a_twin_of_another_model_is_refused(model):
    other = load_bundle(BUNDLED).litert.read_bytes()
    (model / LITERT).write_bytes(other)
    with pytest.raises(BundleError, match=r"model\.tflite has .* bytes, expected"):
        Predictor(model)
    forge(model, LITERT, other)
    with pytest.raises(BundleError, match=r"its network takes \(112, 112, 3\)"):
        Predictor(model)


def test_a_mangled_twin_is_stopped_by_its_sum_before_the_interpreter_sees_it(model, monkeypatch):
    """The interpreter was not made for files that lie: the sum keeps them from it."""

    def loaded(*_args, **_options):
        raise AssertionError("the interpreter was given a file that is not the manifest's")

    monkeypatch.setattr("facegender.models.inference.LiteRtNetwork", loaded)
    content = bytearray((model / LITERT).read_bytes())
    for number in range(50):
        mangled, rng = content.copy(), random.Random(number)
        mangled[rng.randrange(len(mangled))] ^= 1 << rng.randrange(8)
        (model / LITERT).write_bytes(mangled)
        with pytest.raises(BundleError, match="not the file that facegender.json describes"):
            Predictor(model)


@pytest.mark.parametrize("error", [RuntimeError("odd tensor"), ValueError("odd type")])
def test_a_twin_that_loads_and_cannot_be_run_is_refused(model, monkeypatch, error):
    """Of 400 mangled twins whose sums were made to match, ten loaded and failed when used."""

    def fail(*_args):
        raise error

    monkeypatch.setattr("facegender.models.inference.LiteRtNetwork.__call__", fail)
    with pytest.raises(BundleError, match="cannot be run: odd"):
        Predictor(model)


HOSTILE_MANIFESTS = {
    "nested too deep": "[" * 200_000,
    "no object": "7",
    "a newer schema": '{"schema": 2}',
    "a schema that is text": '{"schema": "1"}',
    "bytes that are no text": b"\xff\xfe{}",
    "a huge number": '{"schema": 1' + "0" * 10_000 + "}",
    "infinite": '{"schema": 1e999}',
    "not a number": '{"schema": 1, "temperature": NaN}',
}


@pytest.mark.parametrize("name", HOSTILE_MANIFESTS)
def test_a_hostile_manifest_is_refused_by_name(name, tmp_path):
    content = HOSTILE_MANIFESTS[name]
    raw = content if isinstance(content, bytes) else content.encode()
    (tmp_path / MANIFEST).write_bytes(raw)
    with pytest.raises(BundleError, match=MANIFEST):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    "facts",
    [
        *({"fingerprint": "\x1b[31m"}, {"fingerprint": ["a"]}, {"fingerprint": "A" * 16}),
        *({"data": []}, {"metrics": "none"}, {"training": 7}, {"threshold": "0.7"}, {"files": []}),
    ],
)
def test_facts_of_another_kind_are_refused(facts, model):
    manifest = json.loads((model / MANIFEST).read_text()) | facts
    (model / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=MANIFEST):
        load_bundle(model)


@pytest.mark.parametrize("name", ["../model.keras", "/etc/passwd", ".", "..", "", "a/b", 7, None])
def test_a_manifest_names_files_of_its_own_folder_only(name, model):
    manifest = json.loads((model / MANIFEST).read_text())
    manifest["files"][KERAS]["name"] = name
    (model / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="names the file"):
        load_bundle(model)


def test_sizes_that_no_memory_holds_are_refused(model):
    forge(model, "README.md", b"card", crop={"kind": "photo", "size": "512x512"})
    with pytest.raises(BundleError, match=r"its network takes \(64, 64, 3\)"):
        load_network(load_bundle(model))
    forge(model, LITERT)
    with pytest.raises(BundleError, match=r"its network takes \(64, 64, 3\)"):
        load_network(load_bundle(model))


def test_no_module_unpickles_or_loads_in_an_unsafe_way():
    """A list of what would have to be looked at anew if it came in."""
    unsafe = {"pickle", "joblib", "dill", "cloudpickle", "marshal", "shelve", "torch", "yaml"}
    for file in Path(facegender.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.partition(".")[0] for name in names} & unsafe, file
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
            call = ast.unparse(node.func)
            if call in ("np.load", "numpy.load"):
                assert keywords.get("allow_pickle") == "False", (file, call)
            if node.func.attr == "load_model":
                assert keywords.get("safe_mode") == "True", (file, call)
            assert node.func.attr != "enable_unsafe_deserialization", file


def test_a_photo_is_still_judged_after_all_this(toy_model):
    """Guards that refused every model would pass the tests above."""
    (answer,) = Predictor(toy_model).predict(encoded(pattern(0, 1)))
    assert answer.error is None
    assert load_bundle(toy_model).load_keras() is not None
