"""Each export is loaded by its own engine and answers as the model that it was made from."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegender import Predictor
from facegender.errors import BundleError, DataError, FaceGenderError, UsageError
from facegender.exporting import formats
from facegender.exporting.export import export
from facegender.exporting.formats import EXPORT_FORMATS
from facegender.exporting.samples import made_crops
from facegender.models.bundle import Bundle, load_bundle
from facegender.models.default_model import BUNDLED
from facegender.models.inference import load_network
from facegender.runtime.files import sha256_of

ONNX = pytest.mark.skipif(
    any(find_spec(module) is None for module in EXPORT_FORMATS["onnx"].modules),
    reason="facegender[onnx] is not installed",
)
EACH = [pytest.param(name, marks=ONNX if name == "onnx" else ()) for name in EXPORT_FORMATS]


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def exported(toy_model, toy_photos, tmp_path_factory):
    """Exports of the toy model, each made once, compared on its photos."""
    made = {}

    def get(name):
        if name not in made:
            out = tmp_path_factory.mktemp("export") / name
            made[name] = export(name, out, model=toy_model, photos=toy_photos, workers=1)
        return made[name]

    return get


def ask(result, crops):
    """Run an export by its engine as its export.json says, with nothing of facegender."""
    facts = json.loads((result.folder / "export.json").read_text())
    path = str(result.folder / facts["model"])
    takes, gives = facts["input"]["name"], facts["output"]["name"]
    if facts["engine"]["name"] == "ai-edge-litert":
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(path).get_signature_runner()(**{takes: crops})[gives]
    if facts["engine"]["name"] == "onnxruntime":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run([gives], {takes: crops})[0]
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    return loaded.signatures["serving_default"](**{takes: tf.constant(crops)})[gives].numpy()


@pytest.mark.parametrize("name", EACH)
def test_its_engine_answers_as_predict_does_for_any_number_of_crops(exported, toy_model, name):
    result = exported(name)
    crops = made_crops(load_bundle(toy_model).geometry, 9).crops
    expected = Predictor(toy_model).classify(crops)
    for number in (1, 9, 2):
        answers = ask(result, crops[:number])
        assert answers.dtype == np.float32
        assert answers.shape == (number, 2)
        np.testing.assert_allclose(answers, expected[:number], atol=1e-4)


@pytest.mark.parametrize("name", EACH)
def test_what_is_said_beside_it_is_true(exported, toy_model, name):
    result, bundle = exported(name), load_bundle(toy_model)
    facts = json.loads((result.folder / "export.json").read_text())
    assert facts["schema"] == 1
    assert facts["labels"] == facts["output"]["order"] == ["female", "male"]
    assert facts["crop"] == {"kind": "photo", "size": "64x64"}
    assert facts["threshold"] == bundle.threshold
    assert facts["source"]["fingerprint"] == bundle.fingerprint
    assert facts["input"]["shape"] == [None, 64, 64, 3]
    assert (facts["input"]["dtype"], facts["input"]["layout"]) == ("uint8", "NHWC")
    comparison = facts["comparison"]
    assert comparison["on"] == "faces"
    assert comparison["crops"] == comparison["photos"]["read"] == 80
    assert 0 <= comparison["largest_difference"] < 1e-3
    assert comparison["flips"] == 0
    assert facts["calibration"] is None
    for file, entry in facts["files"].items():
        assert sha256_of(result.folder / file) == entry["sha256"]
    named = {path.split("/")[0] for path in facts["files"]}
    assert named == {"MODEL_CARD.md", "README.md", "example.png", facts["model"]}
    assert str(toy_model) not in (result.folder / "export.json").read_text()


@pytest.mark.parametrize("name", EACH)
def test_the_example_has_the_answer_that_is_said(exported, name):
    result = exported(name)
    example = result.facts["example"]
    crop = np.asarray(Image.open(result.folder / example["file"]))
    (answer,) = ask(result, crop[None])
    np.testing.assert_allclose(answer, list(example["probabilities"].values()), atol=1e-6)
    (exchanged,) = ask(result, np.ascontiguousarray(crop[None, ..., ::-1]))
    assert np.abs(answer - exchanged).max() > 0.01  # it tells RGB from BGR


@pytest.mark.parametrize("name", EACH)
def test_the_lines_of_its_readme_run_and_print_what_they_say(exported, name):
    folder = exported(name).folder
    text = (folder / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert "facegender" not in code
    assert len(code.splitlines()) <= 10
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    said = re.search(r"This prints `(.*?)`", text)[1]
    assert done.stdout.strip() == said


@pytest.mark.parametrize("name", EACH[:2])
def test_the_example_program_runs_it_without_facegender(exported, name):
    program = Path(__file__).parents[2] / "examples" / "run_export.py"
    if not program.exists():
        pytest.skip("the examples are not here")
    assert not re.search(r"^\s*(from|import) facegender", program.read_text(), re.MULTILINE)
    folder = exported(name).folder
    crop = str(folder / "example.png")
    run = [sys.executable, str(program), str(folder)]
    done = subprocess.run([*run, crop, crop], capture_output=True, text=True, check=True)
    female, male = exported(name).facts["example"]["probabilities"].values()
    likelier = "female" if female > male else "male"
    assert done.stdout.count(f"{crop}: {likelier}, {max(female, male):.1%}") == 2


def test_litert_is_the_very_network_that_predict_runs(exported, toy_model):
    written = exported("litert").folder / "model.tflite"
    assert written.read_bytes() == load_bundle(toy_model).litert.read_bytes()


@pytest.mark.parametrize("int8", [False, True])
def test_a_model_of_8_bits_is_exported_in_float_and_as_it_is(tmp_path, astronaut, int8):
    bundle = load_bundle(BUNDLED)
    assert bundle.predicts_in_8_bits
    limits = {"int8": True, "max_flips": 1} if int8 else {}
    given = {"model": BUNDLED, "photos": [astronaut], "workers": 1}
    result = export("litert", tmp_path / "out", **given, **limits)
    written = (result.folder / "model.tflite").read_bytes()
    assert (written == bundle.litert.read_bytes()) is int8
    assert (result.agreement.largest > 1e-3) is int8
    assert (result.facts["int8"], result.facts["calibration"]) == (int8, None)
    if int8:
        with pytest.raises(UsageError, match="needs photos") as caught:
            export("litert", tmp_path / "other", model=BUNDLED, int8=True)
        assert "--photos" in caught.value.hint


@ONNX
def test_an_onnx_file_names_its_ends_and_its_batch(exported):
    import onnx

    graph = onnx.load(str(exported("onnx").folder / "model.onnx")).graph
    (source,), (answer,) = graph.input, graph.output
    assert (source.name, answer.name) == ("crops", "probabilities")
    for end in (source, answer):
        assert end.type.tensor_type.shape.dim[0].dim_param == "n"


@pytest.mark.parametrize(
    "name",
    [pytest.param("litert", marks=pytest.mark.slow), *EACH[1:]],
)
def test_classic_without_a_twin_is_exported_too(classic_model, tmp_path, name):
    photos = list(made_crops(load_bundle(classic_model).geometry, 5).crops)
    result = export(name, tmp_path / "out", model=classic_model, photos=photos)
    assert result.facts["comparison"]["crops"] == 5
    assert result.agreement.largest < 1e-4
    assert result.facts["input"]["shape"] == [None, 165, 141, 3]
    assert result.facts["threshold"] == 0.8


def test_int8_is_a_quarter_and_is_compared_on_other_photos(toy_model, toy_photos, tmp_path):
    result = export(
        "litert",
        tmp_path / "int8",
        model=toy_model,
        int8=True,
        calibrate=toy_photos,
        max_difference=1,
        max_flips=1,
        workers=1,
    )
    size = (result.folder / "model.tflite").stat().st_size
    assert size < load_bundle(toy_model).litert.stat().st_size / 3
    assert result.facts["int8"] is True
    assert result.facts["calibration"] == {"crops": 40}
    assert result.facts["comparison"]["crops"] == 40
    assert result.agreement.mean < 0.1  # the same network still
    assert result.agreement.largest > 0
    crops = made_crops(load_bundle(toy_model).geometry, 3).crops
    assert ask(result, crops).dtype == np.float32

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(result.folder / "model.tflite"))
    kinds = {details["dtype"] for details in interpreter.get_tensor_details() if details["name"]}
    assert np.int8 in kinds
    assert interpreter.get_input_details()[0]["dtype"] is np.uint8


@pytest.fixture
def answered(toy_model, monkeypatch):
    """Stand in for the Keras model: its twin, with what it says changed by a function."""

    def answer_with(change=lambda answers: answers):
        network = load_network(load_bundle(toy_model))
        monkeypatch.setattr(Bundle, "load_keras", lambda self: None)
        monkeypatch.setattr(
            "facegender.exporting.export.KerasNetwork", lambda _: lambda x: change(network(x))
        )

    return answer_with


def test_an_export_that_disagrees_is_refused_and_leaves_nothing(toy_model, tmp_path, answered):
    answered(lambda answers: answers[:, ::-1])
    with pytest.raises(FaceGenderError, match="does not agree"):
        export("litert", tmp_path / "out", model=toy_model)
    assert files_below(tmp_path) == []


def test_damaged_weights_are_refused(toy_model, tmp_path, answered):
    answered(lambda answers: answers * np.nan)
    with pytest.raises(BundleError, match="not two probabilities"):
        export("litert", tmp_path / "out", model=toy_model)
    assert files_below(tmp_path) == []


def test_missing_packages_are_named_before_anything_is_done(toy_model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(FaceGenderError, match="tf2onnx") as caught:
        export("onnx", tmp_path / "out", model=tmp_path / "no model")
    assert "facegender[onnx]" in caught.value.hint


def test_a_conversion_that_fails_is_a_sentence(toy_model, tmp_path, monkeypatch, answered):
    answered()

    def fail(_source, _target):
        raise ValueError("no such operation")

    form = EXPORT_FORMATS["saved_model"]
    broken = formats.Format(form.name, form.file, form.engine, form.output, fail, form.load)
    monkeypatch.setitem(EXPORT_FORMATS, "saved_model", broken)
    with pytest.raises(FaceGenderError, match="cannot be converted.*no such operation"):
        export("saved_model", tmp_path / "out", model=toy_model)
    assert files_below(tmp_path) == []


@pytest.mark.parametrize(
    "options",
    [
        {"format": "keras"},
        {"format": "onnx", "int8": True, "calibrate": ["a.jpg"]},
        {"format": "litert", "int8": True},
        {"format": "litert", "calibrate": ["a.jpg"]},
        {"format": "litert", "max_flips": 0.5},
        {"format": "litert", "int8": True, "calibrate": ["a.jpg"], "max_difference": 2},
    ],
)
def test_options_without_a_meaning_are_refused(toy_model, tmp_path, options):
    with pytest.raises(UsageError):
        export(out=tmp_path / "out", model=toy_model, **options)


def test_too_few_faces_to_calibrate_with_are_refused(toy_model, toy_photos, tmp_path):
    with pytest.raises(DataError, match="needs 21 different faces"):
        export("litert", tmp_path / "out", model=toy_model, int8=True, calibrate=toy_photos[:20])
    with pytest.raises(DataError, match="needs 20 different faces.*found 0"):
        export(
            "litert",
            tmp_path / "out",
            model=toy_model,
            int8=True,
            photos=toy_photos[:30],
            calibrate=toy_photos[:30],  # what is compared on may not calibrate
            workers=1,
        )
    assert files_below(tmp_path) == []


class TestThePlace:
    @pytest.fixture
    def again(self, toy_model, tmp_path, answered):
        answered()

        def again(out=tmp_path / "out", force=False):
            return export("litert", out, model=toy_model, force=force)

        return again

    def test_an_export_is_replaced_only_when_asked_to(self, again, tmp_path):
        again()
        before = (tmp_path / "out" / "export.json").stat().st_ino
        with pytest.raises(FaceGenderError, match="holds an export already"):
            again()
        again(force=True)
        assert (tmp_path / "out" / "export.json").stat().st_ino != before
        assert files_below(tmp_path) == files_below_of_litert()

    def test_an_empty_folder_is_filled(self, again, tmp_path):
        (tmp_path / "out").mkdir()
        again()
        assert files_below(tmp_path) == files_below_of_litert()

    def test_a_file_of_the_users_stops_it_whatever_is_asked(self, again, tmp_path):
        out = again().folder
        (out / "notes.txt").write_text("mine")
        with pytest.raises(FaceGenderError, match=r"holds notes\.txt"):
            again(force=True)
        assert (out / "notes.txt").read_text() == "mine"

    def test_a_changed_file_stops_it(self, again, tmp_path):
        out = again().folder
        (out / "README.md").write_text("my words")
        with pytest.raises(FaceGenderError, match=r"README\.md was changed"):
            again(force=True)
        assert (out / "README.md").read_text() == "my words"

    def test_a_model_folder_stops_it(self, again, toy_model, tmp_path):
        model = shutil.copytree(toy_model, tmp_path / "model")
        before = files_below(model)
        with pytest.raises(FaceGenderError, match="it is no export"):
            again(model, force=True)
        assert files_below(model) == before

    def test_a_file_stops_it(self, again, tmp_path):
        (tmp_path / "out").write_text("mine")
        with pytest.raises(UsageError, match="out is not a folder"):
            again(force=True)

    def test_a_place_that_cannot_be_written_is_named_first(self, tmp_path):
        with pytest.raises(UsageError, match="there is no folder"):
            export("litert", tmp_path / "missing" / "out")


def files_below_of_litert():
    names = ("MODEL_CARD.md", "README.md", "example.png", "export.json", "model.tflite")
    return ["out", *(f"out/{name}" for name in names)]
