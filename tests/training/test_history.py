import csv
from dataclasses import fields
from xml.etree import ElementTree

import pytest

from facegender.models.bundle import CURVE, HISTORY, LAST
from facegender.training.events import Epoch, Warn
from facegender.training.history import save_history
from facegender.training.tensorboard import EpochWriter

SVG = "{http://www.w3.org/2000/svg}"


def epoch(number):
    return Epoch(number, 1 / number, 0.5, 2 / number, 0.25, 0.01, 3.0, 4.0, number == 1)


def test_the_history_grows_with_each_epoch_and_keeps_its_columns(tmp_path):
    (tmp_path / LAST).mkdir()
    for done in (1, 2, 3):
        save_history(tmp_path, [epoch(number) for number in range(1, done + 1)])
        with (tmp_path / LAST / HISTORY).open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == [field.name for field in fields(Epoch)]
        assert [int(row["epoch"]) for row in rows] == list(range(1, done + 1))
        assert [row["best"] for row in rows] == ["1", "0", "0"][:done]
        picture = ElementTree.fromstring((tmp_path / LAST / CURVE).read_text())
        lines = picture.findall(f".//{SVG}polyline")
        assert [len(line.get("points").split()) for line in lines] == [done] * 4


def test_a_loss_that_is_no_number_does_not_spoil_the_picture(tmp_path):
    (tmp_path / LAST).mkdir()
    odd = Epoch(2, float("nan"), 0.5, float("inf"), 0.5, 0.01, 3.0, 4.0, False)
    save_history(tmp_path, [epoch(1), odd])
    assert "nan" not in (tmp_path / LAST / CURVE).read_text()


def test_epochs_are_written_for_tensorboard(tmp_path):
    passed = []
    writer = EpochWriter(tmp_path / "runs", passed.append)
    events = [Warn("as before"), epoch(1), epoch(2)]
    for event in events:
        writer(event)
    assert passed == events
    from tensorflow import make_ndarray
    from tensorflow.compat.v1.train import summary_iterator

    found = {}
    for run in ("train", "validation"):
        (file,) = (tmp_path / "runs" / run).iterdir()
        for record in summary_iterator(str(file)):
            for value in record.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found[run, value.tag, record.step] = float(make_ndarray(value.tensor))
    assert found["train", "loss", 2] == 0.5
    assert found["validation", "loss", 2] == 1
    assert found["validation", "accuracy", 1] == 0.25
    assert found["train", "learning rate", 1] == pytest.approx(0.01)
    assert len(found) == 10
