"""Videos of known truth: portraits that move, grow, turn and pass in front of each other.

A video is a series of shots with a cut between two. In each shot one to three portraits move over
a made background; of each face it is known where it is in each frame and how much of it is seen.

    python -m tests.prediction.made_videos FOLDER --videos 4 --fps 5 1
    python -m tests.prediction.made_videos FOLDER --write film.mp4

FOLDER has ``photos.csv`` (path, gender). The first predicts some videos and compares
the answers with the truth, the second only makes one.
"""

from __future__ import annotations

import argparse
import csv
import math
import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

SIZE = (960, 540)
FPS = 25
SEEN = 0.6
"""A face of which at least this share is seen counts as visible."""

Box = tuple[float, float, float, float]
Rng = np.random.Generator


@dataclass(frozen=True)
class Portrait:
    """A still photo of one person; `box` is the face in it as the detector finds it."""

    pixels: np.ndarray
    label: int
    box: Box


@dataclass
class Appearance:
    """One person in one shot: by frame number, the face's box and the share that is seen."""

    label: int
    boxes: dict[int, Box] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)

    @property
    def visible(self) -> list[int]:
        return [number for number, share in self.seen.items() if share >= SEEN]


@dataclass
class Truth:
    """What is in a made video."""

    seconds: float
    appearances: list[Appearance]
    cuts: list[int]


def portraits_of(folder: Path, detector: Any, limit: int = 1000) -> list[Portrait]:
    """The portraits of a folder of ``photos.csv`` in which one face is found."""
    with (folder / "photos.csv").open() as file:
        rows = list(csv.DictReader(file))
    return portraits_from([(folder / row["path"], row["gender"]) for row in rows[:limit]], detector)


def portraits_from(named: list[tuple[Path, str]], detector: Any) -> list[Portrait]:
    """Portraits of (path, gender) in which one face is found."""
    made = []
    for path, gender in named:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        faces = detector(pixels)
        if len(faces) == 1:
            made.append(Portrait(pixels, int(gender == "male"), faces[0].box))
    return made


class _Mover:
    """A portrait on its way through a shot."""

    def __init__(self, portrait: Portrait, rng: Rng, lane: tuple[float, float], rough: Rng | None):
        self.portrait = portrait
        self.begin, self.end = lane
        self.face = rng.uniform(55, 130)  # width of the face at the beginning, pixels
        self.growth = rng.uniform(0.75, 1.35)
        self.height = rng.uniform(0.4, 0.6)
        self.sway = rng.uniform(0, 25), rng.uniform(0.2, 0.6), rng.uniform(0, 6.3)
        self.turn = rng.uniform(0, 14), rng.uniform(0.1, 0.4), rng.uniform(0, 6.3)
        self.squeeze = rng.uniform(0, 0.2), rng.uniform(0.1, 0.4), rng.uniform(0, 6.3)
        self.blur = self.shade = (0.0, 0.0, 0.0)
        if rough is not None:  # good and bad moments within each shot
            self.face, self.growth = rough.uniform(40, 120), math.exp(rough.uniform(-1.2, 1.2))
            self.turn, self.squeeze, self.blur, self.shade = (
                (rough.uniform(0, most), rough.uniform(0.1, 0.4), rough.uniform(0, 6.3))
                for most in (30, 0.5, 0.12, 0.9)
            )

    def draw(self, canvas: Image.Image, cover: np.ndarray, part: float, time: float, number: int):
        """Paste the portrait; return the face's box. `cover` keeps who is seen at each pixel."""
        wave = lambda w: w[0] * math.sin(6.283 * w[1] * time + w[2])  # noqa: E731
        scale = self.face * self.growth**part / self.portrait.box[2]
        across = scale * (1 - abs(wave(self.squeeze)))
        angle = wave(self.turn)
        height, width = self.portrait.pixels.shape[:2]
        size = max(2, round(width * across)), max(2, round(height * scale))
        image = Image.fromarray(self.portrait.pixels).resize(size, Image.Resampling.BILINEAR)
        if self.blur[0]:
            radius = abs(wave(self.blur)) * self.portrait.box[2] * scale
            image = image.filter(ImageFilter.GaussianBlur(radius))
            image = image.point([round(v * (1 - abs(wave(self.shade)))) for v in range(256)] * 3)
        mask = Image.new("L", size, 255)
        x, y, w, h = self.portrait.box
        face = Image.new("L", size, 0)
        left, top = round(x * across), round(y * scale)
        face.paste(255, (left, top, left + round(w * across), top + round(h * scale)))
        image, mask, face = (
            i.rotate(angle, Image.Resampling.BILINEAR, expand=True) for i in (image, mask, face)
        )
        shown = np.argwhere(np.asarray(face) > 127)
        (y0, x0), (y1, x1) = shown.min(0), shown.max(0) + 1
        # The middle of the face is what moves.
        middle_x = SIZE[0] * (self.begin + (self.end - self.begin) * part)
        middle_y = SIZE[1] * self.height + wave(self.sway)
        place = round(middle_x - (x0 + x1) / 2), round(middle_y - (y0 + y1) / 2)
        canvas.paste(image, place, mask)
        _stamp(cover, np.asarray(mask) > 127, place, 0)
        _stamp(cover, np.asarray(face) > 127, place, number)
        turned = math.radians(angle)
        wide, high = w * across, h * scale  # the face itself, not the box around its turned box
        middle = place[0] + (x0 + x1) / 2, place[1] + (y0 + y1) / 2
        box = (middle[0] - wide / 2, middle[1] - high / 2, wide, high)
        return box, wide * high / max(math.cos(turned), 0.5)


def _stamp(cover: np.ndarray, mask: np.ndarray, place: tuple[int, int], number: int) -> None:
    x, y = place
    top, left = max(0, y), max(0, x)
    bottom, right = min(cover.shape[0], y + mask.shape[0]), min(cover.shape[1], x + mask.shape[1])
    if bottom > top and right > left:
        part = mask[top - y : bottom - y, left - x : right - x]
        cover[top:bottom, left:right][part] = number


def _background(rng: Rng) -> Image.Image:
    """Blurred blocks of a few colours: no two shots look alike."""
    base = rng.integers(20, 236, 3)
    blocks = np.clip(base + rng.normal(0, 40, (9, 16, 3)), 0, 255).astype(np.uint8)
    image = Image.fromarray(blocks).resize(SIZE, Image.Resampling.BICUBIC)
    return image.filter(ImageFilter.GaussianBlur(3))


def _lanes(rng: Rng, people: int) -> list[tuple[float, float]]:
    """Where each begins and ends, shares of the width; two that cross occlude each other."""
    places = [(0.5,), (0.25, 0.75), (0.18, 0.5, 0.82)][people - 1]
    begin = [p + rng.uniform(-0.06, 0.06) for p in places]
    end = [p + rng.uniform(-0.06, 0.06) for p in places]
    if people > 1 and rng.random() < 0.5:
        i = rng.integers(people - 1)
        end[i], end[i + 1] = end[i + 1], end[i]
    return list(zip(begin, end, strict=True))


def make_video(
    path: Path,
    portraits: list[Portrait],
    *,
    seconds: float,
    seed: int = 0,
    people: int = 3,
    rough: bool = False,
    codec: str = "libx264",
    **options: str,
) -> Truth:
    """Write a video of 960x540 at 25 frames a second, and return what is in it.

    Args:
        path: of the video.
        portraits: who may appear.
        seconds: of the video.
        seed: of what happens.
        people: in a shot, at most.
        rough: faces are also small, blurred, dark and turned for parts of a shot.
        codec, options: of the encoder.
    """
    import av

    rng = np.random.default_rng(seed)
    worse = np.random.default_rng([seed, 1]) if rough else None
    total, number = round(seconds * FPS), 0
    truth = Truth(total / FPS, [], [])
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "23", **options}
        while number < total:
            length = min(round(rng.uniform(4, 8) * FPS), total - number)
            if total - number - length < 2 * FPS:
                length = total - number
            for image in _shot(truth, portraits, rng, worse, number, length, people):
                container.mux(stream.encode(av.VideoFrame.from_image(image)))
            number += length
            if number < total:
                truth.cuts.append(number)
        container.mux(stream.encode())
    return truth


def _shot(
    truth: Truth,
    portraits: list[Portrait],
    rng: Rng,
    rough: Rng | None,
    begin: int,
    length: int,
    most: int,
):
    people = int(rng.integers(1, most + 1))
    chosen = [portraits[i] for i in rng.choice(len(portraits), people, replace=len(portraits) < 3)]
    lanes = _lanes(rng, people)
    movers = [_Mover(p, rng, lane, rough) for p, lane in zip(chosen, lanes, strict=True)]
    faces = [Appearance(p.label) for p in chosen]
    ground = _background(rng)
    for i in range(length):
        canvas, cover = ground.copy(), np.zeros(SIZE[::-1], np.uint8)
        drawn = [
            m.draw(canvas, cover, i / length, i / FPS, n) for n, m in enumerate(movers, start=1)
        ]
        for n, (appearance, (box, area)) in enumerate(zip(faces, drawn, strict=True), start=1):
            appearance.boxes[begin + i] = box
            appearance.seen[begin + i] = min(1.0, float((cover == n).sum()) / max(area, 1.0))
        yield canvas
    truth.appearances += faces


@dataclass
class Scores:
    """How well tracks fit the truth; seconds by gender are (female, male).

    `told_time` is by the likelier gender, `sure_time` what the answer's `screen_time` says, which
    leaves `uncertain` tracks out, and `owned_time` the same tracks with the true label of each: how
    far it is from `true_time` is the part of the error that is of tracking and time.
    """

    appearances: int = 0
    found: int = 0
    switches: int = 0
    tracks: int = 0
    foreign: int = 0
    right_tracks: int = 0
    faces: int = 0
    right_faces: int = 0
    seconds: float = 0.0
    true_time: list[float] = field(default_factory=lambda: [0.0, 0.0])
    told_time: list[float] = field(default_factory=lambda: [0.0, 0.0])
    sure_time: list[float] = field(default_factory=lambda: [0.0, 0.0])
    uncertain: float = 0.0
    owned_time: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def __add__(self, other: Scores) -> Scores:
        both = zip(vars(self).items(), vars(other).values(), strict=True)
        return Scores(
            **{
                name: [a + b for a, b in zip(mine, theirs, strict=True)]
                if isinstance(mine, list)
                else mine + theirs
                for (name, mine), theirs in both
            }
        )

    def __str__(self) -> str:
        errors, sure, owned = (
            [
                100 * (told / true - 1) if true else 0.0
                for told, true in zip(times, self.true_time, strict=True)
            ]
            for times in (self.told_time, self.sure_time, self.owned_time)
        )
        total = sum(self.told_time) / max(sum(self.true_time), 1e-9) - 1
        return (
            f"found {self.found} of {self.appearances}, {self.switches} switches in "
            f"{self.seconds / 60:.1f} min, {self.tracks} tracks ({self.foreign} of nobody), right "
            f"tracks {self.right_tracks / max(1, self.tracks - self.foreign):.3f}, right faces "
            f"{self.right_faces / max(1, self.faces):.3f}, time female {errors[0]:+.1f} %, male "
            f"{errors[1]:+.1f} %, all {100 * total:+.1f} %; as screen_time female "
            f"{sure[0]:+.1f} %, male {sure[1]:+.1f} %, uncertain {self.uncertain:.1f} s; with the "
            f"true label of each track female {owned[0]:+.1f} %, male {owned[1]:+.1f} %"
        )


def score(
    truth: Truth, rows: list[tuple[float, int, Box, int]], tracks: dict[int, tuple[int, float]]
):
    """Compare with the truth.

    Args:
        truth: of the video.
        rows: time, track, box and label of every face that was found.
        tracks: label and seconds by number.
    """
    by_frame: dict[int, list[tuple[int, Box, int]]] = {}
    for time, track, box, label in rows:
        by_frame.setdefault(round(time * FPS), []).append((track, box, label))
    told = Scores(len(truth.appearances), tracks=len(tracks), seconds=truth.seconds)
    owners: dict[int, list[int]] = {number: [] for number in tracks}
    for appearance in truth.appearances:
        numbers = [n for n in appearance.visible if n in by_frame]
        followed = [_match(appearance.boxes[n], by_frame[n]) for n in numbers]
        kept = [match for match in followed if match is not None]
        told.faces += len(kept)
        told.right_faces += sum(label == appearance.label for _, label in kept)
        told.switches += sum(a[0] != b[0] for a, b in pairwise(kept))
        told.true_time[appearance.label] += len(appearance.visible) / FPS
        ids = [track for track, _ in kept]
        told.found += bool(ids) and max(map(ids.count, set(ids))) * 2 > len(numbers)
        for track in ids:
            owners[track].append(appearance.label)
    for number, (label, seconds) in tracks.items():
        told.told_time[label] += seconds
        told.foreign += not owners[number]
        if owners[number]:
            told.owned_time[max(set(owners[number]), key=owners[number].count)] += seconds
        told.right_tracks += bool(owners[number]) and 2 * owners[number].count(label) > len(
            owners[number]
        )
    return told


def _match(box: Box, faces: list[tuple[int, Box, int]]) -> tuple[int, int] | None:
    best = max(faces, key=lambda face: overlap(box, face[1]), default=None)
    return (best[0], best[2]) if best and overlap(box, best[1]) > 0.3 else None


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    (x, y, w, h), (u, v, p, q) = one, other
    across = max(0.0, min(x + w, u + p) - max(x, u))
    down = max(0.0, min(y + h, v + q) - max(y, v))
    return across * down / max(w * h + p * q - across * down, 1e-9)


def judge(predictor: Any, path: Path, truth: Truth, fps: float) -> Scores:
    """Predict a made video and compare."""
    from facegender.images.video import Sampling
    from facegender.prediction.video import predict_video

    rows: list[tuple[float, int, Box, int]] = []
    prediction = predict_video(
        predictor,
        path,
        Sampling(fps),
        on_frame=lambda frame: rows.extend(
            (frame.time, track, face.face.box, face.label)
            for track, face in zip(frame.tracks, frame.faces, strict=True)
        ),
    )
    assert prediction.error is None
    tracks = {
        number: (int(track.name == "male"), track.seconds)
        for number, track in enumerate(prediction.tracks, start=1)
    }
    told = score(truth, rows, tracks)
    shown = prediction.screen_time
    told.sure_time, told.uncertain = [shown.female, shown.male], shown.uncertain
    return told


def main() -> None:
    from facegender.prediction.predictor import Predictor

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--first", type=int, default=1, help="seed of the first video")
    parser.add_argument("--fps", type=float, nargs="*", default=[5])
    parser.add_argument("--rough", action="store_true", help="see make_video")
    parser.add_argument("--write", type=Path, help="only make the first video, there")
    options = parser.parse_args()
    predictor = Predictor()
    portraits = portraits_of(options.photos, predictor.detector)
    if options.write is not None:
        make_video(
            options.write,
            portraits,
            seconds=options.seconds,
            seed=options.first,
            rough=options.rough,
        )
        return
    totals = {fps: Scores() for fps in options.fps}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.first, options.first + options.videos):
            path = Path(folder) / f"{seed}.mp4"
            truth = make_video(
                path, portraits, seconds=options.seconds, seed=seed, rough=options.rough
            )
            for fps in options.fps:
                totals[fps] += judge(predictor, path, truth, fps)
    for fps, total in totals.items():
        print(f"{fps:g} frames a second: {total}")


if __name__ == "__main__":
    main()
