"""Does it pay to weight the faces of a track by size, sharpness and score?

    python tests/benchmarks/track_weights.py PHOTOS.csv [--rough] [--videos 8] [--first 200]

PHOTOS.csv has the columns ``path`` and ``gender``. Of its portraits
videos of known truth are made, with --rough ones whose faces are also small, blurred, dark and
turned for parts of a shot. They are followed once; each way to weight then judges the same tracks.
Printed are the mean log loss of the tracks, the share that is judged right, and the difference of
each way to equal weights with a 95 % interval: shots are resampled, since portraits of one shot are
seen together.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegender.faces.backends import default_backend
from facegender.faces.detection import FaceDetector
from facegender.images.video import Sampling
from facegender.prediction.predictor import Predictor
from facegender.prediction.tracks import GAIN, log_odds, sharpness, weight_of
from facegender.prediction.video import FrameFaces, predict_video

sys.path.insert(0, str(Path(__file__).parents[2]))  # other packages bring a package `tests` too
from tests.prediction import made_videos


@dataclass(frozen=True)
class Seen:
    """A face of a track: what weights may be made of, and its log odds of male."""

    size: float
    sharpness: float
    score: float
    weight: float
    odds: float


WAYS: dict[str, Callable[[Seen], float]] = {
    "equal": lambda face: 1.0,
    "score": lambda face: face.score,
    "size": lambda face: face.size,
    "sharpness": lambda face: face.sharpness,
    "all three (facegender)": lambda face: face.weight,
    "their square": lambda face: face.weight**2,
    "their fourth power": lambda face: face.weight**4,
    "the best face alone": lambda face: face.weight**100,
    "log odds, absolute": lambda face: abs(face.odds),
}


@dataclass(frozen=True)
class OwnedTrack:
    """A track, and the label of the appearance that most of its faces are of."""

    shot: tuple[int, int]
    label: int
    faces: tuple[Seen, ...]

    def judged(self, way: Callable[[Seen], float]) -> tuple[float, bool]:
        """Return its log loss, and whether it is right."""
        weights = np.array([way(face) for face in self.faces])
        odds = np.array([face.odds for face in self.faces])
        total = float(weights.sum())
        mean = float(weights @ odds) / total if total else 0.0
        answer = mean * len(self.faces) ** GAIN * (1 if self.label else -1)
        return math.log1p(math.exp(-answer)), answer > 0


def tracks_of(
    predictor: Predictor, portraits: list[made_videos.Portrait], seed: int, options
) -> list[OwnedTrack]:
    """Make a video, follow it, and return the tracks with their owners."""
    frames: list[FrameFaces] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        truth = made_videos.make_video(
            path, portraits, seconds=options.seconds, seed=seed, rough=options.rough
        )
        predict_video(predictor, path, Sampling(options.fps), on_frame=frames.append)
    labels: dict[int, list[int]] = {}
    faces: dict[int, list[Seen]] = {}
    shots: dict[int, int] = {}
    for frame in frames:
        number = round(frame.time * made_videos.FPS)
        here = [(a.label, a.boxes[number]) for a in truth.appearances if number in a.boxes]
        for track, face, crop in zip(frame.tracks, frame.faces, frame.crops, strict=True):
            shots[track] = sum(cut <= number for cut in truth.cuts)
            faces.setdefault(track, []).append(_seen(face, crop))
            labels.setdefault(track, []).extend(
                label
                for label, box in here
                if made_videos.overlap(tuple(map(float, face.face.box)), box) > 0.3
            )
    return [
        OwnedTrack((seed, shots[track]), round(np.mean(owners)), tuple(faces[track]))
        for track, owners in labels.items()
        if owners
    ]


def _seen(face, crop) -> Seen:
    _, _, width, height = face.face.box
    size = min(1.0, math.sqrt(width * height) / max(crop.shape[:2]))
    return Seen(
        size,
        min(1.0, 0.1 + sharpness(crop)),
        face.face.confidence,
        weight_of(face.face, crop),
        log_odds(face.probabilities[1]),
    )


def compare(tracks: list[OwnedTrack]) -> None:
    """Print each way to weight."""
    single = [face for track in tracks for face in track.faces]
    right = np.mean([(f.odds > 0) == t.label for t in tracks for f in t.faces])
    weights = np.concatenate(
        [[f.weight / np.mean([g.weight for g in t.faces]) for f in t.faces] for t in tracks]
    )
    print(
        f"{len(tracks)} tracks of {np.median([len(t.faces) for t in tracks]):.0f} faces (median), "
        f"{len(single)} faces, {100 * right:.1f} % of them right; weight within a track, 5th to "
        f"95th part in a hundred: {np.quantile(weights, 0.05):.2f} to "
        f"{np.quantile(weights, 0.95):.2f}"
    )
    told = {name: np.array([t.judged(way) for t in tracks]) for name, way in WAYS.items()}
    shots = sorted({track.shot for track in tracks})
    place = {shot: i for i, shot in enumerate(shots)}
    of_shot = np.array([place[track.shot] for track in tracks])
    drawn = np.random.default_rng(0).multinomial(
        len(shots), np.full(len(shots), 1 / len(shots)), size=2000
    )[:, of_shot]
    for name, values in told.items():
        loss, correct = values.mean(0)
        more = values - told["equal"]
        means = (drawn @ more) / drawn.sum(1, keepdims=True)
        (low, least), (high, most) = np.quantile(means, (0.025, 0.975), axis=0)
        print(
            f"  {name:24} log loss {loss:.4f} ({low:+.4f} to {high:+.4f}), right "
            f"{100 * correct:.1f} % ({100 * least:+.1f} to {100 * most:+.1f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--rough", action="store_true")
    parser.add_argument("--videos", type=int, default=8)
    parser.add_argument("--first", type=int, default=200, help="seed of the first video")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--fps", type=float, default=5)
    parser.add_argument("--step", type=int, default=1, help="take each so many-th photo")
    options = parser.parse_args()
    # Only frames that are looked at need be made.
    made_videos.FPS = round(options.fps)
    predictor = Predictor()
    with options.photos.open() as file:
        named = [
            (options.photos.parent / row["path"], row["gender"]) for row in csv.DictReader(file)
        ][:: options.step]
    portraits = made_videos.portraits_from(named, FaceDetector(default_backend()))
    tracks = []
    for seed in range(options.first, options.first + options.videos):
        tracks += tracks_of(predictor, portraits, seed, options)
    compare(tracks)


if __name__ == "__main__":
    main()
