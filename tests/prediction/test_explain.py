from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from facegender.errors import DataError, PhotoError
from facegender.faces.detection import whole_photo
from facegender.faces.geometry import Geometry
from facegender.prediction.explain import draw_explanation, explain
from facegender.prediction.predictor import Predictor
from tests.conftest import pattern


class LooksAtOnePlace:
    """A stand-in for a network: male as far as one part of the crop is bright."""

    bundle = SimpleNamespace(geometry=Geometry("photo", 64, 64))
    detector = staticmethod(whole_photo)
    place = (slice(36, 52), slice(8, 24))

    def classify(self, crops):
        brightness = crops[:, self.place[0], self.place[1]].mean(axis=(1, 2, 3))
        p_male = 1 / (1 + np.exp(-(brightness - 140.0) / 12))
        return np.stack([1 - p_male, p_male], axis=1)


@pytest.mark.parametrize("bright", [True, False])
def test_what_is_marked_is_where_the_network_looks(bright):
    predictor = LooksAtOnePlace()
    crop = np.full((64, 64, 3), 130, np.uint8)
    crop[predictor.place] = 190 if bright else 80
    found = explain(predictor, crop)
    assert found.label == bright
    top = np.unravel_index(found.effect.argmax(), found.effect.shape)
    assert 36 <= top[0] < 52
    assert 8 <= top[1] < 24
    outside = found.effect.copy()
    outside[36 - 14 : 52 + 14, : 24 + 14] = 0
    assert np.abs(outside).max() < 0.05 * found.effect.max()
    assert 0 < found.largest <= 1


def test_an_explanation_is_the_answer_that_predict_gives(toy_model):
    predictor = Predictor(toy_model)
    photo = pattern(0, 5)
    (prediction,) = predictor.predict(photo)
    found = explain(predictor, photo)
    assert found.p_male == pytest.approx(prediction.faces[0].probabilities[1], abs=1e-6)
    assert found.label == prediction.faces[0].label
    assert found.effect.shape == (64, 64)
    assert np.isfinite(found.effect).all()
    picture = draw_explanation(found)
    assert picture.size == (2 * 320 + 12, 364)


def test_what_cannot_be_explained_is_said(toy_model, finding_model):
    with pytest.raises(PhotoError):
        explain(Predictor(toy_model), "nothing.jpg")
    blank = np.full((100, 100, 3), 90, np.uint8)
    with pytest.raises(DataError, match="there is no face 1: 0 were found"):
        explain(Predictor(finding_model), blank)
    with pytest.raises(DataError, match="there is no face 2"):
        explain(Predictor(toy_model), blank, face=2)


def test_the_command_writes_a_picture(toy_model, in_tmp):
    import subprocess
    import sys

    Image.fromarray(pattern(1, 3)).save("a.png")
    command = [sys.executable, "-m", "facegender", "explain", "a.png", "--model", str(toy_model)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with Image.open("explained.png") as picture:
        assert picture.size == (652, 364)
    assert subprocess.run([*command, "-o", "a.txt"], capture_output=True).returncode == 2
    # It is written again for the same photo, and never over another picture.
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert subprocess.run([*command, "-o", "a.png"], capture_output=True).returncode == 1
