"""Damaged videos through `images/video.py`, in processes that are watched.

    nice -n 15 python -m tests.faults.fuzz_videos --count 2000

Prints for every format how many were read, whole or in part, how many refused and why, the
slowest, the largest memory, and everything that must not happen: crashes, time-outs, other errors,
words on stderr. A number reproduces its file: ``--only 4711 --write FILE``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.fuzz_photos import ADDRESS_SPACE, Outcome, _forget_peak, _lines, _peak, report
from tests.faults.mutations import mutated

SECONDS = 30.0
"""A file that takes longer is a fault; the whole ones take a tenth of a second."""
FRAMES, SIZE = 30, (96, 64)
_MODULE = "tests.faults.fuzz_videos"
_KINDS = {
    "MP4": (("mp4", "libx264"), ("mov", "mpeg4"), ("mp4", "libx265")),
    "MKV": (("matroska", "libx264"), ("webm", "libvpx-vp9"), ("matroska", "ffv1")),
    "AVI": (("avi", "mpeg4"), ("avi", "mjpeg")),
    "TS": (("mpegts", "libx264"), ("mpegts", "mpeg2video")),
    "MPEG": (("mpeg", "mpeg2video"), ("mpeg", "mpeg1video")),
    "FLV": (("flv", "flv"),),
}


@cache
def seeds() -> dict[str, list[bytes]]:
    """Whole files of each format, as far as this FFmpeg can write them."""
    made: dict[str, list[bytes]] = {}
    for kind, ways in _KINDS.items():
        for container, codec in ways:
            data = _film(container, codec)
            if data:
                made.setdefault(kind, []).append(data)
    return made


def _film(form: str, codec: str) -> bytes:
    """A second of moving noise."""
    import av

    if codec not in av.codecs_available:
        return b""
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (SIZE[1], SIZE[0] + FRAMES, 3)).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film"
        with av.open(str(path), "w", format=form) as output:
            stream: Any = output.add_stream(codec, rate=Fraction(25))
            stream.width, stream.height = SIZE
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.codec_context.gop_size = 10
            if codec == "libx265":
                stream.options = {"x265-params": "log-level=none"}
            for i in range(FRAMES):
                frame = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(noise[:, i : i + SIZE[0]]), format="rgb24"
                )
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
        return path.read_bytes()


def fuzz(numbers: range, *, seconds: float = SECONDS) -> Outcome:
    """Read the damaged files of these numbers in a watched process, renewed when it dies."""
    outcome = Outcome()
    left = list(numbers)
    while left:
        left = left[_watch(left, outcome, seconds) :]
    return outcome


def _watch(numbers: list[int], outcome: Outcome, seconds: float) -> int:
    """Run one process until it ends; return how many files it is rid of."""
    with tempfile.TemporaryFile() as words:
        command = [sys.executable, "-X", "faulthandler", "-m", _MODULE]
        command += ["--child", f"{numbers[0]}:{numbers[-1] + 1}"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words)
        done = 0
        try:
            for line in _lines(child, seconds):
                outcome.add(numbers[done], json.loads(line))
                done += 1
        except TimeoutError:
            child.kill()
            child.wait()
            outcome.faults["too slow"].append((numbers[done], f"more than {seconds:g} s"))
            return done + 1
        finally:
            assert child.stdout is not None
            child.stdout.close()
        code = child.wait()
        if done == len(numbers) and code == 0:
            return done
        words.seek(0)
        said = words.read()[-2000:].decode("utf-8", "replace")
        outcome.faults["crash"].append((numbers[done], f"exit {code}: {said}"))
        return done + 1


def _child(span: range) -> None:
    """Read the files of these numbers and say a line of JSON about each."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    originals = seeds()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    heard = os.fstat(2).st_size
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film"
        for number in span:
            kind, data = mutated(number, originals)
            path.write_bytes(data)
            result = read(path) | {"kind": kind, "noise": ""}
            length = os.fstat(2).st_size
            if length > heard:
                result["noise"] = os.pread(2, 500, heard).decode("utf-8", "replace")
                heard = length
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()


def read(path: Path) -> dict[str, Any]:
    """Read a file as `predict` does: at a rate, from a start, and by its keyframes."""
    from facegender.errors import VideoError
    from facegender.images.video import LONGEST_SIDE, Sampling, Video

    _forget_peak()
    began, reason, fault = time.process_time(), "", ""
    for sampling in (Sampling(25), Sampling(1, start=0.5, end=0.9), Sampling(keyframes=True)):
        last, frames = -1.0, 0
        try:
            with Video(path, sampling) as video:
                for frame in video.frames():
                    assert frame.pixels.dtype == np.uint8
                    assert max(frame.pixels.shape) <= LONGEST_SIDE
                    assert frame.time >= last
                    last, frames = frame.time, frames + 1
                error = video.error
        except VideoError as refusal:
            error = refusal
        except Exception as other:  # noqa: BLE001 - any other error is what is looked for
            fault = f"{type(other).__name__}: {other}"
            break
        if error is not None:
            words = error.message.split(":")[0]
            reason = reason or (f"{words}, in part" if frames else words)
            if "\n" in error.message or len(error.message) > 300:
                fault = f"long message: {error.message!r}"
    seconds = time.process_time() - began
    return {"reason": reason, "fault": fault, "seconds": seconds, "memory": _peak()}


def main() -> None:
    """Parse, run, print; exit 1 where something happened that must not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time limit of one file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--only", type=int, help="one number: print what becomes of it")
    parser.add_argument("--write", type=Path, help="with --only: write its file")
    chosen = parser.parse_args()
    if chosen.child:
        _child(range(*map(int, chosen.child.split(":"))))
        return
    if chosen.only is not None:
        kind, data = mutated(chosen.only, seeds())
        with tempfile.TemporaryDirectory() as folder:
            path = chosen.write or Path(folder) / "film"
            path.write_bytes(data)
            print(kind, f"{len(data):,} bytes", read(path))
        return
    outcome = fuzz(range(chosen.start, chosen.start + chosen.count), seconds=chosen.seconds)
    report(outcome, sys.stdout)
    sys.exit(1 if any(outcome.faults.values()) else 0)


if __name__ == "__main__":
    main()
