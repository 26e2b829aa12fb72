import json
import re
import shutil

import pytest

from facegender.errors import BundleError
from facegender.evaluation.evaluate import evaluate
from facegender.models.bundle import CARD, load_bundle, save_bundle
from facegender.models.card import LIMITS_OF_USE, record_evaluation, render_card
from facegender.prediction.predictor import Predictor


@pytest.fixture
def model(toy_model, tmp_path):
    return shutil.copytree(toy_model, tmp_path / "model")


def test_the_card_says_what_the_manifest_says(model):
    bundle = load_bundle(model)
    text = bundle.files[CARD].read_text("utf-8")
    assert text == render_card(bundle.manifest)
    assert LIMITS_OF_USE in text
    assert f"accuracy {bundle.manifest['metrics']['accuracy']:.4f}" in text.lower()
    assert "| train | 24 | 24 |" in text


def test_an_evaluation_is_recorded_once_a_title(model, toy_csv):
    for threshold in (0.7, 0.7, 0.9):
        predictor = Predictor(model, threshold=threshold)
        result = evaluate(toy_csv, predictor, by=["gender", "race,gender"][:1], stress=True)
        bundle = record_evaluation(predictor.bundle, result.to_json(), "Made photos")
    record_evaluation(bundle, result.to_json(), "Others")
    bundle = load_bundle(model)
    assert [found["title"] for found in bundle.manifest["evaluations"]] == ["Made photos", "Others"]
    text = bundle.files[CARD].read_text("utf-8")
    accuracy = result.metrics["accuracy"]
    shown = (
        f"{100 * accuracy.value:.1f} % | {100 * accuracy.low:.1f} % to {100 * accuracy.high:.1f}"
    )
    assert shown in text
    assert text.count("## Made photos") == 1
    assert "by gender" in text
    assert "under stress" in text
    assert len(list(model.glob("README*.md"))) == 1
    Predictor(model)  # still whole


def test_the_card_of_a_model_that_was_not_judged_is_left_alone(model, toy_csv):
    predictor = Predictor(model)
    result = evaluate(toy_csv, predictor).to_json()
    contents = {role: path.read_bytes() for role, path in predictor.bundle.files.items()}
    facts = predictor.bundle.manifest | {"fingerprint": "a" * 16}
    save_bundle(model, contents, facts)  # as a train --force that ended meanwhile
    with pytest.raises(BundleError, match="holds another model than the one that was judged"):
        record_evaluation(predictor.bundle, result, "Made photos")
    assert load_bundle(model).fingerprint == "a" * 16


def test_an_evaluation_recorded_before_there_were_conditions_is_shown(model, toy_csv):
    result = evaluate(toy_csv, Predictor(model)).to_json()
    del result["data"]["where"]
    entry = {"title": "An old one", **result}
    facts = {**load_bundle(model).manifest, "evaluations": [entry]}
    assert "## An old one" in render_card(facts)


def test_every_table_of_the_card_is_rectangular(model, toy_csv):
    predictor = Predictor(model)
    result = evaluate(toy_csv, predictor, by=["person"], stress=True)
    bundle = record_evaluation(predictor.bundle, result.to_json(), "A | B")
    text = bundle.files[CARD].read_text("utf-8")
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1
    assert "too few to say" in text


def test_info_prints_the_card_and_refuses_a_damaged_model(model, in_tmp, capfd):
    import subprocess
    import sys

    def info(*args):
        command = [sys.executable, "-m", "facegender", "info", str(model), *args]
        return subprocess.run(command, capture_output=True, text=True)

    plain = info()
    assert plain.returncode == 0
    assert "# A facegender model: compact" in plain.stdout
    assert "Files, all whole" in plain.stdout
    facts = json.loads(info("--json").stdout)
    assert facts["schema"] == 1
    assert facts["whole"] is True
    assert facts["model"]["fingerprint"] == load_bundle(model).fingerprint
    assert set(facts["files"]) >= {"model.keras", "model.tflite"}
    (model / "model.tflite").write_bytes(b"cut")
    damaged = info("--json")
    assert damaged.returncode == 1
    assert "model.tflite has 3 bytes" in damaged.stderr
