import numpy as np
import pytest

from facegender.faces import backends
from facegender.faces.detection import FaceDetector
from facegender.faces.geometry import Face
from facegender.faces.plain import LARGEST, TRACE, UPRIGHT


class Scripted:
    """A backend that sees faces, given in shares of the picture's sides, and notes its pictures."""

    min_face, max_face = 20, 320

    def __init__(self, *faces):
        self.faces, self.pictures = faces, []

    def __call__(self, photo):
        height, width = photo.shape[:2]
        self.pictures.append((width, height))
        return [Face(box, None, score).scaled(width, height) for box, score in self.faces]


LARGE = (0.3, 0.3, 0.4, 0.4)
SMALL = (0.05, 0.05, 0.1, 0.1)


def seen_by(monkeypatch, backend, side=240, **settings):
    monkeypatch.setitem(backends.BACKENDS, "libfacedetection", lambda: backend)
    backends.load_backend.cache_clear()
    try:
        return FaceDetector("libfacedetection", **settings)(np.zeros((side, side, 3), np.uint8))
    finally:
        backends.load_backend.cache_clear()


def test_one_large_upright_face_is_searched_at_half_the_scale_only(monkeypatch):
    backend = Scripted((LARGE, UPRIGHT), (SMALL, TRACE / 2))
    (face,) = seen_by(monkeypatch, backend)
    assert face.box == pytest.approx((72, 72, 96, 96))
    assert backend.pictures == [(100, 100)]


@pytest.mark.parametrize(
    ("faces", "more"),
    [
        ([(LARGE, 0.95), (SMALL, TRACE)], {}),
        ([(LARGE, UPRIGHT - 0.01)], {}),
        ([(SMALL, 0.95)], {}),
        ([(LARGE, 0.95)], {"min_face": 24}),
        ([(LARGE, 0.95)], {"side": LARGEST + 1}),
    ],
)
def test_all_others_are_searched_as_before(monkeypatch, faces, more):
    backend = Scripted(*faces)
    seen_by(monkeypatch, backend, **more)
    side = more.get("side", 240)
    assert (round(side / 1.2), round(side / 1.2)) in backend.pictures
