"""Marked copies keep their sound, cut as their frames are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegender.images.video import Sampling
from facegender.prediction.annotated_video import write_annotated
from facegender.prediction.positions import Positions
from facegender.prediction.video import VideoPrediction

av = pytest.importorskip("av")

RATE = 16000


def film(path: Path, codec: str | None, seconds: int = 4) -> Path:
    """Grey frames, with a tone that gets louder each second."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = None if codec is None else container.add_stream(codec, rate=RATE)
        if codec == "libmp3lame":
            audio.codec_context.format = "fltp"
        for _ in range(25 * seconds):
            grey = np.full((48, 64, 3), 90, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(video.encode())
        if audio is not None:
            at = np.arange(RATE * seconds) / RATE
            wave = (0.2 * (1 + np.floor(at)) * np.sin(6.283 * 440 * at)).astype(np.float32)
            form = audio.codec_context.format.name
            for begin in range(0, len(wave), 1024):
                part = wave[None, begin : begin + 1024]
                data = part if form == "fltp" else (part * 32000).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(data, format=form, layout="mono")
                frame.rate, frame.pts = RATE, begin
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


def marked(source: Path, target: Path, **part: float):
    nobody = VideoPrediction(str(source), 4.0, 5.0, ())
    write_annotated(source, target, nobody, Positions(), Sampling(**part), "mark")
    with av.open(str(target)) as container:
        sound = [
            np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
            if container.streams.audio
            else None
        ]
    with av.open(str(target)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    return times, sound[0]


def loudness(sound: np.ndarray) -> list[float]:
    return [float(np.abs(sound[s * RATE + 4000 : s * RATE + 12000]).mean()) for s in range(2)]


def test_the_sound_is_that_of_the_frames(tmp_path):
    source = film(tmp_path / "a.mp4", "aac")
    times, sound = marked(source, tmp_path / "whole.mp4")
    assert len(times) == 100
    assert len(sound) / RATE == pytest.approx(4, abs=0.15)
    whole = loudness(sound)
    assert whole[1] == pytest.approx(2 * whole[0], rel=0.1)
    times, sound = marked(source, tmp_path / "part.mp4", start=1.0, end=3.0)
    assert (times[0], len(times)) == (0.0, 50)
    assert len(sound) / RATE == pytest.approx(2, abs=0.15)
    assert loudness(sound) == pytest.approx([2 * whole[0], 3 * whole[0]], rel=0.1)


def test_mp3_is_copied_too(tmp_path):
    """Whose decoder has another name than the codec."""
    _, sound = marked(film(tmp_path / "a.mkv", "libmp3lame", 1), tmp_path / "b.mp4")
    assert len(sound) / RATE == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("codec", [None, "pcm_s16le"])
def test_without_sound_that_mp4_holds_the_copy_is_silent(tmp_path, codec):
    times, sound = marked(film(tmp_path / "a.mkv", codec, 1), tmp_path / "b.mp4")
    assert len(times) == 25
    assert sound is None
