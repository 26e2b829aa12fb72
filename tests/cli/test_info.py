"""`facegender info`: the card, the files' state, and an exit code for scripts."""

import json
import shutil


def test_a_whole_model(run, toy_model):
    out, err = run("info", toy_model)
    assert out.startswith("# A facegender model: compact")
    assert "fingerprint" in out
    assert "Files, all whole" in out
    assert err == ""
    found = json.loads(run("info", toy_model, "--json")[0])
    assert (found["schema"], found["whole"]) == (1, True)
    assert set(found["model"]) == {"path", "fingerprint", "chosen"}
    assert set(found["files"]) == {
        "model.keras",
        "model.tflite",
        "history.csv",
        "history.svg",
        "README.md",
    }


def test_a_damaged_model_has_each_file_named_and_exit_code_1(run, toy_model, in_tmp):
    model = shutil.copytree(toy_model, "model")
    open("model/history.csv", "a").write("9,9\n")
    shutil.move("model/model.tflite", "elsewhere")
    out, err = run("info", model, code=1)
    rows = {line.split()[0]: line.split()[-1] for line in out.splitlines() if "…" in line}
    assert rows == {
        "model.keras": "whole",
        "model.tflite": "missing",
        "history.csv": "damaged",
        "history.svg": "whole",
        "README.md": "whole",
    }
    assert "NOT all whole" in out
    assert "history.csv has" in err
    assert "model.tflite is missing" in err
    out, err = run("info", model, "--json", code=1)
    found = json.loads(out)
    assert found["whole"] is False
    assert found["files"]["model.tflite"]["state"] == "missing"
    assert "model.tflite is missing" in err


def test_a_model_named_by_the_environment(run, toy_model, in_tmp):
    out, _ = run("info", "--json", FACEGENDER_MODEL=str(toy_model))
    assert json.loads(out)["model"]["chosen"] == "$FACEGENDER_MODEL"
    _, err = run("info", FACEGENDER_MODEL="nowhere", code=1)
    assert "$FACEGENDER_MODEL" in err
