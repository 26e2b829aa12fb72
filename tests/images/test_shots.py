"""Cuts are seen between the frames that are looked at; what moves, or flashes, is no cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.images.shots import Change, Shots, decoded_thumbnail, is_cut, thumbnail
from facegender.images.video import Sampling, Video

av = pytest.importorskip("av")

SIZE = (160, 96)


def scene(number: int) -> np.ndarray:
    """Blocks of colours; no two scenes look alike."""
    colours = np.random.default_rng(number).integers(0, 256, (6, 10, 3)).astype(np.uint8)
    return colours.repeat(16, 0).repeat(16, 1)


def write(path: Path, scenes: list[int], pix_fmt: str = "yuv420p", codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, pix_fmt
        for number in scenes:
            frame = av.VideoFrame.from_ndarray(scene(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def changes(path: Path, fps: float = 1) -> tuple[list[Change], float | None]:
    with Video(path, Sampling(fps)) as video:
        return [frame.change for frame in video.frames()], video.cut_after


def test_a_cut_between_two_frames_that_are_looked_at_is_seen_when_it_is(tmp_path):
    path = write(tmp_path / "a.mp4", [1] * 30 + [2] * 10 + [3] * 50)
    (first, second, third, last), after = changes(path)
    assert first == second == last == Change()
    assert third.cuts == pytest.approx((1.2, 1.6), abs=0.05)
    assert after is None


def test_a_cut_after_the_last_frame_that_is_looked_at_is_told(tmp_path):
    path = write(tmp_path / "a.mp4", [1] * 35 + [2] * 10)
    assert changes(path) == ([Change(), Change()], pytest.approx(1.4, abs=0.05))


def test_what_flashes_is_no_cut(tmp_path):
    path = write(tmp_path / "a.mp4", [1] * 12 + [2] * 2 + [1] * 16)
    assert changes(path) == ([Change(), Change()], None)


@pytest.mark.parametrize(
    ("pix_fmt", "codec"), [("yuv420p10le", "ffv1"), ("yuv444p", "libx264"), ("bgr0", "ffv1")]
)
def test_cuts_are_seen_in_every_format(tmp_path, pix_fmt, codec):
    path = write(tmp_path / "a.mkv", [1] * 10 + [2] * 20, pix_fmt, codec)
    cut = 1.0 if pix_fmt == "bgr0" else 0.4  # there only frames that are looked at are compared
    assert changes(path)[0][1].cuts == pytest.approx((cut, cut), abs=0.001)


def test_decoded_frames_of_all_sizes_are_compared_or_not(tmp_path):
    for width, height in ((2, 2), (33, 19), (62, 40), (64, 36), (130, 70), (961, 541)):
        small = decoded_thumbnail(av.VideoFrame(width, height, "yuv420p"))
        assert small is None or small.shape == (3, 9, 16)


def test_a_dissolve_is_a_change_without_a_cut():
    shots = Shots()
    for i in range(26):
        mixed = (scene(1) * (1 - i / 25) + scene(2) * (i / 25)).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(mixed, format="rgb24").reformat(format="yuv420p")
        shots.see(i / 25, frame)
        if i == 0:
            assert shots.take(0, mixed) == Change()
    assert shots.take(1.0, mixed) == Change(gradual=True)


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
