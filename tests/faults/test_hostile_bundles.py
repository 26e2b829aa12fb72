"""Model folders and training states that somebody else made, with SHA-256 sums that fit."""

import ast
import io
import json
import pickle
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import facegender
from facegender.errors import BundleError, FaceGenderError
from facegender.models.bundle import KERAS, LITERT, MANIFEST, load_bundle
from facegender.models.inference import load_network
from facegender.prediction.predictor import Predictor
from facegender.runtime.files import sha256_of
from facegender.training.state import State, read_state, restore, restore_best, save_state
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


SPY = """
import sys, keras
inputs = keras.Input((64, 64, 3))
spied = keras.layers.Lambda(
    lambda x: (__import__("pathlib").Path("RAN").touch(), x)[1]
)(inputs)
outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(spied))
keras.Model(inputs, outputs).save("spy.keras")
__import__("os").remove("RAN")
if sys.argv[1:]:
    keras.saving.load_model("spy.keras", safe_mode=False)
"""


@pytest.fixture(scope="module")
def spy(tmp_path_factory):
    """A network that writes the file RAN when its code runs, and does when Keras is let."""
    folder = tmp_path_factory.mktemp("spy")
    subprocess.run([sys.executable, "-c", SPY, "run"], cwd=folder, check=True, capture_output=True)
    assert (folder / "RAN").exists(), "or else nothing is proved below"
    return (folder / "spy.keras").read_bytes()


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


def other_twin(shape, weight=0.0):
    """A twin of another network: TensorFlow converts it in a process of its own."""
    code = (
        "import sys, keras\n"
        f"inputs = keras.Input({shape})\n"
        "outputs = keras.layers.Dense(2, activation='softmax', kernel_initializer="
        f"keras.initializers.Constant({weight}))(keras.layers.Flatten()(inputs))\n"
        "from facegender.models.inference import convert_to_litert\n"
        "sys.stdout.buffer.write(convert_to_litert(keras.Model(inputs, outputs)))\n"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_a_twin_of_another_model_is_refused(model):
    other = other_twin((32, 32, 3))
    (model / LITERT).write_bytes(other)
    with pytest.raises(BundleError, match=r"model\.tflite has .* bytes, expected"):
        Predictor(model)
    forge(model, LITERT, other)
    with pytest.raises(BundleError, match=r"its network takes \(32, 32, 3\)"):
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


class Planted:
    """Unpickling it leaves a file."""

    def __reduce__(self):
        return (Path.touch, (Path("RAN"),))


@pytest.fixture
def last(toy_model, toy_csv, tmp_path):
    """A whole training state, and a function that forges one of its files or entries."""
    folder = shutil.copytree(toy_model, tmp_path / "m")
    file = folder / "last" / "state.json"

    def change(role=None, content=b"", **entries):
        state = json.loads(file.read_text())
        if role is not None:
            path = folder / "last" / state["files"][role]["name"]
            path.write_bytes(content)
            state["files"][role]["sha256"] = sha256_of(path)
        file.write_text(json.dumps(state | entries))
        return folder

    return change


def packed(arrays, save=np.savez):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def test_pickles_in_a_training_state_are_never_read(last, in_tmp):
    pickled = packed({"m0": np.array([Planted()], object)})
    for content in (pickled, pickle.dumps(Planted()), pickled[:-50]):
        folder = last("state", content)
        with pytest.raises(BundleError, match=r"state\.npz cannot be read"):
            restore(folder, None)
    assert not (in_tmp / "RAN").exists()
    np.load(io.BytesIO(pickled), allow_pickle=True)["m0"]
    assert (in_tmp / "RAN").exists(), "or else nothing was proved"


def test_arrays_of_other_networks_and_bombs_are_refused(last, toy_model):
    network = load_bundle(toy_model).load_keras()
    with pytest.raises(BundleError, match="of another network"):
        restore_best(last("best", packed({"w0": np.zeros(3)})), network)
    with pytest.raises(BundleError, match="of another network"):
        restore_best(last("best", packed({"x": np.zeros(3)})), network)
    texts = {f"w{i}": np.zeros(w.shape, "U1") for i, w in enumerate(network.get_weights())}
    with pytest.raises(BundleError, match="of another network"):
        restore_best(last("best", packed(texts)), network)
    bomb = packed({"w0": np.zeros(50_000_000)}, np.savez_compressed)
    with pytest.raises(BundleError, match="packed"):
        restore_best(last("best", bomb), network)
    lie = bytearray(packed({"w0": np.zeros(3)}))
    place = lie.index(b"(3,)")
    lie[place : place + 20] = b"(3000000000000,)}   "
    with pytest.raises(BundleError, match="cannot be read"):
        restore_best(last("best", bytes(lie)), network)


STATES = {
    "negative epoch": {"epoch": -1},
    "epoch as text": {"epoch": "3"},
    "epoch as a number with a point": {"epoch": 1.5},
    "more epochs than history": {"epoch": 7},
    "a best epoch to come": {"best_epoch": 99},
    "no numbers": {"epoch_seconds": ["a", "b"]},
    "three numbers": {"epoch_seconds": [0, 0, 0]},
    "no settings": {"settings": None},
    "unknown settings": {"settings": {"evil": 1}},
    "no history": {"history": None},
    "history of texts": {"history": [{"epoch": "x"}]},
    "a loss that is text": {"best_loss": "x"},
    "a way out": {"files": {"state": {"name": "../../x.npz", "sha256": ""}}},
    "a number for a name": {"files": {"state": {"name": 7, "sha256": ""}}},
    "another schema": {"schema": 2},
}


@pytest.mark.parametrize("name", STATES)
def test_a_hostile_state_is_refused(name, last):
    with pytest.raises(BundleError, match=r"state\.json"):
        read_state(last(**STATES[name]))


@pytest.mark.parametrize(
    "changes", [{"batch_size": 0}, {"lr": -1.0}, {"epochs": "9"}, {"arch": "os.system"}]
)
def test_hostile_settings_in_a_state_are_refused(changes, last, toy_csv):
    folder = last()
    settings = json.loads((folder / "last" / "state.json").read_text())["settings"] | changes
    with pytest.raises(BundleError, match=r"state\.json is damaged"):
        train(toy_csv, last(settings=settings), resume=True, workers=1)


def test_a_linked_last_folder_loses_no_arrays_of_others(last, tmp_path):
    """A model folder from elsewhere may link its last/ to where somebody's arrays lie."""
    folder = last()
    state = read_state(folder)
    theirs = tmp_path / "theirs"
    shutil.move(folder / "last", theirs)
    (folder / "last").symlink_to(theirs)
    (theirs / "results.npz").write_bytes(b"years of work")
    network = Arrays()
    save_state(folder, State(state.settings, "", {}), network, best=False)
    assert (theirs / "results.npz").read_bytes() == b"years of work"
    assert {path.name for path in theirs.iterdir()} == {"results.npz", "state.json", "state.npz"}


class Arrays:
    """Stands in for a compiled network."""

    variables = (np.zeros(3),)

    class optimizer:  # noqa: N801 - named as in Keras
        variables = (np.zeros(2),)


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
