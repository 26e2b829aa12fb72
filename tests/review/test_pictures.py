"""Pictures of faces: what they show, what they refuse, what is made ahead."""

import io

import numpy as np
import pytest
from PIL import Image

from facegender.errors import PhotoError
from facegender.review.pictures import Pictures, ahead, picture_of_face, picture_of_photo


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.data)))


@pytest.fixture
def spot(tmp_path):
    """A black photo of 400x300 pixels with a white square at (100, 120), 40 pixels wide."""
    image = np.zeros((300, 400, 3), np.uint8)
    image[120:160, 100:140] = 255
    Image.fromarray(image).save(tmp_path / "spot.png")
    return str(tmp_path / "spot.png")


def test_the_face_is_in_the_middle_with_its_surroundings(spot):
    shown = pixels(picture_of_face(spot, (100, 120, 40, 40), 2.0, (96, 640)))
    assert shown.shape == (96, 96, 3), "small faces are left to the browser to enlarge"
    assert shown[48, 48].min() > 240
    assert shown[10, 10].max() < 20
    assert shown[30, 30].min() > 200
    assert shown[18, 48].max() < 60


def test_large_faces_are_reduced(spot):
    picture = picture_of_face(spot, (0, 0, 400, 300), 2.6, (96, 640))
    assert pixels(picture).shape == (640, 640, 3)
    assert picture.size == (400, 300)


@pytest.mark.parametrize("box", [(500, 0, 40, 40), (-100, 0, 40, 40), (0, 0, 1e9, 1e9)])
def test_a_box_outside_is_refused(spot, box):
    with pytest.raises(PhotoError, match="does not lie in the photo"):
        picture_of_face(spot, box, 2.6, (96, 640))


def test_a_whole_photo_keeps_its_shape(tmp_path):
    Image.new("RGB", (4000, 1000)).save(tmp_path / "wide.jpg")
    picture = picture_of_photo(str(tmp_path / "wide.jpg"))
    assert pixels(picture).shape == (400, 1600, 3)
    assert picture.size == (4000, 1000)


def test_pictures_are_made_once_and_kept(spot):
    pictures = Pictures()
    first = pictures.face(spot, (100, 120, 40, 40))
    assert pictures.face(spot, (100, 120, 40, 40)) is first
    assert first.result(20).data
    pictures.close()


def test_the_next_open_items_are_made_ahead():
    labels = ["", "male", "", "", "female", ""]
    assert list(ahead(labels, 0, 2)) == [2, 3]
    assert list(ahead(labels, -1, 9)) == [0, 2, 3, 5]
