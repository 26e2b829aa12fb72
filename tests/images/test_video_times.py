"""When frames are, until when the last one stands, and what is missing between two."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from facegender.images.video import Sampling, Video
from tests.images.test_video import RATE, picture, read, write

av = pytest.importorskip("av")


def joined(folder: Path, hole: float) -> Path:
    """Two seconds, a hole in the timestamps, and two seconds more, as of a broadcast."""
    parts = []
    for number in range(2):
        path = write(folder / f"{number}.mp4")
        target = folder / f"{number}.ts"
        with av.open(str(path)) as source, av.open(str(target), "w") as container:
            stream = container.add_stream_from_template(source.streams.video[0])
            shift = round(number * (2 + hole) / source.streams.video[0].time_base)
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    container.mux(packet)
        parts.append(target.read_bytes())
    film = folder / "film.ts"
    film.write_bytes(b"".join(parts))
    return film


@pytest.mark.parametrize("name", ["film.avi", "film.wmv"])
def test_b_frames_in_containers_without_their_times_keep_the_length(tmp_path, name):
    path = write(tmp_path / name, frames=250)
    times, pixels, video = read(path, fps=1000)
    assert len(times) > 240
    assert times == sorted(times)
    assert times[-1] == pytest.approx(249 / RATE, abs=0.1)
    assert video.until == pytest.approx(10, abs=0.15)
    numbers = [int(frame[40, 50].mean()) for frame in pixels[5:35]]
    assert numbers == sorted(numbers)


def without_b_frames(stream) -> None:
    stream.options = {"bf": "0"}


def test_frames_stand_as_long_as_the_rate_says(tmp_path):
    path = tmp_path / "slides.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(1, 2))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    times, _, video = read(path, fps=5)
    assert times == [0, 2, 4, 6, 8]
    assert video.until == pytest.approx(10)


LENGTHS = [
    ({"fps": 5}, 50, None, 2.0),
    ({"fps": 0.1}, 50, None, 2.0),
    ({"fps": 5, "end": 1.1}, 50, None, 1.1),
    ({"keyframes": True}, 49, None, 1.96),
    ({"keyframes": True, "end": 1.1}, 49, None, 1.1),
    ({"fps": 5}, 5, [0.0, 2.0, 4.0, 6.0, 8.0], 8.04),
    ({"fps": 5, "end": 5.5}, 5, [0.0, 1.0, 2.0, 3.0, 9.0], 5.5),
]


@pytest.mark.parametrize(("sampling", "frames", "moments", "until"), LENGTHS)
def test_the_last_frame_stands_as_long_as_the_video_lasts(
    tmp_path, sampling, frames, moments, until
):
    path = write(tmp_path / "film.mp4", frames=frames, times=moments, prepare=without_b_frames)
    _, _, video = read(path, **sampling)
    assert video.until == pytest.approx(until, abs=0.01)
    assert video.error is None


def test_a_truncated_video_ends_where_it_breaks_off(tmp_path):
    path = write(tmp_path / "film.ts", frames=250)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    times, _, video = read(path, fps=0.5)
    assert times[-1] <= video.read_to < video.until < 8
    assert video.until == pytest.approx(video.read_to, abs=0.3)


def test_a_hole_in_a_broadcast_is_missing_and_ends_the_shot(tmp_path):
    with Video(joined(tmp_path, 60), Sampling(fps=5)) as video:
        frames = list(video.frames())
    assert "a part of the stream missing" in str(video.error)
    ((before, after),) = [(a, b) for a, b in pairwise(frames) if b.time - a.time > 1]
    begin, end = after.change.cuts
    assert begin == pytest.approx(2, abs=0.1)
    assert end == after.time == pytest.approx(62, abs=0.2)
    assert before.change.cuts is None


def test_a_short_gap_is_none(tmp_path):
    _, _, video = read(joined(tmp_path, 1), fps=5)
    assert video.error is None


def test_a_frame_that_stands_for_long_is_no_hole(tmp_path):
    path = write(tmp_path / "slides.mp4", frames=4, times=[0.0, 10.0, 20.0, 30.0])
    with Video(path, Sampling(fps=5)) as video:
        frames = list(video.frames())
    assert [frame.time for frame in frames] == [0, 10, 20, 30]
    assert video.error is None
    assert all(frame.change.cuts is None for frame in frames)


def test_packets_that_repeat_a_frame_are_no_damage(tmp_path, monkeypatch):
    """As Theora and AVI have them: empty, with a timestamp."""
    path = write(tmp_path / "film.mp4", frames=50)
    with Video(path, Sampling(fps=5)) as video:
        demux = video._container.demux

        class Empty:
            def __init__(self, packet):
                self.pts, self.duration, self.size = packet.pts, packet.duration, 0

        decoded, packets = video._stream.decode, video._container

        class Container:
            format = packets.format

            def demux(self, stream):
                for number, packet in enumerate(demux(stream)):
                    yield packet
                    if number == 20:
                        yield Empty(packet)

            def close(self):
                packets.close()

        def decode(packet):
            assert not isinstance(packet, Empty)
            return decoded(packet)

        monkeypatch.setattr(video, "_container", Container())
        frames = list(video.frames())
    assert video.error is None
    assert len(frames) == 10
