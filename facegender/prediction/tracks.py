"""Faces of successive frames -> tracks: who is one person, from when to when.

Detections are joined to tracks by position, size and looks (Kuhn, 1955, in SciPy's
implementation), with constant velocity between frames as in SORT (Bewley et al., "Simple online
and realtime tracking", 2016). A cut ends all tracks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facegender.faces.geometry import Face
from facegender.images.decode import Photo
from facegender.images.shots import Change
from facegender.prediction.predictor import FacePrediction

Box = tuple[float, float, float, float]
Looks = NDArray[np.float32]
"""What a crop looks like, coarsely: a unit vector."""

PATIENCE: Final = 3.0
"""Seconds for which a face may be hidden, or missed, and still be the same track."""
SAMPLES: Final = 2.5
"""At a low rate: so many frames instead, if that is longer."""
REACH: Final = (0.7, 1.5)
"""How far a face may be from where it is expected, in widths of the face: at once, and more for
each second since it was seen, up to one second."""
GROWTH: Final = 0.7
"""Largest difference of the logarithms of two sizes of one face."""
LIKENESS: Final = 0.4
"""Least cosine between the looks of one face in two frames. Within a made track it is .82 or more
in 99 of 100 pairs of frames .24 s apart, and .58 after 2.4 s; between two people the median is
.54."""
NEAR: Final = 0.5
PARTLY: Final = 0.0
"""A face that is so near to where it is expected, as a share of the reach, may be half hidden and
look less like itself."""
MEMORY: Final = 0.3
"""Share of the newest frame in a track's velocity and looks."""
GAIN: Final = 0.1
"""A track's log odds are its faces' weighted mean times their number to this power: 0 would take
them for one face, 1 for as many witnesses. Chosen by log loss on 131 tracks of 28 faces (median) in
made videos of FairFace training photos: .184 for single faces, .168 with 0, .158 with .1, .169
with .2, .80 with 1."""
KEPT: Final = 12
"""Faces of a track that are remembered, from which `OTHERS` are shown beside the best one."""
OTHERS: Final = 3
NEVER: Final = 1e6


@dataclass(frozen=True, slots=True)
class Sighting:
    """A face in one frame, as far as tracking needs it.

    Attributes:
        face: in pixels of the video.
        looks: of its crop.
        weight: of its answer in its track's.
    """

    face: FacePrediction
    looks: Looks
    weight: float


@dataclass(slots=True)
class Track:
    """A face over time.

    Attributes:
        number: from 1, in the order in which tracks begin.
        start: seconds at which it is first seen.
        end: seconds at which its last frame ends.
        seconds: in which it was seen: the frames with it, each as long as it stands.
        boxes: sum of its boxes.
        score: sum of its faces' scores, None where nothing was looked for.
        faces: number of its faces.
        evidence: sum of weight times log odds of male.
        weight: sum of weights.
        best: weight, time and box of its best face.
        kept: time and box of some faces, spread evenly over it.
    """

    number: int
    start: float
    end: float = 0.0
    seconds: float = 0.0
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    score: float | None = 0.0
    faces: int = 0
    evidence: float = 0.0
    weight: float = 0.0
    best: tuple[float, float, Box] = (-1.0, 0.0, (0.0, 0.0, 0.0, 0.0))
    kept: list[tuple[float, Box]] = field(default_factory=list)
    _stride: int = 1
    _box: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    _speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    _looks: Looks = field(default_factory=lambda: np.zeros(1, np.float32))
    _seen: float = 0.0

    def expected(self, time: float) -> tuple[float, float]:
        """Return where the middle of the face is expected, in pixels."""
        ahead = min(time - self._seen, PATIENCE)
        x, y, width, height = self._box
        return float(x + width / 2 + ahead * self._speed[0]), float(
            y + height / 2 + ahead * self._speed[1]
        )

    def add(self, time: float, seen: Sighting) -> bool:
        """Take a face of a frame into the track; return whether it is the best so far."""
        face, looks, weight = seen.face, seen.looks, seen.weight
        box = np.array(face.face.box)
        if self.faces:
            passed = max(time - self._seen, 1e-3)
            moved = (box[:2] + box[2:] / 2 - self._box[:2] - self._box[2:] / 2) / passed
            share = MEMORY if self.faces > 1 else 1.0
            self._speed += share * (moved - self._speed)
            # A face that is half hidden says little of how it looks.
            learned = MEMORY if float(looks @ self._looks) > LIKENESS else 0.0
            looks = self._looks + learned * (looks - self._looks)
            looks = looks / max(float(np.linalg.norm(looks)), 1e-6)
        self._box, self._looks, self._seen = box, looks, time
        self.boxes += box
        found = face.face.score
        self.score = None if self.score is None or found is None else self.score + found
        if self.faces % self._stride == 0:
            self.kept.append((time, face.face.box))
            if len(self.kept) > KEPT:
                self.kept, self._stride = self.kept[::2], 2 * self._stride
        self.faces += 1
        self.evidence += weight * log_odds(face.probabilities[1])
        self.weight += weight
        if weight > self.best[0]:
            self.best = (weight, time, face.face.box)
            return True
        return False

    def others(self) -> list[tuple[float, Box]]:
        """Return time and box of up to `OTHERS` more faces, spread over the track."""
        left = [one for one in self.kept if one[0] != self.best[1]]
        if len(left) <= OTHERS:
            return left
        return [left[len(left) * (2 * i + 1) // (2 * OTHERS)] for i in range(OTHERS)]

    def lasted(self, until: float) -> None:
        """The frame in which the face was last seen stood until then."""
        self.seconds += max(0.0, until - self._seen)
        self.end = max(self.end, until)


class Tracker:
    """Joins the faces of successive frames to tracks."""

    def __init__(self) -> None:
        self.active: list[Track] = []
        self.count = 0
        self.time: float | None = None  # of the newest frame
        self._step = 0.0

    def update(
        self, time: float, change: Change, sightings: Sequence[Sighting]
    ) -> tuple[list[Track], list[bool], list[Track]]:
        """Take the faces of the next frame.

        Args:
            time: seconds, later than the frame before.
            change: since that frame. At a cut those who were seen before are seen until the first
                cut, and those who are seen now have been since the last.
            sightings: its faces.

        Returns:
            the track of each face, whether the face is the track's best so far, and the tracks
            that have ended.
        """
        self._pass(time, time if change.cuts is None else change.cuts[0])
        begin = time if change.cuts is None else change.cuts[1]
        patience = max(PATIENCE, SAMPLES * self._step)
        ended = [t for t in self.active if change.cuts or time - t._seen > patience]
        self.active = [t for t in self.active if t not in ended]
        joined = self._joined(time, sightings, change)
        tracks, best = [], []
        for number, seen in enumerate(sightings):
            track = joined.get(number)
            if track is None:
                self.count += 1
                track = Track(self.count, begin, seconds=time - begin)
                self.active.append(track)
            best.append(track.add(time, seen))
            tracks.append(track)
        return tracks, best, ended

    def finish(self, until: float) -> list[Track]:
        """Return the tracks that are left when the video ends, `until` seconds from its start."""
        self._pass(until, until)
        ended, self.active = self.active, []
        return ended

    def _pass(self, time: float, until: float) -> None:
        """A new frame is at `time`; the one before stood until `until`."""
        if self.time is not None:
            for track in self.active:
                if track._seen == self.time:
                    track.lasted(until)
            self._step = time - self.time
        self.time = time

    def _joined(
        self, time: float, sightings: Sequence[Sighting], change: Change
    ) -> dict[int, Track]:
        """The track of each face that continues one, by the face's number."""
        if not sightings or not self.active:
            return {}
        costs = np.array(
            [
                [cost(track, time, seen, alike=change.gradual) for track in self.active]
                for seen in sightings
            ]
        )
        return {
            row: self.active[column]
            for row, column in assigned(costs)
            if costs[row, column] < NEVER
        }


def cost(track: Track, time: float, seen: Sighting, *, alike: bool = False) -> float:
    """Return how unlike a track's next face a face is; `NEVER` where it cannot be.

    Args:
        track: seen before.
        time: of the face.
        seen: the face.
        alike: it must look alike, wherever it is.
    """
    x, y, width, height = seen.face.face.box
    across, down = track.expected(time)
    size = math.sqrt(max(width * height, 1.0))
    before = math.sqrt(max(float(track._box[2] * track._box[3]), 1.0))
    reach = REACH[0] + REACH[1] * min(time - track._seen, 1.0)
    away = math.hypot(x + width / 2 - across, y + height / 2 - down) / max(size, before) / reach
    growth = abs(math.log(size / before))
    if away > 1 or growth > GROWTH:
        return NEVER
    likeness = float(seen.looks @ track._looks)
    least = LIKENESS if alike or away > NEAR else PARTLY
    return NEVER if likeness < least else away + growth + 2 * (1 - likeness)


def assigned(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return pairs of (row, column), each once at most, of least cost in sum."""
    nearest = costs.argmin(axis=1)
    possible = costs[np.arange(len(costs)), nearest] < NEVER
    rows, columns = np.flatnonzero(possible), nearest[possible]
    if len(set(columns.tolist())) < len(columns):  # two want the same: rarely, and SciPy is large
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(costs)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def looks_of(crop: Photo) -> Looks:
    """Return a crop's coarse looks: 8x8 means of each channel, without their mean, unit length."""
    height, width = crop.shape[:2]
    rows, columns = max(1, height // 8), max(1, width // 8)
    part = crop[: rows * min(8, height), : columns * min(8, width)].astype(np.float32)
    means = part.reshape(part.shape[0] // rows, rows, -1, columns, 3).mean(axis=(1, 3)).ravel()
    means -= means.mean()
    looks: Looks = means / max(float(np.linalg.norm(means)), 1e-6)
    return looks.astype(np.float16).astype(np.float32)  # as a journal keeps them


def sharpness(crop: Photo) -> float:
    """Return the mean absolute Laplacian of a crop's grey values, relative to their spread."""
    grey: NDArray[np.float32] = crop.astype(np.float32).mean(axis=2)
    middle = 4 * grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.abs(middle - around).mean() / (grey.std() + 1.0))


def weight_of(face: Face, crop: Photo) -> float:
    """Return the weight of a face in its track: more for large, sharp and surely found faces."""
    _, _, width, height = face.box
    size = min(1.0, math.sqrt(max(width * height, 1.0)) / max(crop.shape[:2]))
    weight: float = face.confidence * size * min(1.0, 0.1 + sharpness(crop))
    return weight


def track_probability(track: Track) -> float:
    """Return the probability that a track's face is perceived as male; see `GAIN`."""
    mean = track.evidence / track.weight if track.weight else 0.0
    return 1 / (1 + math.exp(-mean * track.faces**GAIN))


def log_odds(probability: float) -> float:
    """Return the log odds of a probability, which is kept a millionth from 0 and 1."""
    kept = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))
