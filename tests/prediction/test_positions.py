import pytest

from facegender.prediction.positions import Positions


def moving() -> Positions:
    """A face at 0, .2, .4 s that is hidden and comes back at 2 s."""
    positions = Positions(0.2)
    for time in (0.0, 0.2, 0.4, 2.0):
        positions.add(1, time, (100 * time, 0, 10, 10))
    return positions


def test_between_two_frames_a_box_is_in_between():
    ((track, box),) = moving().at(0.1)
    assert track == 1
    assert box == pytest.approx((10, 0, 10, 10))


def test_a_hidden_face_has_no_box():
    positions = moving()
    assert positions.at(0.5) == [(1, pytest.approx((40, 0, 10, 10)))]
    assert positions.at(0.7) == []
    assert positions.at(5.0) == []
    assert positions.at(2.1)


def test_pieces_end_where_a_face_is_hidden():
    pieces = [(round(a, 1), round(b, 1)) for a, b, _, _ in moving().pieces(1, 0.2)]
    assert pieces == [(0.0, 0.2), (0.2, 0.6), (2.0, 2.2)]


def test_a_moment_is_found_across_the_borders_of_buckets():
    positions = Positions(0.2)
    positions.add(1, 9.9, (0, 0, 10, 10))
    positions.add(1, 10.1, (0, 0, 10, 10))
    assert positions.at(10.0) and positions.at(10.2)
