import numpy as np
import pytest

from facegender.errors import PhotoError
from facegender.evaluation.evaluate import evaluate
from facegender.evaluation.robustness import CONDITIONS, FINE, WIDE, degraded_crops, wide_crop
from facegender.faces.detection import detector_for, whole_photo
from facegender.faces.geometry import Face, Geometry, crop_face
from facegender.prediction.predictor import Predictor
from tests.conftest import pattern

BOX = Geometry("box", 64, 64)
INDEX = {condition.name: i for i, condition in enumerate(CONDITIONS)}


@pytest.mark.parametrize("kind", ["box", "eyes", "photo"])
def test_the_wide_picture_holds_the_crop_in_its_middle(astronaut, kind):
    geometry = Geometry(kind, 64, 64)
    detector = whole_photo if kind == "photo" else detector_for(geometry)
    (face,) = detector(astronaut)
    crop = crop_face(astronaut, face, geometry).astype(int)
    wide = wide_crop(astronaut, face, geometry)
    assert wide.shape == (round(64 * WIDE * FINE), round(64 * WIDE * FINE), 3)
    start = round(64 * FINE * (WIDE - 1) / 2)
    middle = wide[start : start + 64 * FINE, start : start + 64 * FINE].astype(int)
    middle = middle.reshape(64, FINE, 64, FINE, 3).mean((1, 3))
    assert np.abs(middle - crop).mean() < 9  # finer pixels are not blurred alike


def test_conditions_do_what_they_say():
    """A bright cross on a dark photo: where it goes under each condition."""
    photo = np.full((200, 200, 3), (40, 60, 90), np.uint8)
    photo[98:102, 60:140] = photo[60:140, 98:102] = (250, 200, 150)
    face = Face((50, 50, 100, 100), None, 0.9)
    crops = degraded_crops(photo, BOX, lambda _photo, _size=None: [face])
    assert crops.shape == (len(CONDITIONS), 64, 64, 3)
    assert crops.dtype == np.uint8
    plain = crop_face(photo, face, BOX)

    def cross(crop):
        return (crop[..., 0] > 150).any(0).sum()

    assert cross(crops[INDEX["tighter"]]) == pytest.approx(cross(plain) * 1.2, abs=2)
    assert cross(crops[INDEX["wider"]]) == pytest.approx(cross(plain) * 1.2 / 1.4, abs=2)
    column = crops[INDEX["shifted"]][40, :, 0].argmax()
    assert column == pytest.approx(31.5 - 6.4, abs=1.5)
    turned = crops[INDEX["turned"]][..., 0] > 150
    assert not turned[31, 31 + 18]
    assert crops[INDEX["dark"]].max() < 70
    grey = crops[INDEX["grey"]]
    assert (grey[..., 0] == grey[..., 2]).all()
    assert (crops[INDEX["eyes"]][26, 20:44] == 0).all()
    for name in ("small", "blurred", "jpeg", "mouth"):
        assert np.abs(crops[INDEX[name]].astype(int) - plain).mean() > 0.2


def test_without_a_face_there_is_nothing_to_stress(astronaut):
    assert degraded_crops(astronaut, BOX, lambda _photo, _size=None: []) is None
    assert degraded_crops(PhotoError("missing", "gone"), BOX, whole_photo) is None


def test_an_evaluation_under_stress(toy_csv, toy_model):
    result = evaluate(toy_csv, Predictor(toy_model), split="test", stress=True)
    found = result.to_json()["stress"]
    assert list(found) == [condition.name for condition in CONDITIONS]
    for under in found.values():
        assert 0 <= under["accuracy"]["low"] <= under["accuracy"]["value"] <= 1
        assert 0 <= under["flips"] <= len(result.samples)
    assert evaluate(toy_csv, Predictor(toy_model), split="test").stress == {}


def test_classify_takes_crops(toy_model):
    predictor = Predictor(toy_model)
    crops = np.stack([pattern(i % 2, i, (64, 64)) for i in range(5)])
    answers = predictor.classify(crops)
    assert answers.shape == (5, 2)
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-5)
