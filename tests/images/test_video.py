"""Videos are read at a steady rate, upright, in square pixels, as far as they are whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegender.errors import UsageError, VideoError
from facegender.images import video as video_module
from facegender.images.footage import begins_as_video, is_video_name, open_footage
from facegender.images.video import Sampling, Video

av = pytest.importorskip("av")

RATE = 25


def picture(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Grey of a level that tells the frame's number; the upper left quarter is red."""
    width, height = size
    pixels = np.full((height, width, 3), 60 + number % 100, np.uint8)
    pixels[: height // 2, : width // 2] = (200, 30, 30)
    return pixels


def noise(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Blurred noise that moves, of which a decoder cannot guess what is missing."""
    grey = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    return np.roll(grey, number, 1)


def write(
    path: Path,
    frames: int = 50,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: list[float] | None = None,
    prepare: Any = None,
    size: tuple[int, int] = (64, 48),
    draw: Any = picture,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.gop_size = 10
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if prepare is not None:
            prepare(stream)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(number, size), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(1000 * times[number]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path: Path, **sampling: Any) -> tuple[list[float], list[np.ndarray], Video]:
    with open_footage(path, Sampling(**sampling)) as video:
        frames = list(video.frames())
    return [round(f.time, 3) for f in frames], [f.pixels for f in frames], video


FORMATS = {
    "film.mp4": "libx264",
    "film.mkv": "libx264",
    "film.mov": "mpeg4",
    "film.avi": "mpeg4",
    "film.ts": "libx264",
    "film.mpg": "mpeg2video",
    "film.webm": "libvpx-vp9",
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_container_gives_the_frames_asked_for(tmp_path, name):
    path = write(tmp_path / name, codec=FORMATS[name])
    assert is_video_name(name)
    assert begins_as_video(path)
    times, pixels, video = read(path, fps=5)
    assert times == pytest.approx([0.2 * i for i in range(10)], abs=0.041)
    assert video.error is None
    assert video.size == (64, 48)
    for time, frame in zip(times, pixels, strict=True):
        assert frame.shape == (48, 64, 3)
        assert abs(int(frame[40, 50].mean()) - (60 + round(time * RATE))) <= 6
        assert frame[5, 5, 0] > 150 > frame[5, 5, 1]


def test_only_the_part_between_start_and_end_is_read(tmp_path):
    times, _, _ = read(write(tmp_path / "a.mp4"), fps=10, start=0.5, end=1.0)
    assert times == pytest.approx([0.52, 0.6, 0.72, 0.8, 0.92])
    assert all(0.5 <= time < 1 for time in times)


def test_keyframes_are_a_subset(tmp_path):
    path = write(tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        keys = [frame.time for frame in container.decode(video=0) if frame.key_frame]
    times, _, _ = read(path, keyframes=True)
    assert 5 <= len(keys) < 10
    assert times == pytest.approx(keys)


def test_a_low_rate_is_kept_although_frames_are_left_undecoded(tmp_path):
    times, _, _ = read(write(tmp_path / "a.mp4", frames=250), fps=1)
    assert times == pytest.approx(list(range(10)), abs=0.041)


def test_a_variable_frame_rate_keeps_each_moment(tmp_path):
    moments = [0.0, 0.1, 1.0, 1.05, 1.1, 3.0, 3.5]
    times, _, _ = read(write(tmp_path / "a.mkv", frames=7, times=moments), fps=5)
    assert times == pytest.approx([0.0, 1.0, 3.0, 3.5], abs=0.002)


@pytest.mark.parametrize(("degrees", "corner"), [(90, (50, 5)), (-90, (5, 40)), (180, (40, 50))])
def test_phone_videos_are_turned(tmp_path, degrees, corner):
    path = write(tmp_path / "a.mp4", prepare=lambda stream: stream.set_display_rotation(degrees))
    _, pixels, video = read(path, fps=5)
    assert video.size == ((64, 48) if degrees == 180 else (48, 64))
    assert pixels[0].shape[:2] == video.size[::-1]
    red = pixels[0][..., 0] > 150
    with av.open(str(path)) as container:
        assert round(next(container.decode(video=0)).rotation) % 360 == degrees % 360
    # FFmpeg turns such a frame counterclockwise by its rotation.
    assert np.array_equal(red, np.rot90(picture(0)[..., 0] > 150, degrees // 90 % 4))
    assert red[corner]


def test_ten_bits_become_eight(tmp_path):
    path = write(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv420p10le")
    _, pixels, _ = read(path, fps=5)
    assert pixels[0].dtype == np.uint8
    assert abs(int(pixels[0][40, 50].mean()) - 60) <= 3


def test_of_interlaced_frames_one_field_is_taken(tmp_path):
    def two_moments(_: int, size: tuple[int, int]) -> np.ndarray:
        pixels = np.full((*size[::-1], 3), 60, np.uint8)
        pixels[1::2] = 200
        return pixels

    def interlace(stream: Any) -> None:
        stream.options = {"flags": "+ilme+ildct", "x264-params": "interlaced=1:tff=1:qp=4"}

    path = write(tmp_path / "a.mkv", prepare=interlace, size=(64, 64), draw=two_moments)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    _, pixels, _ = read(path, fps=5)
    assert pixels[0].shape == (64, 64, 3)
    assert np.abs(pixels[0].astype(int) - 60).max() <= 8


def test_pixels_are_made_square(tmp_path):
    def stretch(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)

    _, pixels, video = read(write(tmp_path / "a.mkv", prepare=stretch), fps=5)
    assert video.size == (128, 48)
    assert pixels[0].shape == (48, 128, 3)


def test_large_frames_are_scaled_down(tmp_path, monkeypatch):
    monkeypatch.setattr(video_module, "LONGEST_SIDE", 32)
    _, pixels, video = read(write(tmp_path / "a.mp4"), fps=5)
    assert video.size == (64, 48)
    assert video.scale == 0.5
    assert pixels[0].shape == (24, 32, 3)


def test_a_cut_video_ends_in_a_reason_and_keeps_what_was_read(tmp_path):
    path = write(tmp_path / "a.mkv", frames=500)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    times, _, video = read(path, fps=5)
    assert 20 < len(times) < 80
    assert "truncated" in str(video.error)


@pytest.mark.parametrize("seconds", [1, 8])
def test_sound_may_outlast_the_picture(tmp_path, seconds):
    """MKV states one duration for all; the picture is not truncated where it ends earlier."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=16000, layout="mono")
        for number in range(2 * RATE):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for number in range(16000 * seconds // 1000):
            silence = np.zeros((1, 1000), np.float32)
            part = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            part.rate, part.pts = 16000, 1000 * number
            container.mux(sound.encode(part))
        container.mux(sound.encode())
    _, _, video = read(path, fps=5)
    assert video.seconds > 0.9 * max(2, seconds)
    assert video.error is None
    assert video.until == pytest.approx(2, abs=0.1)


def test_frames_that_the_decoder_repaired_are_damage(tmp_path):
    path = write(tmp_path / "a.mp4", frames=250, draw=noise)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size and p.is_keyframe][10]
    begin, count = packet.pos + packet.size // 2, packet.size // 4
    data[begin : begin + count] = np.random.default_rng(1).bytes(count)
    path.write_bytes(data)
    assert "damaged: " in str(read(path, fps=25)[2].error)
    assert read(path, fps=25, start=6.0)[2].error is None


def test_damage_in_the_middle_is_passed_over(tmp_path):
    path = write(tmp_path / "a.mp4", frames=500, codec="mpeg4")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    times, _, video = read(path, fps=5)
    assert times[-1] > 19
    assert video.error is not None
    assert "damaged: " in video.error.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"no video", "not a video"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(500), "its index is missing"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, content, words):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=words):
        Video(path, Sampling())


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        Video(tmp_path / "a.mp4", Sampling())
    with pytest.raises(VideoError, match="not a regular file"):
        Video(tmp_path, Sampling())


def test_a_playlist_opens_nothing(tmp_path):
    """FFmpeg would open what it names: files of this machine, and addresses."""
    write(tmp_path / "secret.ts")
    path = tmp_path / "a.mp4"
    path.write_text(f"#EXTM3U\n#EXTINF:2,\n{tmp_path}/secret.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError, match="not a video"):
        Video(path, Sampling())
    path.write_text(f"ffconcat version 1.0\nfile '{tmp_path}/secret.ts'\n")
    with pytest.raises(VideoError, match="not a video"):
        Video(path, Sampling())


def test_the_cover_of_a_song_is_no_video(tmp_path):
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match="no video stream"):
        Video(path, Sampling())


def test_without_pyav_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(video_module, "installed", lambda: False)
    path = write(tmp_path / "a.mp4", frames=1)
    with pytest.raises(VideoError, match=r"pip install 'facegender\[video\]'"):
        Video(path, Sampling())
    with pytest.raises(VideoError, match="no such file"):
        Video(tmp_path / "b.mp4", Sampling())


@pytest.mark.parametrize(
    "wrong",
    [{"fps": 0}, {"fps": 1e9}, {"start": -1}, {"start": 2, "end": 2}, {"fps": float("nan")}],
)
def test_impossible_samplings_are_refused(wrong):
    with pytest.raises(UsageError):
        Sampling(**wrong)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF"])
def test_animated_pictures_are_read_frame_by_frame(tmp_path, kind):
    from PIL import Image, features

    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / f"a.{kind.lower()}"
    frames = [Image.fromarray(picture(20 * i)) for i in range(5)]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=400)
    times, pixels, video = read(path, fps=5)
    assert times == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.6])
    assert video.seconds == pytest.approx(2.0)
    assert pixels[0].shape == (48, 64, 3)
    assert not np.array_equal(pixels[0], pixels[4])
    assert read(path, fps=1)[0] == pytest.approx([0.0, 0.8])
    assert read(path, fps=5, start=1, end=1.5)[0] == pytest.approx([1.0, 1.2])


@pytest.mark.parametrize(
    ("head", "video"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(400), False),
        (b"\0\0\0\x1cftypheic" + bytes(400), False),
        (b"\0\0\0\x1cftypqt  " + bytes(400), True),
        (b"RIFF\0\0\0\0WEBP" + bytes(400), False),
        (b"RIFF\0\0\0\0AVI " + bytes(400), True),
        (b"", False),
    ],
)
def test_the_first_bytes_tell_a_video(tmp_path, head, video):
    path = tmp_path / "unknown"
    path.write_bytes(head)
    assert begins_as_video(path) is video
    assert not begins_as_video(tmp_path / "missing")
