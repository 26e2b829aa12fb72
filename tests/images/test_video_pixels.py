"""High dynamic range becomes what a usual screen would show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facegender.images.video_pixels import ToPixels

av = pytest.importorskip("av")

NITS = (0.0, 5.0, 26.0, 100.0, 203.0, 1000.0)
SIZE = (192, 64)
PQ, HLG, BT709 = 16, 18, 1
BT2020, BT2020_MATRIX, LIMITED = 9, 9, 1


def pq(nits: float) -> float:
    """Signal of a luminance: SMPTE ST 2084."""
    y = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(nits: float) -> float:
    """Signal of a luminance on a screen of 1,000 nits: ITU-R BT.2100, its system gamma 1.2."""
    scene = (nits / 1000) ** (1 / 1.2)
    if scene <= 1 / 12:
        return math.sqrt(3 * scene)
    return 0.17883277 * math.log(12 * scene - 0.28466892) + 0.55991073


def grey_steps(transfer: int, signals: list[float]) -> av.VideoFrame:
    """A 10-bit frame of grey stripes, each of a luminance."""
    width, height = SIZE
    frame = av.VideoFrame(width, height, "yuv420p10le")
    stripes = np.repeat([64 + 876 * signal for signal in signals], width // len(signals))
    luma = np.tile(stripes.round().astype(np.uint16), (height, 1))
    chroma = np.full((height // 2, width // 2), 512, np.uint16)
    for plane, values in zip(frame.planes, (luma, chroma, chroma), strict=True):
        rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        rows[:, : plane.width] = values
        plane.update(rows.tobytes())
    frame.colorspace, frame.color_range = BT2020_MATRIX, LIMITED
    frame.color_trc, frame.color_primaries = transfer, BT2020
    frame.pts = 0
    return frame


def shown(transfer: int, signals: list[float]) -> list[int]:
    pixels = ToPixels(SIZE, 0)(grey_steps(transfer, signals))
    assert pixels is not None and pixels.shape == (64, 192, 3)
    assert np.ptp(pixels.astype(int), axis=2).max() <= 3  # grey stays grey
    return [int(pixels[32, 16 + 32 * i, 0]) for i in range(len(signals))]


@pytest.mark.parametrize(("transfer", "signal"), [(PQ, pq), (HLG, hlg)])
def test_high_dynamic_range_is_tone_mapped(transfer, signal):
    if av.ffmpeg_version_info.split(".")[0].lstrip("n") < "8":
        pytest.skip("this FFmpeg cannot")
    black, dark, skin, bright, white, glare = shown(transfer, [signal(nits) for nits in NITS])
    assert black <= 2
    assert dark < skin < bright < white
    assert 95 <= skin <= 125  # 255 * (26 / 203) ** (1 / 2.4), less for the toe
    assert white >= 245 and glare == 255


def test_a_usual_video_is_left_as_it_is():
    signals = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert shown(BT709, signals) == pytest.approx([255 * one for one in signals], abs=4)
