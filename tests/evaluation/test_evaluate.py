import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from facegender import Predictor, evaluate
from facegender.dataset.table import read_table, write_table
from facegender.errors import BundleError, DataError, UsageError
from facegender.evaluation.metrics import NAMES


@pytest.fixture
def table(toy_csv, in_tmp):
    """A copy of the table with attributes, whose sidecar no longer belongs to it."""
    samples = read_table(toy_csv)
    samples.attributes["age"] = [("3-9", "10-19")[i % 2] for i in range(len(samples))]
    write_table(Path("faces.csv"), samples)
    return Path("faces.csv")


def test_the_json_contract(table, toy_model):
    result = evaluate(table, Predictor(toy_model), by=["age", "age,gender"])
    stored = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert set(stored["metrics"]) == set(NAMES)
    assert set(stored["metrics"]["accuracy"]) == {"value", "low", "high"}
    assert stored["data"]["photos"] == sum(map(sum, stored["confusion"]))
    assert stored["data"]["split"] == "test"
    assert list(stored["groups"]["age"]) == ["3-9", "10-19"]
    assert set(stored["groups"]["age,gender"]) == {
        f"{age}, {gender}" for age in ("3-9", "10-19") for gender in ("female", "male")
    }
    assert all(group["too_small"] for group in stored["groups"]["age"].values())


def test_every_row_counts(toy_csv, toy_model, tmp_path):
    folder = shutil.copytree(toy_csv.parent, tmp_path / "data")
    samples = read_table(folder / "faces.csv")
    row = samples.rows_of("test")[0]
    Path(samples.paths[row]).write_bytes(b"no longer a photo")
    result = evaluate(folder / "faces.csv", Predictor(toy_model))
    assert result.unreadable == 1
    total = len(samples.rows_of("test"))
    right = int(result.confusion.trace())
    assert result.metrics["accuracy"].value == pytest.approx(right / total)
    assert result.of_faces_found["accuracy"].value == pytest.approx(right / (total - 1))


def test_a_table_whose_photos_are_all_gone_is_refused(toy_csv, toy_model, tmp_path):
    folder = shutil.copytree(toy_csv.parent, tmp_path / "data")
    samples = read_table(folder / "faces.csv")
    for row in samples.rows_of("test"):
        Path(samples.paths[row]).unlink()
    with pytest.raises(DataError, match="none of the 16 photos can be read"):
        evaluate(folder / "faces.csv", Predictor(toy_model))


def test_labels_the_wrong_way_round_are_named(toy_csv, toy_model, in_tmp):
    samples = read_table(toy_csv)
    samples.labels = (1 - samples.labels).astype(np.int8)
    write_table(Path("swapped.csv"), samples)
    found = evaluate("swapped.csv", Predictor(toy_model), split="all", leaks=False)
    assert any("labels are probably swapped" in text for text in found.warnings)
    right = evaluate(toy_csv, Predictor(toy_model), split="all", leaks=False)
    assert not any("probably swapped" in text for text in right.warnings)


def test_rows_that_another_tool_does_not_list_are_named(toy_csv, toy_model, in_tmp):
    samples = read_table(toy_csv)
    listed = samples.rows_of("test")[2:]
    rows = "".join(f"{samples.paths[row]},{int(samples.labels[row])}\n" for row in listed)
    Path("other.csv").write_text("path,p_male\n" + rows)
    found = evaluate(toy_csv, Predictor(toy_model), compare="other.csv", leaks=False)
    assert found.comparison.second.value == 1
    assert found.comparison.other == "other.csv"
    (warning,) = [text for text in found.warnings if "not compared" in text]
    assert warning.startswith("2 of 16 photos are not in other.csv")
    assert samples.paths[samples.rows_of("test")[0]] in warning
    stored = json.loads(json.dumps(found.to_json(), allow_nan=False))["comparison"]
    assert len(stored["missing"]) == 2
    assert stored["accuracy"]["other"]["value"] == 1


def test_an_answer_that_is_not_a_number_is_refused(toy_csv, toy_model, monkeypatch):
    """It is no photo without a face: the model is broken."""
    broken = lambda _network, crops: np.full((len(crops), 2), np.nan)  # noqa: E731
    monkeypatch.setattr("facegender.prediction.predictor.run_network", broken)
    with pytest.raises(BundleError, match="not a number"):
        evaluate(toy_csv, Predictor(toy_model))


def test_rows_are_selected(table, toy_model):
    everything = evaluate(table, Predictor(toy_model), split="all")
    young = evaluate(table, Predictor(toy_model), split="all", where=["age in 3-9", "gender=male"])
    assert len(everything.samples) == 80
    assert len(young.samples) == 20
    assert young.metrics["recall_female"].value is None
    with pytest.raises(DataError, match="no rows of the split"):
        evaluate(table, Predictor(toy_model), where=["age=3-9", "age=10-19"])
    with pytest.raises(UsageError, match="no column 'race'"):
        evaluate(table, Predictor(toy_model), by=["race"])


def test_an_empty_split_says_which_there_are(table, toy_model):
    samples = read_table(table)
    write_table(table, samples.take(samples.rows_of("train")))
    with pytest.raises(DataError, match=r"no rows in the split 'test' \(train 48, val 0, test 0\)"):
        evaluate(table, Predictor(toy_model))


def test_rows_that_trained_or_chose_the_model_are_warned_of(toy_csv, toy_model):
    predictor = Predictor(toy_model)
    assert evaluate(toy_csv, predictor).warnings == []
    assert "trained on these rows" in evaluate(toy_csv, predictor, split="train").warnings[0]
    assert "chose the model's best epoch" in evaluate(toy_csv, predictor, split="val").warnings[0]


def test_columns_are_found_in_any_case_and_called_as_the_table_calls_them(toy_csv, toy_model):
    result = evaluate(toy_csv, Predictor(toy_model), by=["GENDER", "Split, gender"], leaks=False)
    assert list(result.groups) == ["gender", "split,gender"]
    assert set(result.groups["split,gender"]) == {"test, female", "test, male"}
