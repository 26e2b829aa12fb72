import itertools

import pytest

from facegender.prediction.positions import Positions


def positions_of(frames, *spans):
    """Positions of frames that were looked at: time and boxes by track."""
    positions = Positions()
    for time, boxes in frames:
        positions.add_frame(time, boxes)
    positions.finish(spans)
    return positions


def moving() -> Positions:
    """A face at 0, .2, .4 s that is hidden and comes back at 2 s; the video ends at 2.2 s."""
    seen = (0.0, 0.2, 0.4, 2.0)
    frames = [(n / 5, [(1, (20 * n, 0, 10, 10))] if n / 5 in seen else []) for n in range(11)]
    return positions_of(frames, (0.0, 2.2))


def test_between_two_frames_a_box_is_in_between():
    ((track, box),) = moving().at(0.1)
    assert track == 1
    assert box == pytest.approx((10, 0, 10, 10))


def test_a_hidden_face_has_no_box():
    positions = moving()
    assert positions.at(0.5) == [(1, pytest.approx((50, 0, 10, 10)))]
    assert positions.at(0.7) == []
    assert positions.at(5.0) == []
    assert positions.at(2.1)


def test_pieces_end_where_a_face_is_hidden():
    pieces = [(round(a, 1), round(b, 1)) for a, b, _, _ in moving().pieces(1, 0.2)]
    assert pieces == [(0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (2.0, 2.2)]


def test_a_box_ends_at_the_cut_and_the_next_begins_there():
    """At a frame a second, with a cut at 2.2 s between two frames that were looked at."""
    one, other = (0, 0, 10, 10), (50, 0, 10, 10)
    frames = [(float(n), [(1, one) if n < 3 else (2, other)]) for n in range(5)]
    positions = positions_of(frames, (0.0, 2.2), (2.2, 5.0))
    assert positions.at(2.1) == [(1, one)]
    assert positions.at(2.2) == [(2, other)]
    assert positions.at(4.9) == [(2, other)]
    assert positions.at(5.0) == []
    times = [[piece[:2] for piece in positions.pieces(n, 10)] for n in (1, 2)]
    assert times == [[(0.0, 2.0), (2.0, 2.2)], [(2.2, 3.0), (3.0, 4.0), (4.0, 5.0)]]


def test_a_face_moves_on_up_to_a_cut():
    """At a frame a second a box that stood still would be beside the face."""
    frames = [(float(n), [(1 if n < 3 else 2, (100 * n, 0, 10 + n, 10))]) for n in range(6)]
    positions = positions_of(frames, (0.0, 2.5), (2.5, 6.0))
    assert positions.of(1, 2.4) == pytest.approx((240.2, 0, 12, 10))
    assert positions.of(2, 2.5) == pytest.approx((249.75, 0, 13, 10))
    last = list(positions.pieces(1, 1.0))[-1]
    assert last[:2] == (2.0, 2.5)
    assert last[3] == pytest.approx((250.25, 0, 12, 10))


@pytest.mark.parametrize("step", [0.04, 4.0, 20.0])
def test_a_face_that_is_always_found_is_drawn_always(step):
    """Whatever the rate is, keyframes and buckets without a frame of their own included."""
    frames = [(n * step, [(1, (n, 0, 10, 10))]) for n in range(4)]
    positions = positions_of(frames, (0.0, 4 * step))
    assert all(positions.at(4 * step * n / 100) for n in range(100))
    pieces = list(positions.pieces(1, 1.0))
    assert [pieces[0][0], pieces[-1][1]] == [0.0, 4 * step]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(pieces))


def test_a_moment_is_found_across_the_borders_of_buckets():
    box = (0, 0, 10, 10)
    positions = positions_of([(9.9, [(1, box)]), (10.1, [(1, box)])], (9.9, 10.3))
    assert positions.at(10.0) and positions.at(10.2)
