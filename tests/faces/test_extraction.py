import numpy as np

from facegender.faces.extraction import cache_crops, find_faces, find_faces_in
from facegender.faces.geometry import Geometry
from tests.conftest import encoded, pattern

GEOMETRY = Geometry("photo", 32, 32)


def test_the_box_is_in_pixels_of_the_photo_even_where_less_was_decoded():
    photo = np.kron(pattern(0, 1), np.ones((10, 10, 1), np.uint8))
    found = find_faces(encoded(photo), GEOMETRY)
    assert found.faces[0].box == (0, 0, 480, 560)
    assert found.crops.shape == (1, 32, 32, 3)


def test_a_broken_photo_is_an_answer():
    found = find_faces(b"nonsense", GEOMETRY)
    assert not found.faces
    assert found.error.reason == "not a photo"
    assert found.crops.shape == (0, 32, 32, 3)


def test_an_array_of_another_kind_is_refused():
    for array in (np.zeros((9, 9)), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3))):
        assert find_faces(array, GEOMETRY).error is not None


def test_bytes_paths_and_arrays_give_the_same_crop(tmp_path):
    data = encoded(pattern(1, 5), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    ours = list(find_faces_in([data, tmp_path / "a.png", pattern(1, 5)], GEOMETRY))
    for found in ours[1:]:
        np.testing.assert_array_equal(found.crops, ours[0].crops)


def test_the_cache_holds_the_crops_and_names_what_failed(tmp_path):
    paths = []
    for i in range(5):
        path = tmp_path / f"{i}.png"
        path.write_bytes(encoded(pattern(i % 2, i), "PNG") if i != 3 else b"")
        paths.append(str(path))
    cached, failed = cache_crops(paths, GEOMETRY, folder=tmp_path)
    for i, found in enumerate(find_faces_in(paths, GEOMETRY)):
        expected = found.crops if i != 3 else np.zeros((1, 32, 32, 3))
        np.testing.assert_array_equal(cached[np.array([i])], expected)
    assert [(row, error.reason) for row, error in failed] == [(3, "empty")]
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".png"] * 5
