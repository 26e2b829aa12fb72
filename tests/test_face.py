import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.errors import BundleError
from facegender.face import Face, Geometry, crop_face, whole_photo


def ramp(width, height):
    """Red is the column, green the row, both scaled to 0..255."""
    y, x = np.mgrid[:height, :width].astype(float)
    red, green = 255 * (x + 0.5) / width, 255 * (y + 0.5) / height
    return np.dstack([red, green, np.zeros_like(red)]).round().astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(8, 160), st.integers(8, 160))
def test_a_whole_photo_is_cropped_around_its_middle_without_distortion(w, h, cw, ch):
    photo = ramp(w, h)
    (face,) = whole_photo(photo)
    crop = crop_face(photo, face, Geometry("photo", cw, ch)).astype(float)
    assert crop.shape == (ch, cw, 3)
    scale = min(w / cw, h / ch)
    if min(w, h) < 40:
        return  # too few steps in the ramp to measure on
    # The crop's middle shows the photo's, and its sides the share that the aspect leaves.
    assert abs(crop[..., 0].mean() - 127.5) < 4
    assert abs(crop[..., 1].mean() - 127.5) < 4
    across = crop[:, -1, 0].mean() - crop[:, 0, 0].mean()
    assert abs(across - 255 * scale * (cw - 1) / w) < 12


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 300), st.integers(0, 200), st.integers(16, 100))
def test_a_face_comes_out_alike_wherever_it_lies(x, y, side):
    photo = np.zeros((300, 400, 3), np.uint8)
    photo[y : y + side, x : x + side] = ramp(side, side)[: 300 - y, : 400 - x]
    if x + side > 400 or y + side > 300:
        return
    crop = crop_face(photo, Face((x, y, side, side)), Geometry("photo", 64, 64)).astype(int)
    expected = ramp(64, 64).astype(int)
    assert np.abs(crop[4:-4, 4:-4] - expected[4:-4, 4:-4]).max() <= 255 / side + 4


def test_large_photos_are_averaged_not_sampled():
    board = np.indices((512, 512)).sum(0) % 2 * 255
    photo = np.dstack([board] * 3).astype(np.uint8)
    crop = crop_face(photo, whole_photo(photo)[0], Geometry("photo", 64, 64))
    assert np.abs(crop.astype(int) - 127).max() <= 2


def test_a_geometry_survives_its_json():
    geometry = Geometry("photo", 141, 165)
    assert geometry.shape == (165, 141, 3)
    assert Geometry.from_json(geometry.to_json()) == geometry


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        {"kind": "eyes", "size": "64x64"},
        {"kind": "photo"},
        {"kind": "photo", "size": "0x9"},
    ],
)
def test_unknown_geometries_are_refused(stored):
    with pytest.raises(BundleError):
        Geometry.from_json(stored)


def test_a_scaled_face_keeps_its_place():
    face = Face((10, 20, 30, 40), ((15, 25),), 0.5).scaled(2, 3)
    assert face == Face((20, 60, 60, 120), ((30, 75),), 0.5)
