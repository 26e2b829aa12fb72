"""Training states that somebody else made, with SHA-256 sums that fit."""

import io
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from facegender.errors import BundleError
from facegender.models.bundle import load_bundle
from facegender.runtime.files import sha256_of
from facegender.training.state import State, read_state, restore, restore_best, save_state
from facegender.training.train import train


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
    assert {path.name for path in theirs.iterdir()} == {
        "history.csv",
        "history.svg",
        "results.npz",
        "state.json",
        "state.npz",
    }


class Arrays:
    """Stands in for a compiled network."""

    variables = (np.zeros(3),)

    class optimizer:  # noqa: N801 - named as in Keras
        variables = (np.zeros(2),)
