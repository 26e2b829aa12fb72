import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from facegender import Predictor
from facegender.errors import UsageError
from tests.conftest import encoded, pattern


def test_made_faces_are_told_apart(toy_model, tmp_path):
    paths = []
    for i in range(20):
        path = tmp_path / f"{i}.png"
        path.write_bytes(encoded(pattern(i % 2, 77_000 + i), "PNG"))
        paths.append(path)
    predictions = Predictor(toy_model).predict(paths)
    assert [p.path for p in predictions] == [str(path) for path in paths]
    right = [p.faces[0].label == i % 2 for i, p in enumerate(predictions)]
    assert np.mean(right) >= 0.9


def test_one_source_arrays_and_bytes(toy_model):
    predictor = Predictor(toy_model)
    array = pattern(0, 5)
    (from_array,) = predictor.predict(array)
    (from_bytes,) = predictor.predict(encoded(array, "PNG"))
    assert from_array == from_bytes
    assert from_array.path is None
    assert from_array.faces[0].face.box == (0, 0, 48, 56)


@pytest.mark.parametrize(
    "source", [None, 5, [None], [5], io.StringIO("x"), {}, np.zeros(3).tolist()]
)
def test_what_is_no_photo_is_refused_by_its_type(toy_model, source):
    with pytest.raises(UsageError, match="cannot predict a"):
        Predictor(toy_model).predict(source)


def test_images_files_and_views_are_photos_too(toy_model, tmp_path):
    predictor = Predictor(toy_model)
    array = pattern(0, 5)
    data = encoded(array, "PNG")
    (tmp_path / "a.png").write_bytes(data)
    (expected,) = predictor.predict(array)
    image = Image.open(io.BytesIO(data))
    with (tmp_path / "a.png").open("rb") as file:
        for source in (image, io.BytesIO(data), memoryview(data), bytearray(data), file):
            assert predictor.predict(source) == [expected]
        file.seek(0)
        assert predictor.predict([image, data, file]) == [expected] * 3
    assert image.size == (48, 56)  # it is still open and as it was


def test_a_pillow_image_is_turned_upright_and_a_damaged_one_is_an_answer(toy_model):
    predictor = Predictor(toy_model)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(pattern(1, 3, (64, 48)), "JPEG", quality=95, exif=exif)
    assert predictor.predict(Image.open(io.BytesIO(data))) == predictor.predict(data)
    cut = Image.open(io.BytesIO(encoded(pattern(1, 3), "PNG")[:-300]))
    (answer,) = predictor.predict(cut)
    assert answer.error is not None


def test_a_face_has_the_names_of_the_contract(toy_model):
    (prediction,) = Predictor(toy_model).predict(pattern(0, 5))
    (face,) = prediction.faces
    assert (face.box, face.landmarks, face.score) == ((0, 0, 48, 56), None, None)
    assert face.name == prediction.to_json()["faces"][0]["label"]


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((2, 64, 63, 3), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((2, 64, 64, 3), np.float32),
    ],
)
def test_crops_of_another_size_are_refused(toy_model, crops):
    predictor = Predictor(toy_model)
    assert predictor.classify(np.zeros((9, 64, 64, 3), np.uint8)).shape == (9, 2)
    with pytest.raises(UsageError, match=r"takes uint8 crops \(number, 64, 64, 3\)"):
        predictor.classify(crops)


def test_many_crops_are_answered_as_one_by_one(toy_model):
    predictor = Predictor(toy_model)
    crops = np.stack([pattern(i % 2, i, (64, 64)) for i in range(11)])
    alone = np.concatenate([predictor.classify(crops[i : i + 1]) for i in range(11)])
    np.testing.assert_allclose(predictor.classify(crops), alone, atol=1e-6)
    assert predictor.classify(crops[:0]).shape == (0, 2)


def test_arrays_of_other_shapes_are_one_error_each(toy_model):
    for array in (np.zeros((130, 130), np.uint8), np.zeros((1, 1, 3), np.uint8), np.array(3)):
        (prediction,) = Predictor(toy_model).predict(array)
        assert prediction.error is not None
    assert len(Predictor(toy_model).predict(np.zeros((4, 30, 30, 3), np.uint8))) == 4
    with pytest.raises(UsageError, match="several photos"):
        list(Predictor(toy_model).stream("a.jpg"))


def test_threads_may_share_a_predictor(toy_model):
    from concurrent.futures import ThreadPoolExecutor

    predictor = Predictor(toy_model, workers=1)
    batches = [[pattern(i % 2, i)] * (1 + i % 5) for i in range(60)]
    alone = [predictor.predict(batch)[0].faces[0].label for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = [p[0].faces[0].label for p in pool.map(predictor.predict, batches)]
    assert together == alone


def test_a_broken_photo_does_not_stop_the_others(toy_model):
    good = pattern(1, 2)
    predictions = Predictor(toy_model).predict([good, b"nonsense", good])
    assert [p.error is None for p in predictions] == [True, False, True]
    assert predictions[0].faces == predictions[2].faces


def test_the_json_contract(toy_model):
    (prediction,) = Predictor(toy_model).predict(pattern(0, 5))
    stored = json.loads(json.dumps(prediction.to_json(), allow_nan=False))
    (face,) = stored["faces"]
    assert stored["error"] is None
    assert face["box"] == [0, 0, 48, 56]
    assert face["landmarks"] is None
    assert set(face["probabilities"]) == {"female", "male"}
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=2e-6)
    assert face["label"] == max(face["probabilities"], key=face["probabilities"].get)
    assert face["uncertain"] is (max(face["probabilities"].values()) < 0.7)


def test_the_threshold_only_marks_uncertainty(toy_model):
    mixed = [(1 - a) * pattern(0, 1) + a * pattern(1, 2) for a in np.linspace(0, 1, 24)]
    photos = [photo.astype(np.uint8) for photo in mixed]
    low = Predictor(toy_model, threshold=0.5).predict(photos)
    sure = [max(p.faces[0].probabilities) for p in low]
    threshold = sorted(sure)[4]
    half = Predictor(toy_model, threshold=threshold).predict(photos)
    assert [p.faces[0].label for p in low] == [p.faces[0].label for p in half]
    assert not any(p.faces[0].uncertain for p in low)
    assert [p.faces[0].uncertain for p in half] == [value < threshold for value in sure]
    assert any(p.faces[0].uncertain for p in half)
    for value in (0.4, 1.1):
        with pytest.raises(UsageError):
            Predictor(toy_model, threshold=value)


def test_streams_of_any_length_keep_their_order(toy_model):
    photos = [encoded(pattern(i % 2, i), "PNG") if i % 7 else b"bad" for i in range(300)]
    seen = list(Predictor(toy_model, workers=2).stream(photos))
    assert [i for i, p in enumerate(seen) if p.error] == list(range(0, 300, 7))
    assert len(seen) == 300


def test_each_answer_comes_with_the_key_of_its_photo(toy_model, tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(pattern(0, 0), "JPEG"))
    sources = [str(tmp_path / "a.jpg"), *(encoded(pattern(i % 2, i), "PNG") for i in range(50))]
    keys = [lambda: None for _ in sources]  # cannot be pickled
    predictor = Predictor(toy_model, workers=2)
    found = list(predictor.stream_keyed(zip(keys, sources, strict=True)))
    assert [key for key, _ in found] == keys
    assert [prediction for _, prediction in found] == list(predictor.stream(sources))
    assert [prediction.path for _, prediction in found] == [sources[0], *[None] * 50]


def test_predicting_never_imports_tensorflow(toy_model):
    code = (
        "import sys, numpy; from facegender import Predictor\n"
        "Predictor(sys.argv[1]).predict(numpy.zeros((64, 64, 3), 'uint8'))\n"
        "print([m for m in ('tensorflow', 'keras', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, toy_model], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
    assert done.stderr == ""
