import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facegender.faces.backends import default_backend
from facegender.faces.detection import FaceDetector
from facegender.faces.extraction import find_faces
from facegender.faces.geometry import Face, Geometry, crop_face, cut_turned
from facegender.faces.orientation import settle, signed, tilt_of, turned_back

MIDDLE = (221.5, 127.0)
"""Of the astronaut's face, in her photo of 512x512."""


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(default_backend())


def apart(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


def turned(photo: np.ndarray, angle: float) -> tuple[np.ndarray, tuple[float, float]]:
    """The astronaut turned counterclockwise on a larger canvas, and where her face is then."""
    image = Image.fromarray(photo).rotate(
        angle, Image.Resampling.BICUBIC, expand=True, fillcolor=(128, 128, 128)
    )
    across, down = MIDDLE[0] - 256, MIDDLE[1] - 256
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    place = (
        image.width / 2 + cos * across + sin * down,
        image.height / 2 - sin * across + cos * down,
    )
    return np.asarray(image), place


@pytest.mark.parametrize("angle", [0, 30, 60, 90, 135, 180, 225, 270, 315])
def test_a_turned_face_is_found_where_it_is_and_as_it_is_turned(astronaut, detector, angle):
    photo, (x, y) = turned(astronaut, angle)
    (face,) = detector(photo)
    left, top, width, height = face.box
    assert math.dist((left + width / 2, top + height / 2), (x, y)) < 30
    assert apart(face.roll, -angle) <= 20
    assert not face.orientation_unclear
    right, left_eye, _, *mouth = face.landmarks
    eyes = np.add(right, left_eye) / 2
    up = math.degrees(math.atan2(*(eyes - np.add(*mouth) / 2) * (1, -1)))
    assert apart(up, -angle) <= 25, "the mouth lies below the eyes, as the face is turned"


@pytest.mark.parametrize("kind", ["box", "eyes"])
@pytest.mark.parametrize("angle", [60, 90, 180, 270])
def test_the_crop_of_a_turned_face_is_that_of_the_upright_one(astronaut, detector, angle, kind):
    geometry = Geometry(kind, 64, 64)
    upright = find_faces(astronaut, geometry, detector).crops[0].astype(float)
    crop = find_faces(turned(astronaut, angle)[0], geometry, detector).crops[0].astype(float)
    wrong = np.corrcoef(upright.ravel(), np.rot90(crop, 2).ravel())[0, 1]
    assert np.corrcoef(upright.ravel(), crop.ravel())[0, 1] > max(0.7, wrong + 0.2)


def test_an_upright_and_a_sideways_face_in_one_photo(astronaut, detector):
    head = astronaut[0:260, 90:350]
    page = np.full((300, 620, 3), 128, np.uint8)
    page[20:280, 20:280], page[20:280, 340:600] = head, np.rot90(head)
    faces = sorted(detector(page), key=lambda face: face.box[0])
    assert [apart(face.roll, roll) < 20 for face, roll in zip(faces, (0, -90), strict=True)] == [
        True,
        True,
    ]


class Counted:
    """A backend that sees the same face in every picture and counts the pictures."""

    min_face, max_face = 20, 320

    def __init__(self, score: float, tilt: float = 0.0) -> None:
        self.score, self.tilt, self.pictures = score, tilt, 0

    def __call__(self, photo):
        self.pictures += 1
        side = photo.shape[0]
        face = eyes_and_mouth(self.tilt).scaled(side / 100, side / 100)
        return [Face(face.box, face.landmarks, self.score)]


def eyes_and_mouth(tilt: float) -> Face:
    """A face of 59x59 in a picture of 100x100, turned clockwise about its middle."""
    cos, sin = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    points = ((-12, -10), (12, -10), (0, 2), (-10, 14), (10, 14))
    places = tuple((50 + cos * x - sin * y, 50 + sin * x + cos * y) for x, y in points)
    return Face((20.5, 20.5, 59.0, 59.0), places, 0.9)


def test_a_sure_upright_face_costs_no_further_look():
    backend = Counted(0.93)
    face = Face((20.5, 20.5, 59.0, 59.0), eyes_and_mouth(3).landmarks, 0.93)
    assert settle(backend, np.zeros((100, 100, 3), np.uint8), face).roll == pytest.approx(5.4)
    assert backend.pictures == 0


def test_a_face_that_looks_alike_in_every_turn_is_unclear():
    face = eyes_and_mouth(0)
    seen = settle(
        Counted(0.85), np.zeros((100, 100, 3), np.uint8), Face(face.box, face.landmarks, 0.85)
    )
    assert seen.orientation_unclear


@given(st.floats(-40, 40))
def test_a_tilt_is_read_from_the_landmarks(tilt):
    expected = max(-45.0, min(45.0, 1.8 * tilt))
    assert tilt_of(eyes_and_mouth(tilt)) == pytest.approx(expected, abs=1e-6)


@given(st.floats(-1000, 1000))
def test_angles_are_signed(degrees):
    assert -180 < signed(degrees) <= 180
    assert math.cos(math.radians(signed(degrees))) == pytest.approx(
        math.cos(math.radians(degrees)), abs=1e-9
    )


@given(st.integers(0, 3), st.floats(10, 60), st.floats(10, 40))
def test_a_box_comes_back_from_quarter_turns(turn, x, y):
    """A marked rectangle is where `turned_back` says."""
    photo = np.zeros((80, 120, 3), np.uint8)
    x, y = round(x), round(y)
    photo[y : y + 8, x : x + 14] = 255
    spun = np.rot90(photo, turn)
    rows, columns = np.nonzero(spun[..., 0])
    box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    pivot, middle = ((p.shape[1] / 2, p.shape[0] / 2) for p in (spun, photo))
    face = turned_back(Face(tuple(map(float, box)), None, 0.9), 90.0 * turn, pivot, middle)
    assert face.box == pytest.approx((x, y, 14, 8))
    assert face.roll == signed(90 * turn)


def test_what_is_cut_turned_is_upright():
    photo = np.zeros((101, 101, 3), np.uint8)
    photo[48:53, 50:90] = 255  # a bar to the right of the middle: up, where right is up
    cut = cut_turned(photo, (50.5, 50.5), 1.0, 90.0, (61, 61))
    assert cut[:25, 30].min() > 200
    assert cut[36:, 30].max() < 60


def test_a_small_tilt_is_left_as_training_saw_it():
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (100, 100, 3)).astype(np.uint8)
    box, geometry = (30.0, 30.0, 40.0, 40.0), Geometry("box", 48, 48)
    plain = crop_face(photo, Face(box, None, 0.9), geometry)
    assert np.array_equal(plain, crop_face(photo, Face(box, None, 0.9, roll=12.0), geometry))
    assert not np.array_equal(plain, crop_face(photo, Face(box, None, 0.9, roll=25.0), geometry))
