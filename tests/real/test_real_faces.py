"""On real faces: skipped where there are none."""

import json
from collections import Counter
from pathlib import Path

import pytest

from facegender import Predictor, PrepareSettings, TrainSettings, evaluate, prepare, train
from facegender.bundle import BUNDLED, MANIFEST
from facegender.dataset.table import read_table


def test_the_articles_split_of_as_many_photos(real_data, in_tmp):
    result = prepare(real_data / "gender_pic", Path("faces.csv"), PrepareSettings(split="article"))
    splits = Counter(result.samples.splits)
    assert splits == {"train": 6399, "test": 1600}
    assert Counter(result.samples.labels.tolist()) == {0: 4309, 1: 3690}


def test_persons_are_kept_apart(real_data, in_tmp):
    result = prepare(real_data / "gender_pic", Path("faces.csv"))
    assert result.to_json()["persons"] == 824
    assert result.persons_in_two_splits == 0
    assert result.copies == 1


def test_fairface_keeps_its_split_and_its_attributes(real_data, in_tmp):
    attributes = real_data / "fairface" / "attributes.csv"
    result = prepare(
        real_data / "fairface" / "val",
        Path("faces.csv"),
        PrepareSettings(attributes=str(attributes)),
    )
    assert result.without_attributes == 0
    samples = read_table(Path("faces.csv"))
    assert set(samples.attributes) == {"age", "race"}
    assert len(set(samples.attributes["race"])) == 7


@pytest.mark.slow
def test_compact_learns_real_faces_in_minutes(real_data, in_tmp):
    prepare(real_data / "gender_pic", Path("faces.csv"))
    train(Path("faces.csv"), Path("m"), TrainSettings(epochs=6, seed=0))
    result = evaluate(Path("faces.csv"), Predictor("m"))
    assert result.metrics["accuracy"].value > 0.916


@pytest.mark.skipif(not (BUNDLED / MANIFEST).exists(), reason="no bundled model")
def test_the_bundled_model_knows_faces_it_has_not_seen(real_data, in_tmp):
    """gender_pic took no part in its training."""
    prepare(real_data / "gender_pic", Path("faces.csv"))
    result = evaluate(Path("faces.csv"), Predictor(BUNDLED))
    assert result.metrics["accuracy"].value > 0.9
    assert json.dumps(result.to_json(), allow_nan=False)
