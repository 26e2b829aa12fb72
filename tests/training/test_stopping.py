"""A training that is stopped and resumed ends as if it never had been."""

import shutil
from dataclasses import replace

import pytest

from facegender.dataset.table import read_table, write_table
from facegender.errors import BundleError, DataError, Interrupted, UsageError
from facegender.models.bundle import load_bundle
from facegender.training.events import Warn
from facegender.training.settings import TrainSettings
from facegender.training.train import train
from tests.training.runs import QUICK, StopAt, assert_equal, history, stop_at, weights


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
    assert_equal(weights(quick), weights(out))
    histories = [
        [
            {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")}
            for row in rows
        ]
        for rows in (history(folder) for folder in (quick, out))
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
    start = shutil.copytree(quick, tmp_path / "start")
    settings = TrainSettings(epochs=1, batch_size=16, seed=9, init=str(start))
    stop_at(1, toy_csv, tmp_path / "m", settings)
    if fate == "gone":
        start.rename(tmp_path / "elsewhere")
    else:
        other = replace(QUICK, epochs=1, size="48x48")
        train(toy_csv, start, other, workers=1, force=True)
    events = []
    bundle = train(toy_csv, tmp_path / "m", resume=True, workers=1, on_event=events.append)
    assert bundle.geometry == load_bundle(quick).geometry
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
    settings = TrainSettings(epochs=2, batch_size=16, seed=9, init=str(quick), start_share=0.5)
    train(toy_csv, tmp_path / "whole", settings, workers=1)
    stop_at(5, toy_csv, tmp_path / "cut", settings)  # in the second epoch, when there is a best one
    with pytest.raises(BundleError, match="is not finished|holds no model"):
        load_bundle(tmp_path / "cut")
    train(toy_csv, tmp_path / "cut", resume=True, workers=1)
    assert load_bundle(tmp_path / "cut").manifest["training"]["share_of_start"] == 0.5
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_a_finished_run_can_be_resumed_to_no_effect(quick, toy_csv, tmp_path):
    out = shutil.copytree(quick, tmp_path / "m")
    train(toy_csv, out, resume=True, workers=1)
    assert_equal(weights(quick), weights(out))


def test_resume_refuses_other_options_and_other_data(quick, toy_csv, tmp_path):
    out = shutil.copytree(quick, tmp_path / "m")
    for settings in (
        TrainSettings(crop="photo", init="none", seed=4),
        TrainSettings(arch="classic"),
    ):
        with pytest.raises(UsageError, match="--resume goes on with"):
            train(toy_csv, out, settings, resume=True)
    samples = read_table(toy_csv)
    write_table(tmp_path / "other.csv", samples.take(range(79)))
    with pytest.raises(DataError, match="not the table"):
        train(tmp_path / "other.csv", out, resume=True)
    with pytest.raises(BundleError, match="nothing to resume"):
        train(toy_csv, tmp_path / "new", resume=True)


def test_a_damaged_state_is_refused(quick, toy_csv, tmp_path):
    out = shutil.copytree(quick, tmp_path / "m")
    text = (out / "last" / "state.json").read_text()
    (out / "last" / "state.json").write_text(text.replace('"files"', '"filed"'))
    with pytest.raises(BundleError, match="names no files"):
        train(toy_csv, out, resume=True, workers=1)
    (out / "last" / "state.json").write_text(text)
    state = out / "last" / "state.npz"
    state.write_bytes(state.read_bytes()[:-10])
    with pytest.raises(BundleError, match="not the file that state.json describes"):
        train(toy_csv, out, resume=True, workers=1)
