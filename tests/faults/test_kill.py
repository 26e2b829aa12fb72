"""kill -9 of whole commands at random moments."""

import os
import random

import pytest

from facegender.errors import FaceGenderError
from facegender.models.bundle import load_bundle
from facegender.training.settings import TrainSettings
from facegender.training.train import train
from tests.faults.kills import Crops, Export, Predict, Prepare, Train, finish, start, temporary

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX")


def weights(folder):
    return load_bundle(folder).load_keras().get_weights()


def whole_run(csv, folder, epochs):
    """The training of `Train`, never stopped."""
    settings = TrainSettings(
        seed=3, crop="photo", init="none", batch_size=16, epochs=epochs, patience=epochs
    )
    train(csv, folder, settings, workers=1)
    return weights(folder)


def assert_cleared(case):
    """A run that ends leaves no temporary file, whoever left it."""
    finish(*case.arguments(), cwd=case.folder)
    assert not temporary(case.written)


def test_a_killed_prepare_leaves_the_old_pair_or_the_new_one(tmp_path):
    case = Prepare(tmp_path / "prepare")
    for i in range(2):
        case.kill(random.Random(i), early=i == 0)
    assert_cleared(case)


def test_a_killed_predict_leaves_the_old_answers_or_the_new_ones(tmp_path, model):
    case = Predict(tmp_path / "predict", model)
    for i in range(3):
        case.kill(random.Random(i), early=i == 0)
    assert_cleared(case)


@pytest.mark.slow
def test_a_killed_training_is_whole_refuses_a_second_and_ends_with_the_same_weights(
    tmp_path, toy_csv
):
    expected = whole_run(toy_csv, tmp_path / "whole", 3)
    case = Train(tmp_path / "train", toy_csv, 3)
    running = start(*case.arguments(), cwd=case.folder)
    while not (case.written / "last" / "state.json").exists():
        assert running.poll() is None
    with pytest.raises(FaceGenderError, match="in use by another train"):
        train(toy_csv, case.written, TrainSettings(crop="photo", init="none"), force=True)
    running.kill()
    running.wait()
    assert case.judge() == "a newer whole state"
    train(toy_csv, case.written, resume=True, workers=1)
    for ours, theirs in zip(weights(case.written), expected, strict=True):
        assert (ours == theirs).all()


@pytest.mark.slow
def test_a_killed_prepare_of_crops_leaves_whole_crops(tmp_path, astronaut):
    case = Crops(tmp_path / "crops", astronaut)
    for i in range(6):
        case.kill(random.Random(i), early=i == 0)
    assert_cleared(case)


@pytest.mark.slow
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_weights(tmp_path, toy_csv):
    case = Train(tmp_path / "train", toy_csv, 20)
    for i in range(8):
        case.kill(random.Random(i), early=i == 0)
    case.end()
    expected = whole_run(toy_csv, tmp_path / "whole", 20)
    for ours, theirs in zip(weights(case.written), expected, strict=True):
        assert (ours == theirs).all()


@pytest.mark.slow
def test_a_killed_export_leaves_the_old_one_or_the_new_one(tmp_path, model):
    case = Export(tmp_path / "export", model)
    for i in range(4):
        case.kill(random.Random(i))
    assert_cleared(case)
    assert case.judge() == "the new export"
    assert [path.name for path in case.folder.iterdir()] == ["out"]
