"""Faces are joined to tracks, cuts end them, and a track's answer is no sum of its faces'."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.faces.geometry import Face
from facegender.prediction.predictor import FacePrediction
from facegender.prediction.tracks import (
    Tracker,
    is_cut,
    looks_of,
    sharpness,
    thumbnail,
    track_probability,
    weight_of,
)

GROUND = np.full((9, 16, 3), 90, np.uint8)


def crop(seed: int) -> np.ndarray:
    """What one person looks like: a smooth pattern of their own."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    return small.repeat(8, 0).repeat(8, 1)


def face(x: float, male: float = 0.9, width: float = 60, score: float = 0.9) -> FacePrediction:
    return FacePrediction(Face((x, 100, width, width), None, score), (1 - male, male), False)


def follow(frames, step=0.2, ground=None):
    """Numbers of the tracks in each frame, and all tracks; a frame is a list of (x, person)."""
    tracker, numbers, ended = Tracker(), [], []
    for i, people in enumerate(frames):
        crops = np.array([crop(person) for _, person in people]).reshape(-1, 64, 64, 3)
        faces = tuple(face(x) for x, _ in people)
        small = GROUND if ground is None else ground[i]
        tracks, _, done = tracker.update(step * i, small, faces, crops)
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


def test_a_cut_ends_all_tracks():
    other = np.full((9, 16, 3), 200, np.uint8)
    numbers, _ = follow([[(100, 1)]] * 6, ground=[GROUND] * 3 + [other] * 3)
    assert numbers == [[1]] * 3 + [[2]] * 3


def test_what_moves_in_a_shot_is_no_cut():
    frame = np.full((540, 960, 3), 90, np.uint8)
    moved = frame.copy()
    moved[100:400, 200:500] = 220
    assert thumbnail(frame).shape == (9, 16, 3)
    assert not is_cut(thumbnail(frame), thumbnail(moved))
    assert is_cut(thumbnail(frame), thumbnail(255 - frame))


@given(st.integers(1, 700), st.integers(1, 700))
def test_every_size_of_frame_has_a_thumbnail(height, width):
    assert thumbnail(np.full((height, width, 3), 7, np.uint8)).shape[2] == 3


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
    assert weight_of(face(0, width=60), small) > weight_of(face(0, width=20), small)
    assert weight_of(face(0, score=0.9), small) > weight_of(face(0, score=0.6), small)
    assert weight_of(face(0), small) > weight_of(face(0), blurred) > 0


@given(st.integers(16, 300), st.integers(16, 300))
def test_looks_are_a_unit_vector_for_every_crop(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert np.linalg.norm(looks_of(pixels)) == pytest.approx(1, abs=1e-4)
