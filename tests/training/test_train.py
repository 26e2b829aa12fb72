"""What a training tells and keeps, and that no model is written over unasked."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from facegender.dataset.prepare import prepare
from facegender.dataset.settings import PrepareSettings
from facegender.dataset.table import read_table
from facegender.errors import FaceGenderError, Interrupted, UsageError
from facegender.models.bundle import load_bundle
from facegender.prediction.predictor import Predictor
from facegender.training.calibration import fit_temperature
from facegender.training.events import Checking, Epoch, Reading, Started, Step, Warn
from facegender.training.settings import TrainSettings
from facegender.training.train import train
from tests.conftest import make_tree
from tests.tiny_network import TINY
from tests.training.runs import QUICK, StopAt, assert_equal, history, weights


@pytest.fixture(scope="module")
def again(toy_csv, tmp_path_factory):
    """The same run as `quick`, on two workers, and what it told."""
    out, events = tmp_path_factory.mktemp("again") / "m", []
    train(toy_csv, out, QUICK, workers=2, on_event=events.append)
    return out, events


def test_events_tell_the_whole_story(again):
    out, events = again
    assert sum(isinstance(e, Reading) for e in events) == 64
    (started,) = (e for e in events if isinstance(e, Started))
    assert (started.train, started.val, started.validated_on) == (48, 16, "val")
    assert [e.step for e in events if isinstance(e, Step)] == [1, 2, 3] * 3
    epochs = [e for e in events if isinstance(e, Epoch)]
    assert [e.epoch for e in epochs] == [1, 2, 3]
    losses = [e.val_loss for e in epochs]
    assert [e.best for e in epochs] == [v == min(losses[: i + 1]) for i, v in enumerate(losses)]
    assert [float(row["val_loss"]) for row in history(out)] == losses
    for name in ("history.csv", "history.svg"):  # written at each epoch
        assert (out / "last" / name).read_bytes() == load_bundle(out).files[name].read_bytes()


def test_the_best_epoch_or_the_last_is_kept_and_calibrated(toy_model, toy_csv):
    bundle = load_bundle(toy_model)
    epochs = history(toy_model)
    best = min(epochs, key=lambda row: float(row["val_loss"]))
    number = bundle.manifest["training"]["best_epoch"]
    assert number in (int(best["epoch"]), len(epochs))
    kept = epochs[number - 1]
    assert bundle.manifest["metrics"]["accuracy"] == pytest.approx(float(kept["val_accuracy"]))
    samples = read_table(toy_csv)
    rows = samples.rows_of("val")
    found = Predictor(toy_model).predict([samples.paths[row] for row in rows])
    answers = np.array([photo.faces[0].probabilities for photo in found], np.float32)
    assert fit_temperature(answers, samples.labels[rows]) == pytest.approx(1, abs=0.02)
    assert bundle.manifest["temperature"] != 1.0


def test_equal_seeds_give_equal_weights(quick, again):
    assert_equal(weights(quick), weights(again[0]))


def test_a_model_is_not_overwritten_unasked(quick, toy_csv, tmp_path):
    out = shutil.copytree(quick, tmp_path / "m")
    before = (out / "facegender.json").read_bytes()
    with pytest.raises(FaceGenderError, match="already holds a model") as caught:
        train(toy_csv, out, QUICK)
    assert "--force" in caught.value.hint
    assert (out / "facegender.json").read_bytes() == before


def test_force_keeps_the_old_training_until_the_new_one_starts(quick, toy_csv, tmp_path):
    out = shutil.copytree(quick, tmp_path / "m")
    with pytest.raises(UsageError, match="--init typo: there is no such folder"):
        train(toy_csv, out, TrainSettings(init="typo", crop="photo"), force=True)
    train(toy_csv, out, resume=True, workers=1)
    assert load_bundle(out).fingerprint == load_bundle(quick).fingerprint


def test_a_model_that_another_run_finished_meanwhile_is_not_written_over(quick, toy_csv, tmp_path):
    out = tmp_path / "m"

    def other_run(event):
        if isinstance(event, Checking) and not out.exists():
            shutil.copytree(quick, out)

    with pytest.raises(FaceGenderError, match="already holds a model"):
        train(toy_csv, out, QUICK, workers=1, on_event=other_run)
    assert load_bundle(out).fingerprint == load_bundle(quick).fingerprint


def test_the_articles_split_validates_on_test_loudly_and_does_not_calibrate_on_it(in_tmp):
    make_tree(in_tmp / "photos")
    prepare(Path("photos"), Path("faces.csv"), PrepareSettings(split="article"))
    events = []
    settings = TrainSettings(arch=TINY, crop="photo", init="none", epochs=1, batch_size=16, seed=0)
    bundle = train(Path("faces.csv"), Path("m"), settings, workers=1, on_event=events.append)
    assert any(isinstance(e, Warn) and "the test rows choose" in e.message for e in events)
    assert bundle.manifest["metrics"]["validated_on"] == "test"
    assert bundle.manifest["temperature"] == 1.0


def test_a_loss_that_explodes_is_a_sentence(toy_csv, tmp_path):
    with pytest.raises(FaceGenderError, match="the loss became"):
        train(
            toy_csv,
            tmp_path / "m",
            TrainSettings(
                arch=TINY, crop="photo", init="none", epochs=9, batch_size=16, lr=1e30, seed=0
            ),
        )


def test_no_seed_draws_and_stores_one(toy_csv, tmp_path):
    listener = StopAt(1)
    with pytest.raises(Interrupted):
        train(
            toy_csv,
            tmp_path / "m",
            TrainSettings(arch=TINY, crop="photo", init="none", epochs=1, batch_size=16),
            workers=1,
            stop=listener.stop,
            on_event=listener,
        )
    stored = json.loads((tmp_path / "m" / "last" / "state.json").read_text())
    assert isinstance(stored["settings"]["seed"], int)
