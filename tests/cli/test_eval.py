"""`facegender eval`: what it prints, demands and leaves behind."""

import csv
import json
import shutil

import pytest

from facegender.dataset.table import read_table, write_table


@pytest.fixture
def judged(run, toy_csv, toy_model):
    def judge(*args, **options):
        return run("eval", toy_csv, "--model", toy_model, "-q", *args, **options)

    return judge


def test_the_contract_has_everything(judged):
    out, _ = judged("--json", "--by", "gender", "--stress", "--target-accuracy", "0.6")
    result = json.loads(out)
    assert set(result) >= {"calibration", "stress", "leakage", "comparison", "extremes", "groups"}
    calibration = result["calibration"]
    assert len(calibration["reliability"]) == 15
    assert calibration["target"]["accuracy"] == 0.6
    assert 0 <= calibration["chance_ece"] <= 1
    assert result["extremes"]["gender"]["worst"] in ("female", "male", None)
    assert result["comparison"] is None


def test_predictions_come_back_as_another_tools(judged, in_tmp):
    judged("--predictions", "mine.csv")
    rows = list(csv.DictReader(open("mine.csv")))
    assert len(rows) == 16
    out, _ = judged("--json", "--compare", "mine.csv")
    comparison = json.loads(out)["comparison"]
    assert comparison["difference"]["value"] == 0
    assert comparison["p_value"] == 1
    with open("worse.csv", "w") as file:
        file.write("path,p_male\n")
        file.writelines(f"{row['path']},{1 - int(row['label'])}\n" for row in rows)
    out, _ = judged("--compare", "worse.csv")
    assert "accuracy of the other" in out
    assert "p = " in out


def test_another_model_is_compared(judged, toy_model, in_tmp):
    shutil.copytree(toy_model, "other")
    out, _ = judged("--json", "--compare", "other")
    assert json.loads(out)["comparison"]["photos"] == []
    judged("--compare", "nothing", code=2)


def test_a_missing_comparison_is_said_before_the_work(toy_csv, toy_model):
    from facegender import Predictor, evaluate
    from facegender.errors import DataError

    done = []
    with pytest.raises(DataError, match="cannot read nothing"):
        evaluate(
            toy_csv,
            Predictor(toy_model),
            compare="nothing",
            on_progress=lambda *at: done.append(at),
        )
    assert done == []


@pytest.fixture
def mislabelled(toy_csv, in_tmp):
    """A table in which the model, which errs nowhere, is wrong on one photo in eight."""
    samples = read_table(toy_csv)
    samples.labels[::8] = 1 - samples.labels[::8]
    write_table(in_tmp / "mislabelled.csv", samples)
    return in_tmp / "mislabelled.csv"


@pytest.mark.parametrize(
    ("demands", "code"),
    [
        (("--min-accuracy", "0"), 0),
        (("--min-accuracy", ".99"), 1),
        (("--min-group-accuracy", ".99", "--by", "split"), 1),  # 16 photos are too few to say
        (("--min-group-accuracy", "0.5"), 2),
    ],
)
def test_demands_decide_the_exit_code(run, mislabelled, toy_model, demands, code):
    _, err = run("eval", mislabelled, "--model", toy_model, "-q", *demands, code=code)
    assert ("asked for" in err or "enough photos" in err) == (code == 1)


def test_a_group_that_is_large_enough_is_demanded_of(run, mislabelled, toy_model):
    command = ("eval", mislabelled, "--model", toy_model, "-q", "--split", "all", "--by", "split")
    run(*command, "--min-group-accuracy", "0")
    _, err = run(*command, "--min-group-accuracy", ".95", code=1)
    assert "the accuracy of split train is" in err
    assert "the worst of 1 such groups" in err


def test_no_file_of_others_is_written_over(judged, in_tmp):
    for option in ("--report", "--predictions"):
        (in_tmp / "mine.jpg").write_bytes(b"a photo")
        _, err = judged(option, "mine.jpg", code=2)
        assert "facegender did not write it" in err
        assert (in_tmp / "mine.jpg").read_bytes() == b"a photo"
    for _ in range(2):
        judged("--report", "r.html", "--predictions", "p.csv", "--json", "-o", "r.json")
    judged("--report", "mine.jpg", "--force")
    assert (in_tmp / "mine.jpg").read_bytes().startswith(b"<!doctype html>")


def test_leaks_are_said_before_the_numbers(run, toy_csv, toy_model, in_tmp):
    text = toy_csv.read_text().replace(",test", ",val")
    leaking = toy_csv.with_name("leaking.csv")
    leaking.write_text(text + toy_csv.read_text().split("\n", 1)[1].replace(",val", ",train"))
    options = ("--split", "val", "--model", toy_model, "-q")
    _, err = run("eval", leaking, *options)
    assert "LEAK" in err
    assert "byte for byte" in err
    _, err = run("eval", leaking, *options, "--no-leaks")
    assert "LEAK" not in err


def test_a_result_is_recorded_in_the_card(run, toy_csv, toy_model, in_tmp):
    shutil.copytree(toy_model, "model")
    run("eval", toy_csv, "--model", "model", "-q", "--record", "Made photos")
    out, _ = run("info", "model")
    assert "## Made photos" in out
