"""What a stop costs, what --resume keeps, and how it extends a training."""

import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest

from facegender.errors import Interrupted, UsageError
from facegender.models.bundle import amend_bundle, load_bundle
from facegender.models.card import _TITLES
from facegender.runtime.signals import StopRequest
from facegender.training.events import Finishing, Step, Warn
from facegender.training.settings import TrainSettings
from facegender.training.swapped import warn_of_swapped
from facegender.training.train import train
from tests.tiny_network import TINY

COUNTS = {"photos": 9, "no_face": 0, "unreadable": 0}
SETTINGS = TrainSettings(arch=TINY, crop="photo", init="none", epochs=1, batch_size=16, seed=3)


@pytest.fixture(scope="module")
def finished(toy_csv, tmp_path_factory):
    """A training that a signal stopped while it finished, and that was resumed."""
    out, stop = tmp_path_factory.mktemp("resume") / "m", StopRequest()

    def ctrl_c(event):
        if isinstance(event, Finishing):
            stop.signal_number = signal.SIGINT

    with pytest.raises(Interrupted, match="what was saved before is whole"):
        train(toy_csv, out, SETTINGS, workers=1, stop=stop, on_event=ctrl_c)
    assert not (out / "facegender.json").exists()
    steps = []
    train(toy_csv, out, resume=True, workers=1, on_event=steps.append)
    assert not any(isinstance(event, Step) for event in steps)
    return out


def test_a_stop_while_finishing_loses_nothing_that_was_learned(finished):
    bundle = load_bundle(finished)
    assert bundle.manifest["training"]["epochs_done"] == 1
    assert bundle.manifest["training"]["finished"] == "all 1 epochs done"


def test_resume_keeps_recorded_evaluations_until_the_weights_change(finished, toy_csv, tmp_path):
    out = shutil.copytree(finished, tmp_path / "m")
    bundle = load_bundle(out)
    entry = {
        "title": "strangers",
        "data": {"csv": "x.csv", "split": "test", "where": [], **COUNTS},
        "metrics": {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in _TITLES},
        "of_faces_found": {},
        "groups": {},
        "stress": {},
        "warnings": [],
    }
    amend_bundle(bundle, {}, {"evaluations": [entry], "credit": "Ada"})
    again = train(toy_csv, out, resume=True, workers=1)
    assert again.fingerprint == bundle.fingerprint
    assert again.manifest["evaluations"] == [entry]
    assert again.manifest["credit"] == "Ada"
    assert "strangers" in again.files["README.md"].read_text()
    longer = train(toy_csv, out, TrainSettings(epochs=4), resume=True, workers=1)
    assert longer.manifest["training"]["epochs_done"] == 4
    assert longer.fingerprint != bundle.fingerprint
    assert "evaluations" not in longer.manifest
    with pytest.raises(UsageError, match="has begun 4 epochs"):
        train(toy_csv, out, replace(SETTINGS, epochs=1), resume=True, workers=1)


@pytest.mark.parametrize(
    ("share_right", "photos", "warned"), [(0.1, 30, True), (0.4, 30, False), (0.1, 29, False)]
)
def test_labels_the_wrong_way_round_are_named(share_right, photos, warned):
    labels = np.repeat([0, 1], photos).astype(np.int8)
    right = np.tile(np.arange(photos) < share_right * photos, 2)
    answers = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
    events = []
    assert warn_of_swapped(answers, labels, events.append) == warned
    assert [type(event) for event in events] == [Warn] * warned
    assert all("--female 1 --male 0" in event.message for event in events)


def test_one_answer_for_everybody_is_not_taken_for_swapped_labels():
    labels = np.repeat([0, 1], [300, 30]).astype(np.int8)
    answers = np.tile(np.array([[0.1, 0.9]], np.float32), (330, 1))
    assert not warn_of_swapped(answers, labels, lambda event: None)
