"""Faces of successive frames -> tracks: who is one person, from when to when.

Detections are joined to tracks by position, size and looks (Kuhn, 1955, in SciPy's
implementation), with constant velocity between frames as in SORT (Bewley et al., "Simple online
and realtime tracking", 2016). A cut ends all tracks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facegender.images.decode import Photo
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
NEVER: Final = 1e6
CUT: Final = 0.55
"""Share of a frame's pixels that must change their colour for a cut; see `is_cut`."""
GRID: Final = (9, 16)


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

    def add(self, time: float, face: FacePrediction, crop: Photo) -> bool:
        """Take a face of a frame into the track; return whether it is the best so far."""
        box = np.array(face.face.box)
        looks, weight = looks_of(crop), weight_of(face, crop)
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
        self.faces += 1
        self.evidence += weight * log_odds(face.probabilities[1])
        self.weight += weight
        if weight > self.best[0]:
            self.best = (weight, time, face.face.box)
            return True
        return False

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
        self._frame: Photo | None = None
        self._step = 0.0

    def update(
        self, time: float, frame: Photo, faces: tuple[FacePrediction, ...], crops: Photo
    ) -> tuple[list[Track], list[bool], list[Track]]:
        """Take the faces of the next frame.

        Args:
            time: seconds, later than the frame before.
            frame: small RGB picture of the frame, for finding cuts; see `thumbnail`.
            faces: in pixels of the video.
            crops: uint8 (faces, height, width, 3).

        Returns:
            the track of each face, whether the face is the track's best so far, and the tracks
            that have ended.
        """
        self._pass(time)
        cut = self._frame is not None and is_cut(self._frame, frame)
        self._frame = frame
        patience = max(PATIENCE, SAMPLES * self._step)
        ended = [t for t in self.active if cut or time - t._seen > patience]
        self.active = [t for t in self.active if t not in ended]
        joined = self._joined(time, faces, crops)
        tracks, best = [], []
        for number, (face, crop) in enumerate(zip(faces, crops, strict=True)):
            track = joined.get(number)
            if track is None:
                self.count += 1
                track = Track(self.count, time)
                self.active.append(track)
            best.append(track.add(time, face, crop))
            tracks.append(track)
        return tracks, best, ended

    def finish(self, until: float) -> list[Track]:
        """Return the tracks that are left when the video ends, `until` seconds from its start."""
        self._pass(until)
        ended, self.active = self.active, []
        return ended

    def _pass(self, time: float) -> None:
        """The frame before stood until `time`."""
        if self.time is not None:
            for track in self.active:
                if track._seen == self.time:
                    track.lasted(time)
            self._step = time - self.time
        self.time = time

    def _joined(
        self, time: float, faces: tuple[FacePrediction, ...], crops: Photo
    ) -> dict[int, Track]:
        """The track of each face that continues one, by the face's number."""
        if not faces or not self.active:
            return {}
        from scipy.optimize import linear_sum_assignment

        costs = np.array(
            [
                [cost(track, time, face.face.box, looks_of(crop)) for track in self.active]
                for face, crop in zip(faces, crops, strict=True)
            ]
        )
        rows, columns = linear_sum_assignment(costs)
        return {
            int(row): self.active[column]
            for row, column in zip(rows, columns, strict=True)
            if costs[row, column] < NEVER
        }


def cost(track: Track, time: float, box: Box, looks: Looks) -> float:
    """Return how unlike a track's next face a face is; `NEVER` where it cannot be."""
    x, y, width, height = box
    across, down = track.expected(time)
    size = math.sqrt(max(width * height, 1.0))
    before = math.sqrt(max(float(track._box[2] * track._box[3]), 1.0))
    reach = REACH[0] + REACH[1] * min(time - track._seen, 1.0)
    away = math.hypot(x + width / 2 - across, y + height / 2 - down) / max(size, before) / reach
    growth = abs(math.log(size / before))
    likeness = float(looks @ track._looks)
    least = LIKENESS if away > NEAR else PARTLY
    if away > 1 or growth > GROWTH or likeness < least:
        return NEVER
    return away + growth + 2 * (1 - likeness)


def looks_of(crop: Photo) -> Looks:
    """Return a crop's coarse looks: 8x8 means of each channel, without their mean, unit length."""
    height, width = crop.shape[:2]
    rows, columns = max(1, height // 8), max(1, width // 8)
    part = crop[: rows * min(8, height), : columns * min(8, width)].astype(np.float32)
    means = part.reshape(part.shape[0] // rows, rows, -1, columns, 3).mean(axis=(1, 3)).ravel()
    means -= means.mean()
    looks: Looks = means / max(float(np.linalg.norm(means)), 1e-6)
    return looks


def sharpness(crop: Photo) -> float:
    """Return the mean absolute Laplacian of a crop's grey values, relative to their spread."""
    grey: NDArray[np.float32] = crop.astype(np.float32).mean(axis=2)
    middle = 4 * grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.abs(middle - around).mean() / (grey.std() + 1.0))


def weight_of(face: FacePrediction, crop: Photo) -> float:
    """Return the weight of a face in its track: more for large, sharp and surely found faces."""
    _, _, width, height = face.face.box
    size = min(1.0, math.sqrt(max(width * height, 1.0)) / max(crop.shape[:2]))
    weight: float = face.face.confidence * size * min(1.0, 0.1 + sharpness(crop))
    return weight


def track_probability(track: Track) -> float:
    """Return the probability that a track's face is perceived as male; see `GAIN`."""
    mean = track.evidence / track.weight if track.weight else 0.0
    return 1 / (1 + math.exp(-mean * track.faces**GAIN))


def log_odds(probability: float) -> float:
    """Return the log odds of a probability, which is kept a millionth from 0 and 1."""
    kept = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))


def thumbnail(pixels: Photo) -> Photo:
    """Return a small copy of a frame, as `is_cut` compares them: means of 9x16 blocks."""
    rows, columns = GRID
    height, width = pixels.shape[:2]
    part = pixels[:: max(1, height // (4 * rows)), :: max(1, width // (4 * columns))]
    down = np.linspace(0, part.shape[0], rows, endpoint=False).astype(int)
    across = np.linspace(0, part.shape[1], columns, endpoint=False).astype(int)
    sums = np.add.reduceat(np.add.reduceat(part.astype(np.float32), down, 0), across, 1)
    high = np.diff([*down, part.shape[0]])[:, None, None]
    wide = np.diff([*across, part.shape[1]])[None, :, None]
    small: Photo = (sums / np.maximum(high * wide, 1)).astype(np.uint8)
    return small


def is_cut(before: Photo, after: Photo) -> bool:
    """Tell whether two successive frames belong to different shots.

    Blocks of the picture change within a shot where something moves; at a cut most of them do.

    Args:
        before, after: of `thumbnail`.
    """
    changed = np.abs(before.astype(np.int16) - after.astype(np.int16)).max(axis=2) > 24
    return float(changed.mean()) > CUT
