"""Frames get seconds that never decrease, whatever their timestamps say."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.images.timeline import Timeline

STEP = 0.04


def timeline(origin: int = 0) -> Timeline:
    return Timeline(STEP, origin, STEP)


def placed(line: Timeline, stamps, longest: float = 100.0) -> list[float]:
    frames = [SimpleNamespace(pts=pts, dts=dts) for pts, dts in stamps]
    return [round(line.place(frame, longest), 3) for frame in frames]


def test_presentation_timestamps_count_from_the_streams_beginning():
    line = timeline(origin=50)
    assert placed(line, [(50, 48), (51, 49), (55, 50)]) == [0.0, 0.04, 0.2]
    assert line.steady
    assert line.seconds(75) == pytest.approx(1.0)
    assert line.ticks(1.0) == pytest.approx(3.0)


def test_timestamps_that_go_back_and_forth_are_left_for_those_of_decoding():
    """As FFmpeg makes them of H.264 with B frames in AVI, which has decoding timestamps only."""
    pts = [1, 4, 3, 5, 2, 8, 7, 9, 6, 12, 11, 13, 10, 16, 15, 17, 14]
    line = timeline()
    times = placed(line, [(p, n + 1) for n, p in enumerate(pts)])
    assert times == sorted(times)
    assert times[-1] == pytest.approx(STEP * len(pts))
    assert not line.steady
    assert not line.ordered


def test_frames_without_timestamps_follow_each_other_by_a_step():
    line = timeline()
    assert placed(line, [(None, None)] * 3) == [0.0, 0.04, 0.08]
    assert not line.steady


@pytest.mark.parametrize("stamp", [10_000, -10_000])
def test_a_leap_is_an_error_of_the_stream(stamp):
    line = timeline()
    assert placed(line, [(0, 0), (1, 1), (stamp, stamp), (stamp + 1, stamp + 1)]) == [
        *(0.0, 0.04, 0.08, 0.12)
    ]
    assert not line.steady


@given(st.lists(st.tuples(st.none() | st.integers(-(2**40), 2**40), st.none() | st.integers())))
def test_seconds_never_decrease(stamps):
    times = placed(timeline(), stamps)
    assert times == sorted(times)
    assert all(after - before <= 100.0 + STEP for before, after in itertools.pairwise(times))
