"""Tables and settings that no training begins with."""

from pathlib import Path

import pytest

from facegender.dataset.prepare import prepare
from facegender.dataset.samples import Samples
from facegender.dataset.table import read_table, write_table
from facegender.errors import DataError, UsageError
from facegender.training.settings import TrainSettings
from facegender.training.train import train
from tests.conftest import make_tree
from tests.training.runs import QUICK


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
