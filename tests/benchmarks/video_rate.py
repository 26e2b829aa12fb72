"""How fast does `predict` go through a video, and does its memory stay flat?

    python tests/benchmarks/video_rate.py PHOTOS [--minutes 10] [--fps 1 5] [--memory]

PHOTOS is a folder with ``photos.csv`` (path, gender) and portraits; without one scikit-image's
astronaut is used. A minute of 960x540 at 25 frames a second is made of them and repeated. In one
run: PyAV alone decoding the frames, `predict` of the frames looked at as JPEG photos, and `predict`
of the video. Times are of whole processes; processor time counts all of their processes, and is the
better one of the two while other programs run. With --memory: peak resident memory of the tree of
processes for the video, and for one ten times as long.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from predict_rate import watch

from facegender.faces.backends import default_backend
from facegender.faces.detection import FaceDetector
from facegender.images.video import Sampling, Video

sys.path.insert(0, str(Path(__file__).parents[2]))  # other packages bring a package `tests` too
from tests.prediction import made_videos

BARE = """
import sys, av
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    if sys.argv[2] == "sparse":
        stream.codec_context.skip_frame = "NONREF"
    print(sum(1 for _ in container.decode(stream)))
"""


def timed(command: list[str]) -> tuple[float, float, float]:
    """Seconds on the clock, of the processors, and peak MiB of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = [0.0]
    threading.Thread(target=watch, args=(process.pid, peak), daemon=True).start()
    code = process.wait()
    assert code == 0, command
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, used, peak[0]


def repeated(source: Path, target: Path, times: int) -> Path:
    """Write a video so many times behind each other, without encoding it again."""
    import av

    with av.open(str(source)) as first, av.open(str(target), "w") as output:
        stream = first.streams.video[0]
        copy = output.add_stream_from_template(stream)
        shift, length = 0, int(stream.duration)
        for _ in range(times):
            first.seek(0)
            for packet in first.demux(stream):
                if packet.dts is None:
                    continue
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = copy
                output.mux(packet)
            shift += length
    return target


def predict(*words: str) -> list[str]:
    return [sys.executable, "-m", "facegender", "predict", *words, "--jsonl", "--quiet"]


def portraits(folder: Path | None) -> list[made_videos.Portrait]:
    detector = FaceDetector(default_backend())
    if folder is not None:
        return made_videos.portraits_of(folder, detector)
    from skimage.data import astronaut

    return [made_videos.Portrait(astronaut(), 0, detector(astronaut())[0].box)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--fps", type=float, nargs="*", default=[1, 5])
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        minute = Path(folder) / "minute.mp4"
        made_videos.make_video(minute, portraits(options.photos), seconds=60, seed=1)
        film = repeated(minute, Path(folder) / "film.mp4", options.minutes)
        if options.memory:
            longer = repeated(minute, Path(folder) / "longer.mp4", 10 * options.minutes)
            few, many = (timed(predict(str(one), "--fps", "1"))[2] for one in (film, longer))
            print(f"peak memory {few:.0f} and {many:.0f} MiB, ratio {many / few:.3f}")
            return
        for fps in options.fps:
            compare(film, Path(folder), fps, 60 * options.minutes)


def compare(film: Path, folder: Path, fps: float, seconds: float) -> None:
    """Measure one rate and print it."""
    frames = folder / f"frames-{fps:g}"
    frames.mkdir()
    with Video(film, Sampling(fps)) as video:
        for i, frame in enumerate(video.frames()):
            Image.fromarray(np.asarray(frame.pixels)).save(frames / f"{i:06}.jpg", quality=90)
    bare = timed([sys.executable, "-c", BARE, str(film), "sparse" if fps <= 2 else "all"])
    # Frames of a video are searched for faces from 1/32 of their width on; so are these photos.
    photos = timed(predict(str(frames), "--min-face", "30"))
    ours = timed(predict(str(film), "--fps", f"{fps:g}"))
    print(f"{fps:g} frames a second, {seconds:.0f} s of 960x540")
    for name, (clock, used, peak) in (("decode", bare), ("photos", photos), ("video", ours)):
        print(f"  {name:7} {clock:7.1f} s, processors {used:7.1f} s, {peak:5.0f} MiB")
    print(
        f"  {seconds / ours[0]:.1f} times real time, {2 * seconds / ours[1]:.1f} by two processors"
    )
    print(f"  video / (decode + photos): {ours[1] / (bare[1] + photos[1]):.3f} of processor time")


if __name__ == "__main__":
    main()
