"""Which face a box means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.faces.geometry import Face
from facegender.faces.matching import SAME, match_boxes, overlap

boxes = st.tuples(*[st.floats(0, 100)] * 2, *[st.floats(1, 100)] * 2)


def test_overlap_is_the_intersection_over_the_union():
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 0, 10, 10)) == 0
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1


@given(boxes, boxes)
def test_overlap_is_symmetric_and_a_share(one, other):
    assert 0 <= overlap(one, other) <= 1 + 1e-9
    assert overlap(one, other) == pytest.approx(overlap(other, one))


def test_each_box_gets_its_own_face():
    faces = [Face((0, 0, 10, 10)), Face((20, 0, 10, 10))]
    assert match_boxes([(21, 0, 10, 10), (1, 1, 10, 10), (50, 50, 5, 5)], faces) == [1, 0, None]


def test_two_boxes_do_not_share_a_face_and_the_better_one_has_it():
    assert match_boxes([(2, 0, 10, 10), (0, 0, 10, 10)], [Face((0, 0, 10, 10))]) == [None, 0]


def test_little_overlap_is_another_face():
    assert SAME > 1 / 3
    assert match_boxes([(5, 0, 10, 10)], [Face((0, 0, 10, 10))]) == [None]
