import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegender.dataset.prepare import prepare
from facegender.dataset.samples import Samples
from facegender.dataset.settings import PrepareSettings
from facegender.dataset.table import read_table, write_table
from facegender.errors import BundleError, DataError, FaceGenderError, Interrupted, UsageError
from facegender.faces.geometry import Geometry
from facegender.models.bundle import load_bundle
from facegender.models.default_model import BUNDLED
from facegender.models.inference import KerasNetwork, run_network
from facegender.prediction.predictor import Predictor
from facegender.runtime.signals import StopRequest
from facegender.training.calibration import fit_temperature
from facegender.training.events import Checking, Epoch, Reading, Started, Step, Warn
from facegender.training.rows import read_rows
from facegender.training.settings import TrainSettings
from facegender.training.start import choose_start
from facegender.training.train import train
from tests.conftest import make_tree
from tests.tiny_network import TINY

QUICK = TrainSettings(arch=TINY, crop="photo", init="none", epochs=3, batch_size=16, seed=3)


def weights(folder):
    return load_bundle(folder).load_keras().get_weights()


def assert_equal(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def history(folder):
    with load_bundle(folder).files["history.csv"].open() as file:
        return list(csv.DictReader(file))


class StopAt:
    """Asks for a stop after a number of steps."""

    def __init__(self, steps):
        self.stop, self.left = StopRequest(), steps

    def __call__(self, event):
        if isinstance(event, Step):
            self.left -= 1
            if self.left == 0:
                self.stop.signal_number = 15


def stop_at(steps, table, out, settings):
    listener = StopAt(steps)
    with pytest.raises(Interrupted):
        train(table, out, settings, workers=1, stop=listener.stop, on_event=listener)


@pytest.fixture(scope="module")
def quick(toy_csv, tmp_path_factory):
    """A run that was never stopped, and what it told."""
    out, events = tmp_path_factory.mktemp("quick") / "m", []
    train(toy_csv, out, QUICK, workers=1, on_event=events.append)
    return out, events


def test_events_tell_the_whole_story(quick):
    out, events = quick
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


def test_equal_seeds_give_equal_weights(quick, toy_csv, tmp_path):
    train(toy_csv, tmp_path / "again", QUICK, workers=2)
    assert_equal(weights(quick[0]), weights(tmp_path / "again"))


@pytest.mark.parametrize(
    "steps", [pytest.param(1, marks=pytest.mark.slow), 3, pytest.param(4, marks=pytest.mark.slow)]
)
def test_a_stopped_run_ends_with_the_same_weights(quick, toy_csv, tmp_path, steps):
    out, listener = tmp_path / "m", StopAt(steps)
    with pytest.raises(Interrupted, match="stopped in epoch") as caught:
        train(toy_csv, out, QUICK, workers=1, stop=listener.stop, on_event=listener)
    assert caught.value.signal_number == 15
    assert "--resume" in caught.value.hint
    again = StopAt(2)
    with pytest.raises(Interrupted):
        train(toy_csv, out, resume=True, workers=1, stop=again.stop, on_event=again)
    train(toy_csv, out, resume=True, workers=1)
    assert_equal(weights(quick[0]), weights(out))
    histories = [
        [
            {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")}
            for row in rows
        ]
        for rows in (history(folder) for folder in (quick[0], out))
    ]
    assert histories[0] == histories[1]


@pytest.mark.slow
def test_a_run_that_goes_on_with_a_smaller_last_batch_ends_with_the_same_weights(toy_csv, tmp_path):
    settings = replace(QUICK, epochs=1, batch_size=20)  # of 48 photos
    train(toy_csv, tmp_path / "whole", settings, workers=1)
    stop_at(2, toy_csv, tmp_path / "cut", settings)
    train(toy_csv, tmp_path / "cut", resume=True, workers=1)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


@pytest.mark.parametrize("fate", ["gone", pytest.param("another", marks=pytest.mark.slow)])
def test_a_run_goes_on_whatever_became_of_the_model_it_started_from(quick, toy_csv, tmp_path, fate):
    start = shutil.copytree(quick[0], tmp_path / "start")
    settings = TrainSettings(epochs=1, batch_size=16, seed=9, init=str(start))
    stop_at(1, toy_csv, tmp_path / "m", settings)
    if fate == "gone":
        start.rename(tmp_path / "elsewhere")
    else:
        other = replace(QUICK, epochs=1, size="48x48")
        train(toy_csv, start, other, workers=1, force=True)
    events = []
    bundle = train(toy_csv, tmp_path / "m", resume=True, workers=1, on_event=events.append)
    assert bundle.geometry == load_bundle(quick[0]).geometry
    assert any(isinstance(e, Warn) and "not mixed in" in e.message for e in events)


@pytest.mark.slow
def test_classic_resumes_through_its_dropout(toy_csv, tmp_path):
    settings = TrainSettings(arch="classic", epochs=1, batch_size=16, seed=2)
    train(toy_csv, tmp_path / "whole", settings, workers=1)
    stop_at(2, toy_csv, tmp_path / "cut", settings)
    train(toy_csv, tmp_path / "cut", resume=True, workers=1)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


@pytest.mark.slow
def test_a_stopped_run_mixes_in_its_start_only_at_the_end(quick, toy_csv, tmp_path):
    settings = TrainSettings(epochs=2, batch_size=16, seed=9, init=str(quick[0]), start_share=0.5)
    train(toy_csv, tmp_path / "whole", settings, workers=1)
    stop_at(5, toy_csv, tmp_path / "cut", settings)  # in the second epoch, when there is a best one
    with pytest.raises(BundleError, match="is not finished|holds no model"):
        load_bundle(tmp_path / "cut")
    train(toy_csv, tmp_path / "cut", resume=True, workers=1)
    assert load_bundle(tmp_path / "cut").manifest["training"]["share_of_start"] == 0.5
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_a_finished_run_can_be_resumed_to_no_effect(quick, toy_csv, tmp_path):
    out = shutil.copytree(quick[0], tmp_path / "m")
    train(toy_csv, out, resume=True, workers=1)
    assert_equal(weights(quick[0]), weights(out))


def test_resume_refuses_other_options_and_other_data(quick, toy_csv, tmp_path):
    for settings in (
        TrainSettings(crop="photo", init="none", seed=4),
        TrainSettings(arch="classic"),
    ):
        with pytest.raises(UsageError, match="--resume goes on with"):
            train(toy_csv, quick[0], settings, resume=True)
    samples = read_table(toy_csv)
    write_table(tmp_path / "other.csv", samples.take(range(79)))
    with pytest.raises(DataError, match="not the table"):
        train(tmp_path / "other.csv", quick[0], resume=True)
    with pytest.raises(BundleError, match="nothing to resume"):
        train(toy_csv, tmp_path / "new", resume=True)


def test_a_model_is_not_overwritten_unasked(quick, toy_csv):
    before = (quick[0] / "facegender.json").read_bytes()
    with pytest.raises(FaceGenderError, match="already holds a model") as caught:
        train(toy_csv, quick[0], QUICK)
    assert "--force" in caught.value.hint
    assert (quick[0] / "facegender.json").read_bytes() == before


def test_force_keeps_the_old_training_until_the_new_one_starts(quick, toy_csv, tmp_path):
    out = shutil.copytree(quick[0], tmp_path / "m")
    with pytest.raises(UsageError, match="--init typo: there is no such folder"):
        train(toy_csv, out, TrainSettings(init="typo", crop="photo"), force=True)
    train(toy_csv, out, resume=True, workers=1)
    assert load_bundle(out).fingerprint == load_bundle(quick[0]).fingerprint


def test_a_model_that_another_run_finished_meanwhile_is_not_written_over(quick, toy_csv, tmp_path):
    out = tmp_path / "m"

    def other_run(event):
        if isinstance(event, Checking) and not out.exists():
            shutil.copytree(quick[0], out)

    with pytest.raises(FaceGenderError, match="already holds a model"):
        train(toy_csv, out, QUICK, workers=1, on_event=other_run)
    assert load_bundle(out).fingerprint == load_bundle(quick[0]).fingerprint


def edited(toy_csv, folder, change):
    samples = read_table(toy_csv)
    change(samples)
    write_table(folder / "faces.csv", samples)
    return folder / "faces.csv"


def set_all(column, value):
    def change(samples: Samples):
        if column == "labels":
            samples.labels[:] = value
        else:
            setattr(samples, column, [value] * len(samples))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_all("labels", 0), "one gender only: no photo of the label male"),
        (set_all("splits", "train"), "the val split is empty"),
        (set_all("splits", "val"), "the train split is empty"),
        (set_all("splits", ""), "80 of 80 rows have no split"),
        (lambda s: s.paths.__setitem__(3, "/gone.jpg"), "1 of 80 photos are no longer there"),
    ],
)
def test_wrong_tables_are_refused_before_anything_is_made(toy_csv, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        train(edited(toy_csv, tmp_path, change), tmp_path / "m", QUICK)
    assert not (tmp_path / "m").exists()


def test_a_photo_that_changed_since_prepare_is_noticed(in_tmp):
    make_tree(in_tmp / "photos")
    prepare(Path("photos"), Path("faces.csv"))
    with Path("photos/female/female-0/0.jpg").open("ab") as file:
        file.write(b"more")
    with pytest.raises(DataError, match="changed since prepare"):
        train(Path("faces.csv"), Path("m"), QUICK)


def test_the_articles_split_validates_on_test_loudly_and_does_not_calibrate_on_it(in_tmp):
    make_tree(in_tmp / "photos")
    prepare(Path("photos"), Path("faces.csv"), PrepareSettings(split="article"))
    events = []
    settings = TrainSettings(arch=TINY, crop="photo", init="none", epochs=1, batch_size=16, seed=0)
    bundle = train(Path("faces.csv"), Path("m"), settings, workers=1, on_event=events.append)
    assert any(isinstance(e, Warn) and "the test rows choose" in e.message for e in events)
    assert bundle.manifest["metrics"]["validated_on"] == "test"
    assert bundle.manifest["temperature"] == 1.0


@pytest.mark.slow
def test_with_the_articles_split_only_a_share_that_is_given_is_mixed_in(quick, in_tmp):
    make_tree(in_tmp / "photos")
    prepare(Path("photos"), Path("faces.csv"), PrepareSettings(split="article"))
    for given, share in ((None, 0), (1.0, 1)):
        settings = TrainSettings(
            epochs=1, batch_size=16, seed=0, init=str(quick[0]), start_share=given
        )
        bundle = train(Path("faces.csv"), Path("m"), settings, workers=1, force=True)
        assert bundle.manifest["training"]["share_of_start"] == share
        same = np.array_equal(weights(Path("m"))[0], weights(quick[0])[0])
        assert same == (share == 1)


def test_init_starts_from_a_models_weights(quick, toy_csv, tmp_path):
    settings = TrainSettings(
        crop="photo", epochs=1, batch_size=16, seed=9, lr=1e-12, init=str(quick[0])
    )
    train(toy_csv, tmp_path / "m", settings, workers=1)
    crops = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3)).astype(np.uint8)
    kernels = [[w for w in weights(folder) if w.ndim == 4] for folder in (quick[0], tmp_path / "m")]
    for a, b in zip(*kernels, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert run_network(KerasNetwork(load_bundle(tmp_path / "m").load_keras()), crops).shape == (
        8,
        2,
    )
    with pytest.raises(FaceGenderError, match="holds the network 'tiny'"):
        other = TrainSettings(arch="classic", epochs=1, init=str(quick[0]), crop="photo")
        train(toy_csv, tmp_path / "n", other, workers=1)


def test_a_start_that_holds_another_version_of_its_network_is_refused_and_leaves_no_folder(
    quick, toy_csv, tmp_path
):
    start = tmp_path / "start"
    shutil.copytree(quick[0], start)
    manifest = json.loads((start / "facegender.json").read_text())
    (start / "facegender.json").write_text(json.dumps(manifest | {"arch": "compact"}))
    settings = TrainSettings(epochs=1, init=str(start))
    for there in (False, True):
        with pytest.raises(FaceGenderError, match="another version of the network 'compact'"):
            train(toy_csv, tmp_path / "m", settings, workers=1)
        assert (tmp_path / "m").exists() == there
        (tmp_path / "m").mkdir(exist_ok=True)


def test_the_network_is_that_of_the_start_unless_another_is_asked_for(quick, toy_csv):
    rows, _ = read_rows(toy_csv)
    bundled = load_bundle(BUNDLED).arch
    start = str(quick[0])

    def chosen(**settings):
        start = choose_start(rows, TrainSettings(**settings))
        return start.arch, start.init

    assert chosen() == (bundled, "bundled")
    assert chosen(arch=bundled) == (bundled, "bundled")
    assert chosen(init="bundled") == (bundled, "bundled")
    assert chosen(init="none") == ("compact", "none")
    assert chosen(init=start) == (TINY, start)
    assert chosen(arch="classic") == ("classic", "none")
    assert chosen(arch=bundled, init="none") == (bundled, "none")
    assert chosen(crop="photo") == ("compact", "none")


def test_training_grows_to_larger_crops_from_a_models_weights(quick, toy_csv, tmp_path):
    settings = TrainSettings(epochs=1, batch_size=16, seed=9, init=str(quick[0]), size="80x72")
    bundle = train(toy_csv, tmp_path / "m", settings, workers=1)
    assert bundle.geometry == Geometry("photo", 80, 72)
    assert run_network(
        KerasNetwork(bundle.load_keras()), np.zeros((2, 72, 80, 3), np.uint8)
    ).shape == (2, 2)
    assert load_bundle(tmp_path / "m").manifest["training"]["started_from"]["crop"] == {
        "kind": "photo",
        "size": "64x64",
    }


@pytest.mark.parametrize("size", ["16x16", "64", "64x9999"])
def test_wrong_sizes_are_refused_before_anything_is_made(toy_csv, tmp_path, size):
    with pytest.raises(UsageError):
        settings = TrainSettings(crop="photo", init="none", size=size)
        train(toy_csv, tmp_path / "m", settings, workers=1)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"crop": "photo", "init": "none", "epochs": 0},
        {"crop": "photo", "init": "none", "batch_size": -1},
        {"crop": "photo", "init": "none", "lr": 0.0},
        {"crop": "photo", "init": "none", "lr": float("nan")},
        {"crop": "photo", "init": "none", "seed": -1},
        {"crop": "photo", "init": "none", "start_share": 0.5},
        {"crop": "photo", "start_share": 1.5},
        {"arch": "vgg"},
    ],
)
def test_numbers_out_of_range_are_refused(toy_csv, tmp_path, settings):
    with pytest.raises(UsageError):
        train(toy_csv, tmp_path / "m", TrainSettings(**settings))


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


def test_a_damaged_state_is_refused(quick, toy_csv, tmp_path):
    out = shutil.copytree(quick[0], tmp_path / "m")
    text = (out / "last" / "state.json").read_text()
    (out / "last" / "state.json").write_text(text.replace('"files"', '"filed"'))
    with pytest.raises(BundleError, match="names no files"):
        train(toy_csv, out, resume=True, workers=1)
    (out / "last" / "state.json").write_text(text)
    state = out / "last" / "state.npz"
    state.write_bytes(state.read_bytes()[:-10])
    with pytest.raises(BundleError, match="not the file that state.json describes"):
        train(toy_csv, out, resume=True, workers=1)
