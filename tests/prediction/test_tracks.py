"""Faces are joined to tracks, cuts end them, and a track's answer is no sum of its faces'."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from facegender.faces.geometry import Face
from facegender.images.shots import Change
from facegender.prediction.predictor import FacePrediction
from facegender.prediction.tracks import (
    NEVER,
    Sighting,
    Tracker,
    assigned,
    looks_of,
    sharpness,
    track_probability,
    weight_of,
)


def crop(seed: int) -> np.ndarray:
    """What one person looks like: a smooth pattern of their own."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    return small.repeat(8, 0).repeat(8, 1)


def face(x: float, male: float = 0.9, width: float = 60, score: float = 0.9) -> FacePrediction:
    return FacePrediction(Face((x, 100, width, width), None, score), (1 - male, male), False)


def follow(frames, step=0.2, changes=None):
    """Numbers of the tracks in each frame, and all tracks; a frame is a list of (x, person)."""
    tracker, numbers, ended = Tracker(), [], []
    for i, people in enumerate(frames):
        seen = [Sighting(face(x), looks_of(crop(person)), 1.0) for x, person in people]
        change = (changes or {}).get(i, Change())
        tracks, _, done = tracker.update(step * i, change, seen)
        numbers.append([track.number for track in tracks])
        ended += done
    return numbers, ended + tracker.finish(step * len(frames))


def test_a_face_that_moves_is_one_track():
    numbers, tracks = follow([[(100 + 30 * i, 1)] for i in range(10)])
    assert numbers == [[1]] * 10
    (track,) = tracks
    assert (track.start, track.end, track.faces) == (0.0, pytest.approx(2.0), 10)
    assert track.seconds == pytest.approx(2.0)


def test_two_who_cross_keep_their_tracks():
    frames = [[(100 + 20 * i, 1), (400 - 20 * i, 2)] for i in range(16)]
    frames[7], frames[8] = [(240, 1)], [(260, 1)]  # the second is hidden
    numbers, tracks = follow(frames)
    assert all(n in ([1, 2], [1]) for n in numbers)
    assert len(tracks) == 2
    assert sorted(round(track.seconds, 2) for track in tracks) == [2.8, 3.2]


def test_another_person_in_the_same_place_is_another_track_after_a_moment():
    frames = [[(100, 1)]] * 5 + [[]] * 3 + [[(160, 2)]] * 5
    numbers, _ = follow(frames)
    assert numbers[-1] == [2]


def test_who_is_hidden_for_long_comes_back_as_a_new_track():
    frames = [[(100, 1)]] * 5 + [[]] * 20 + [[(100, 1)]] * 5
    numbers, tracks = follow(frames)
    assert numbers[-1] == [2]
    assert [round(track.end, 1) for track in tracks] == [1.0, 6.0]


def test_who_is_hidden_shortly_stays_the_same_and_the_gap_is_not_counted():
    frames = [[(100, 1)]] * 5 + [[]] * 5 + [[(100, 1)]] * 5
    _, (track,) = follow(frames)
    assert track.end - track.start == pytest.approx(3.0)
    assert track.seconds == pytest.approx(2.0)


def test_a_cut_ends_all_tracks_at_its_own_time():
    numbers, tracks = follow([[(100, 1)]] * 6, 1.0, {3: Change((2.3, 2.6))})
    assert numbers == [[1]] * 3 + [[2]] * 3
    first, second = tracks
    assert (first.end, first.seconds) == (pytest.approx(2.3), pytest.approx(2.3))
    assert (second.start, second.seconds) == (pytest.approx(2.6), pytest.approx(3.4))


def test_after_a_dissolve_another_face_in_the_same_place_is_another_track():
    assert follow([[(100, 1)], [(100, 3)]])[0] == [[1], [1]]
    assert follow([[(100, 1)], [(100, 3)]], changes={1: Change(gradual=True)})[0] == [[1], [2]]
    assert follow([[(100, 1)], [(100, 1)]], changes={1: Change(gradual=True)})[0] == [[1], [1]]


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000))
def test_faces_are_assigned_at_least_cost(rows, columns, seed):
    rng = np.random.default_rng(seed)
    costs = np.where(rng.random((rows, columns)) < 0.4, NEVER, rng.random((rows, columns)))
    pairs = assigned(costs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    possible = [costs[pair] for pair in pairs if costs[pair] < NEVER]
    best = [cost for cost in costs[linear_sum_assignment(costs)] if cost < NEVER]
    assert len(possible) == len(best)
    assert sum(possible) == pytest.approx(sum(best))


def test_many_faces_are_not_as_many_witnesses():
    """Twenty frames of one face at 90 % say nothing like .9 to the power of twenty."""
    _, (one,) = follow([[(100, 1)]])
    _, (many,) = follow([[(100, 1)]] * 20)
    assert track_probability(one) == pytest.approx(0.9, abs=0.02)
    assert 0.88 <= track_probability(many) <= 0.98


def test_a_large_sharp_face_weighs_more():
    small = np.asarray(crop(1))
    blurred = np.full_like(small, 128)
    assert sharpness(small) > sharpness(blurred)
    assert weight_of(face(0, width=60).face, small) > weight_of(face(0, width=20).face, small)
    assert weight_of(face(0, score=0.9).face, small) > weight_of(face(0, score=0.6).face, small)
    assert weight_of(face(0).face, small) > weight_of(face(0).face, blurred) > 0


@given(st.integers(16, 300), st.integers(16, 300))
def test_looks_are_a_unit_vector_for_every_crop(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert np.linalg.norm(looks_of(pixels)) == pytest.approx(1, abs=1e-3)
