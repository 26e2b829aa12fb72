import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.errors import BundleError, UsageError
from facegender.faces.detection import whole_photo
from facegender.faces.geometry import EYES, Face, Geometry, crop_face, cut_out, parse_size


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


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry("photo", 141, 165),
        Geometry("box", 64, 64, margin=0.4),
        Geometry("eyes", 141, 165, eyes=((0.3, 0.5), (0.7, 0.5))),
    ],
)
def test_a_geometry_survives_its_json(geometry):
    assert geometry.shape == (geometry.height, geometry.width, 3)
    assert Geometry.from_json(geometry.to_json()) == geometry
    other = Geometry.from_json(Geometry("box", 64, 64).to_json() | {"margin": 0.1})
    assert other != Geometry("box", 64, 64)


@pytest.mark.parametrize(
    "text", ["", "64", "64x", "x64", "64x64x64", "-64x64", "8x64", "64x9999999"]
)
def test_malformed_sizes_are_refused(text):
    with pytest.raises(UsageError, match="malformed size"):
        parse_size(text)


def marked_photo(points, radius, size=(700, 500)):
    """Grey, with a soft bright disc at each point: red, then green, then blue."""
    photo = np.full((size[1], size[0], 3), 40, np.uint8)
    for channel, (px, py) in enumerate(points):
        left, top = (max(int(place - radius - 1), 0) for place in (px, py))
        right, bottom = (max(int(place + radius + 2), 0) for place in (px, py))
        around = photo[top:bottom, left:right, channel]
        y, x = np.mgrid[: around.shape[0], : around.shape[1]]
        distance = np.hypot(x + left + 0.5 - px, y + top + 0.5 - py)
        around += (200 * np.clip(radius - distance + 0.5, 0, 1)).round().astype(np.uint8)
    return photo


def centre_of(crop, channel):
    """Where a disc came to lie, in pixels of the crop."""
    weight = np.clip(crop[..., channel].astype(float) - 60, 0, None)
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]] + 0.5
    return (weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()


@settings(max_examples=150, deadline=None)
@given(
    st.floats(150, 550),
    st.floats(150, 350),
    st.floats(25, 140),
    st.floats(-45, 45),
    st.sampled_from([(64, 64), (96, 96), (141, 165)]),
)
def test_eyes_come_out_at_the_same_place_at_any_place_scale_and_turn(x, y, distance, turn, size):
    angle = np.radians(turn)
    dx, dy = np.cos(angle) * distance / 2, np.sin(angle) * distance / 2
    # The chin: a point below the middle of the eyes, to see that the whole face turns with them.
    chin = (x - dy * 1.6, y + dx * 1.6)
    eyes = ((x - dx, y - dy), (x + dx, y + dy))
    photo = marked_photo((*eyes, chin), radius=max(distance / 12, 2.5))
    side = distance * 2.2
    face = Face((x - side / 2, y - side / 2, side, side), eyes, 0.9)
    crop = crop_face(photo, face, Geometry("eyes", *size))
    for channel, (u, v) in enumerate(EYES):
        assert np.hypot(*(np.array(centre_of(crop, channel)) - (u * size[0], v * size[1]))) < 2
    eye_distance = (EYES[1][0] - EYES[0][0]) * size[0]
    expected = (size[0] / 2, EYES[0][1] * size[1] + 0.8 * eye_distance)
    assert np.hypot(*(np.array(centre_of(crop, 2)) - expected)) < 2


@settings(max_examples=150, deadline=None)
@given(st.floats(0, 700), st.floats(0, 500), st.floats(20, 250), st.floats(0.75, 1.35))
def test_a_box_comes_out_at_the_same_place_and_scale(x, y, side, aspect):
    width, height = side * aspect**0.5, side / aspect**0.5
    # Discs on the left and right borders of the box and in its middle.
    points = ((x - width / 2, y), (x + width / 2, y), (x, y))
    radius = max(side / 14, 2.5)
    photo = marked_photo(points, radius=radius, size=(700, 500))
    face = Face((x - width / 2, y - height / 2, width, height), None, 0.9)
    crop = crop_face(photo, face, Geometry("box", 64, 64))
    near = radius + 3  # a disc at the border would be smeared beyond it
    shown = [
        i for i, (u, v) in enumerate(points) if near < u < 700 - near and near < v < 500 - near
    ]
    expected_side = 64 / 1.2 * width / ((width + height) / 2)
    for channel in shown:
        u, v = centre_of(crop, channel)
        across = (-0.5, 0.5, 0.0)[channel] * expected_side
        assert abs(u - 32 - across) < 0.1 * 64
        assert abs(v - 32) < 0.1 * 64
    if {0, 1} <= set(shown):
        measured = centre_of(crop, 1)[0] - centre_of(crop, 0)[0]
        assert abs(measured / expected_side - 1) < 0.1


def test_the_margin_is_what_the_geometry_says():
    photo = np.zeros((200, 200, 3), np.uint8)
    photo[60:140, 60:140] = 255
    face = Face((60, 60, 80, 80), None, 1.0)
    for margin in (0.0, 0.25, 1.0):
        crop = crop_face(photo, face, Geometry("box", 100, 100, margin=margin))
        assert abs((crop[50, :, 0] > 127).sum() - 100 / (1 + margin)) <= 1


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-400, 400),
    st.floats(-400, 400),
    st.floats(1, 900),
    st.floats(1, 900),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_any_box_can_be_cut_out(x, y, width, height, columns, rows):
    photo = np.full((rows, columns, 3), 77, np.uint8)
    for fill in ("edge", "constant"):
        cut = cut_out(photo, (x, y, width, height), (20, 30), fill=fill)
        assert cut.shape == (30, 20, 3)
        assert fill == "constant" or (cut == 77).all()


def test_eyes_of_a_finder_without_landmarks_are_assumed_and_those_of_profiles_not_trusted():
    photo = ramp(300, 300)
    face = Face((100, 100, 100, 100), None, 1.0)
    geometry = Geometry("eyes", 64, 64)
    crop = crop_face(photo, face, geometry)
    # The assumed eyes lie 45 pixels apart around (148.5, 137).
    with_eyes = Face(face.box, ((126, 137), (171, 137)), 1.0)
    np.testing.assert_array_equal(crop, crop_face(photo, with_eyes, geometry))
    profile = Face(face.box, ((140, 137), (144, 137)), 1.0)
    shown = crop_face(photo, profile, geometry)[32, :, 0].astype(float)
    across = (shown[-1] - shown[0]) / 255 * 300
    assert across > 0.38 * 100 / 0.38 * 0.9  # a face's width, not that of the eyes' distance


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        {"kind": "ears", "size": "64x64"},
        {"kind": "box", "size": "64x64", "margin": "wide"},
        {"kind": "box", "size": "64x64", "margin": -1},
        {"kind": "box", "size": "64x64", "margin": float("nan")},
        {"kind": "eyes", "size": "64x64", "eyes": [[0.7, 0.4], [0.3, 0.4]]},
        {"kind": "eyes", "size": "64x64", "eyes": [0.3, 0.7]},
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


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0, 400), st.floats(0, 400))
def test_the_visible_box_lies_in_the_photo(x, y, width, height):
    face = Face((x, y, width, height), within=(120, 90))
    left, top, across, down = face.visible_box
    assert 0 <= left <= left + across <= 120 + 1e-9
    assert 0 <= top <= top + down <= 90 + 1e-9
    if x >= 0 and y >= 0 and x + width <= 120 and y + height <= 90:
        assert face.visible_box == pytest.approx(face.box)


def test_a_face_at_the_edge_is_cut_at_the_edge():
    face = Face((-10.0, 20.0, 50.0, 80.0), within=(120, 90))
    assert face.visible_box == (0, 20, 40, 70)
    assert Face((-10.0, 20.0, 50.0, 80.0)).visible_box == (0, 20, 40, 80)
