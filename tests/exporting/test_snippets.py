"""The lines in an export's README cut faces as `crop_face` does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facegender.exporting.snippets import cut_code
from facegender.faces.geometry import Face, Geometry, crop_face


def cutter(geometry):
    names = {}
    exec(cut_code(geometry), names)
    return names["cut_face"]


def smooth_photo(width, height):
    y, x = np.mgrid[:height, :width]
    waves = [127 + 120 * np.sin(x / a + y / b) for a, b in ((9, 13), (17, 7), (11, 23))]
    return np.stack(waves, axis=2).astype(np.uint8)


PHOTO = smooth_photo(160, 120)


def farthest(geometry, face, *arguments):
    ours = crop_face(PHOTO, face, geometry).astype(int)
    theirs = cutter(geometry)(Image.fromarray(PHOTO), *arguments).astype(int)
    assert theirs.shape == geometry.shape
    return np.abs(ours - theirs)


places = st.tuples(
    st.floats(-10, 120), st.floats(-10, 90), st.floats(12, 110), st.floats(12, 110)
).filter(lambda box: 0 <= box[0] + box[2] / 2 <= 160 and 0 <= box[1] + box[3] / 2 <= 120)


@settings(max_examples=60, deadline=None)
@given(box=places, size=st.sampled_from([(64, 64), (141, 165)]), margin=st.sampled_from([0.2, 0.0]))
def test_a_box(box, size, margin):
    geometry = Geometry("box", *size, margin=margin)
    assert farthest(geometry, Face(box, score=0.9), *box).max() <= 1


@pytest.mark.parametrize("size", [(64, 64), (141, 165), (100, 40)])
def test_a_photo(size):
    geometry = Geometry("photo", *size)
    difference = farthest(geometry, Face((0.0, 0.0, 160.0, 120.0)))
    assert difference[2:-2, 2:-2].max() <= 1  # at its edge it sees what was cut off
    assert difference.max() < 8


@pytest.mark.parametrize(
    "eyes",
    [
        ((60.0, 50.0), (90.0, 50.0)),
        ((60.0, 40.0), (88.0, 58.0)),
        ((92.0, 41.0), (61.0, 55.0)),
        ((70.0, 50.0), (74.0, 51.0)),  # a profile
        ((12.0, 20.0), (40.0, 25.0)),  # reaches beyond the photo
    ],
)
def test_eyes(eyes):
    geometry = Geometry("eyes", 64, 64)
    box = (eyes[0][0] - 20, eyes[0][1] - 30, 70.0, 80.0)
    # Both resample twice, from other corners: equal but for a fraction of a pixel.
    difference = farthest(geometry, Face(box, eyes, 0.9), box, eyes)
    assert difference.mean() < 4
    assert np.quantile(difference, 0.99) < 20
