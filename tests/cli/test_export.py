"""`facegender export`: what it prints, refuses and leaves behind."""

import json

import pytest


@pytest.fixture
def exported(run, toy_model):
    def export(*args, **options):
        return run("export", toy_model, *args, **options)

    return export


def test_the_contract_has_everything(run_here, toy_model, toy_csv, in_tmp):
    out, err = run_here("export", toy_model, "-f", "litert", "--photos", toy_csv, "--json")
    result = json.loads(out)
    assert result["path"] == "gender_litert"
    stored = json.loads((in_tmp / "gender_litert" / "export.json").read_text())
    assert {**stored, "source": result["source"], "path": "gender_litert"} == result
    assert result["schema"] == 1
    assert result["comparison"]["crops"] == 80
    assert "Model:" in err


def test_the_agreement_is_printed(run, run_here, toy_model, toy_tree, in_tmp):
    mine = ("export", toy_model, "-f", "litert", "-o", "mine")
    out, err = run_here(*mine)
    assert "on 200 made pictures" in out
    assert "answers changed 0 (allowed 0)" in out
    assert "use --photos to compare on your faces" in err
    _, err = run_here(*mine, code=1)
    assert "--force" in err
    out, err = run(*mine, "--force", "-q", "--photos", toy_tree)
    assert "on 80 faces" in out
    assert err == "", "nothing of TensorFlow's"
    assert (in_tmp / "mine" / "model.tflite").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--format", "tensorrt"), "unknown --format 'tensorrt'"),
        ((), "--format"),
        (("-f", "litert", "--int8"), "--calibrate"),
        (("-f", "onnx", "--int8", "--calibrate", "x"), "--int8 is for litert"),
        (("-f", "litert", "--max-flips", ".1"), "for --int8"),
        (("-f", "litert", "--photos", "a.csv", "--photos", "b.csv"), "no such file"),
    ],
)
def test_wrong_words_are_usage_errors(exported, in_tmp, args, said):
    _, err = exported(*args, code=2)
    assert said in err
    assert list(in_tmp.iterdir()) == []


def test_missing_things_are_failures(run, exported, in_tmp):
    _, err = run("export", "nothing", "-f", "litert", code=1)
    assert "no model folder" in err
    _, err = exported("-f", "litert", "-o", "a/b", code=2)
    assert "there is no folder a" in err
    _, err = exported("-f", "litert", "--photos", "none.csv", code=2)
    assert "--photos none.csv: there is no such file" in err
    (in_tmp / "empty").mkdir()
    _, err = exported("-f", "litert", "--photos", "empty", code=1)
    assert "--photos: no photo was found" in err
    (in_tmp / "empty").rmdir()
    assert list(in_tmp.iterdir()) == []
