"""Videos -> who is seen, from when to when, in memory that grows with the tracks only."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from facegender.errors import VideoError
from facegender.faces.crop_cache import Crops
from facegender.faces.detection import MIN_FACE, Detector, FaceDetector
from facegender.faces.extraction import find_faces
from facegender.faces.geometry import Face, Geometry
from facegender.images.clock import clock
from facegender.images.decode import Photo
from facegender.images.footage import Footage, open_footage
from facegender.images.shots import Change
from facegender.images.video import Frame, Sampling, Video
from facegender.labels import LABELS
from facegender.models.inference import BATCH
from facegender.prediction.predictor import FacePrediction, Prediction, Predictor
from facegender.prediction.screen_time import ScreenTime
from facegender.prediction.tracks import (
    Box,
    Looks,
    Sighting,
    Track,
    Tracker,
    looks_of,
    track_probability,
    weight_of,
)
from facegender.prediction.video_journal import JournalFrame, VideoJournal
from facegender.runtime.parallel import cores
from facegender.runtime.threads import threaded_map

LEAST_SHARE: Final = 32
"""Unless a least face is asked for, it is this part of the frame's longer side: smaller ones cost
most of the time and are rarely judged right."""

_NOTHING: Final = np.zeros((0, 0, 3), np.uint8)

OnProgress = Callable[[float, float | None], None]
"""Told the seconds of video done, and in all if that is known."""


@dataclass(frozen=True, slots=True)
class TrackPrediction:
    """The answer for one face over time.

    Attributes:
        start: seconds at which it is first seen.
        end: seconds at which it is last seen.
        seconds: in which it was seen, at most end - start.
        box: mean (x, y, width, height), pixels of the upright video.
        score: mean score of its faces, or None where nothing was looked for.
        probabilities: of female and of male; they sum to 1.
        uncertain: whether the larger one is below the threshold.
        best_time: seconds of its best frame: large, sharp, surely found.
        best_box: its box there.
        faces: in how many frames it was found.
        more: time and box of up to three more faces, spread over the track.
    """

    start: float
    end: float
    seconds: float
    box: Box
    score: float | None
    probabilities: tuple[float, float]
    uncertain: bool
    best_time: float
    best_box: Box
    faces: int
    more: tuple[tuple[float, Box], ...] = ()

    @property
    def name(self) -> str:
        """The label's name, ``female`` or ``male``: male from a probability of one half on."""
        return LABELS[int(self.probabilities[1] >= 0.5)]

    def as_face(self) -> FacePrediction:
        """Return the answer as that of a face in the best frame."""
        return FacePrediction(
            Face(self.best_box, None, self.score), self.probabilities, self.uncertain
        )

    def to_json(self) -> dict[str, Any]:
        """Return the form of the JSON contract: an element of ``tracks``."""
        pair = zip(LABELS, self.probabilities, strict=True)
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "seconds": round(self.seconds, 3),
            "box": [round(side) for side in self.box],
            "score": None if self.score is None else round(self.score, 4),
            "label": self.name,
            "probabilities": {name: round(p, 6) for name, p in pair},
            "uncertain": self.uncertain,
            "best": _moment(self.best_time, self.best_box),
            "more": [_moment(*one) for one in self.more],
        }


@dataclass(frozen=True, slots=True)
class VideoPrediction:
    """The answer for one video.

    Attributes:
        path: the video's path.
        seconds: how much of it was looked at.
        fps: frames looked at per second.
        tracks: in the order in which they begin.
        error: why it, or a part of it, could not be read; what was read is kept.
    """

    path: str | None
    seconds: float
    fps: float
    tracks: tuple[TrackPrediction, ...]
    error: VideoError | None = None

    @property
    def screen_time(self) -> ScreenTime:
        """Seconds in which women, men and uncertain faces are seen."""
        return ScreenTime.of((t.name, t.uncertain, t.seconds) for t in self.tracks)

    @property
    def faces(self) -> tuple[FacePrediction, ...]:
        """Its tracks, each as the face of its best frame: a video counts as a photo of these."""
        return tuple(track.as_face() for track in self.tracks)

    def to_json(self) -> dict[str, Any]:
        """Return the form of the JSON contract: an element of ``photos``."""
        path = self.path
        if path is not None:
            path = path.encode("utf-8", "backslashreplace").decode("utf-8")
        return {
            "path": path,
            "error": None if self.error is None else self.error.message,
            "seconds": round(self.seconds, 3),
            "fps": round(self.fps, 3),
            "tracks": [track.to_json() for track in self.tracks],
            "screen_time": self.screen_time.to_json(),
        }


Answer = Prediction | VideoPrediction
"""The answer for a photo or a video: an element of ``photos`` in the JSON contract."""


@dataclass(frozen=True, slots=True)
class FrameFaces:
    """The faces of one frame.

    Attributes:
        time: seconds from the beginning of the video.
        faces: largest first, in pixels of the upright video.
        tracks: number of each face's track, from 1: its place in `VideoPrediction.tracks`.
        crops: uint8 (height, width, 3) each; None where the frame comes from a journal, which keeps
            the best ones only.
        best: whether each face is the best of its track so far.
    """

    time: float
    faces: tuple[FacePrediction, ...]
    tracks: tuple[int, ...]
    crops: Sequence[Photo | None]
    best: tuple[bool, ...]


OnFrame = Callable[[FrameFaces], None]


def predict_video(
    predictor: Predictor,
    path: str | os.PathLike[str],
    sampling: Sampling | None = None,
    *,
    on_progress: OnProgress | None = None,
    on_frame: OnFrame | None = None,
    journal: VideoJournal | None = None,
) -> VideoPrediction:
    """Follow the faces of a video, and tell the perceived gender of each.

    A video that cannot be read does not raise: the answer says why, and keeps what was read.

    Args:
        predictor: a loaded model.
        path: a video, or an animated GIF, WebP or AVIF.
        sampling: the frames to look at; None means five a second.
        on_progress: see `OnProgress`.
        on_frame: told of every frame's faces, in order.
        journal: keeps the frames, and those of an earlier run, which are not read again.
    """
    sampling = sampling or Sampling()
    name = os.fspath(path)
    try:
        begun = (None, None) if journal is None else (journal.last, journal.lost)
        with open_footage(path, sampling, *begun) as video:
            return _Run(predictor, video, sampling, on_progress, on_frame, journal).answer(name)
    except VideoError as error:
        return VideoPrediction(name, 0.0, 0.0, (), error)


class _Run:
    """One video on its way from frames to tracks."""

    def __init__(
        self,
        predictor: Predictor,
        video: Footage,
        sampling: Sampling,
        on_progress: OnProgress | None,
        on_frame: OnFrame | None,
        journal: VideoJournal | None,
    ) -> None:
        self._predictor, self._video, self._sampling = predictor, video, sampling
        self._on_progress, self._on_frame = on_progress, on_frame
        self._journal = journal if isinstance(video, Video) else None
        self._tracker = Tracker()
        self._ended: list[TrackPrediction] = []
        self._numbers: list[int] = []
        self._frames = 0
        self._error: VideoError | None = None

    def answer(self, name: str) -> VideoPrediction:
        """Read the video to its end."""
        self._replay()
        predictor = self._predictor
        find = partial(
            _find,
            geometry=predictor.bundle.geometry,
            detector=_frame_detector(predictor.detector, self._video),
        )
        waiting: list[tuple[Frame, _FoundFaces]] = []
        threads = predictor.workers or cores()
        for frame, found in threaded_map(find, self._frames_read(), threads):
            waiting.append((replace(frame, pixels=_NOTHING), found))
            if sum(len(f.faces) for _, f in waiting) >= BATCH or len(waiting) >= BATCH:
                self._follow(waiting)
                waiting = []
        self._follow(waiting)
        last = self._tracker.time
        start = self._sampling.start
        until = start if last is None else max(last, self._video.until)
        self._keep(self._tracker.finish(min(until, self._video.cut_after or until)))
        order = np.argsort(self._numbers)
        seconds = max(0.0, until - start)
        return VideoPrediction(
            name,
            seconds,
            self._frames / seconds if seconds else 0.0,
            tuple(self._ended[i] for i in order),
            self._error or self._video.error or self._nothing_there(last),
        )

    def _nothing_there(self, last: float | None) -> VideoError | None:
        """Tell that the video ends before the start that was asked for."""
        start = self._sampling.start
        if last is not None or not start:
            return None
        known = self._video.seconds
        ends = "" if known is None else f": it ends at {clock(known)}"
        return VideoError(f"nothing from {clock(start)} on{ends}")

    def _frames_read(self) -> Iterator[Frame]:
        try:
            yield from self._video.frames()
        except VideoError as error:
            self._error = error

    def _follow(self, waiting: list[tuple[Frame, _FoundFaces]]) -> None:
        """Judge the faces of some frames together and join them to tracks."""
        crops = [found.crops for _, found in waiting if len(found.crops)]
        answers = iter(self._predictor.classify(np.concatenate(crops)) if crops else ())
        for frame, found in waiting:
            larger = 1 / self._video.scale
            seen = [
                Sighting(
                    self._predictor.answer_for(face.scaled(larger, larger), next(answers)),
                    looks,
                    weight,
                )
                for face, looks, weight in zip(found.faces, found.looks, found.weights, strict=True)
            ]
            best = self._join(frame.time, frame.change, tuple(seen), list(found.crops))
            kept = [crop if b else None for crop, b in zip(found.crops, best, strict=True)]
            self._note(frame, seen, kept)
        if self._journal is not None:
            self._journal.flush()
        if self._on_progress is not None and waiting:
            self._on_progress(self._tracker.time or 0.0, self._video.seconds)

    def _join(
        self, time: float, change: Change, seen: tuple[Sighting, ...], crops: Sequence[Photo | None]
    ) -> tuple[bool, ...]:
        """Join the faces of the next frame to tracks; return which are the best of theirs."""
        self._frames += 1
        tracks, best, ended = self._tracker.update(time, change, seen)
        self._keep(ended)
        if self._on_frame is not None:
            numbers = tuple(track.number for track in tracks)
            faces = tuple(one.face for one in seen)
            self._on_frame(FrameFaces(time, faces, numbers, crops, tuple(best)))
        return tuple(best)

    def _replay(self) -> None:
        """Follow the frames that an earlier run read."""
        if self._journal is None or not isinstance(self._video, Video):
            return
        lost = None
        for frame in self._journal.frames():
            lost = frame.lost
            self._join(frame.time, frame.change, frame.sightings, frame.crops)
        if lost is not None:
            count, first, latest = lost
            self._video.lost[:] = [*[first] * (count - 1), latest]

    def _note(self, frame: Frame, seen: Sequence[Sighting], crops: Sequence[Photo | None]) -> None:
        """Write a frame into the journal."""
        if self._journal is None or not isinstance(self._video, Video):
            return
        if not self._video.steady:
            self._journal.stop()
            return
        times = self._video.lost
        count = bisect_left(times, frame.time - 1e-6)
        lost = (count, times[0], times[count - 1]) if count else None
        self._journal.add(JournalFrame(frame.time, frame.change, lost, tuple(seen), tuple(crops)))

    def _keep(self, ended: list[Track]) -> None:
        for track in ended:
            self._numbers.append(track.number)
            self._ended.append(_answer(track, self._predictor.threshold))


@dataclass(frozen=True, slots=True)
class _FoundFaces:
    """The faces of one frame, before they are judged."""

    faces: list[Face]
    crops: Crops
    looks: list[Looks]
    weights: list[float]


def _find(frame: Frame, geometry: Geometry, detector: Detector) -> _FoundFaces:
    """Detect the faces of a frame; what threads do."""
    found = find_faces(frame.pixels, geometry, detector)
    return _FoundFaces(
        found.faces,
        found.crops,
        [looks_of(crop) for crop in found.crops],
        [weight_of(face, crop) for face, crop in zip(found.faces, found.crops, strict=True)],
    )


def _frame_detector(detector: Detector, video: Footage) -> Detector:
    """The detector for a video's frames, which may be smaller than the video's own."""
    if not isinstance(detector, FaceDetector):
        return detector
    longer = max(video.size) * video.scale
    if detector.min_face is not None:
        return replace(detector, min_face=max(1, round(detector.min_face * video.scale)))
    return replace(detector, min_face=max(MIN_FACE, round(longer / LEAST_SHARE)))


def _answer(track: Track, threshold: float) -> TrackPrediction:
    male = track_probability(track)
    pair = (1 - male, male)
    _, time, box = track.best
    x, y, width, height = (float(side) for side in track.boxes / track.faces)
    return TrackPrediction(
        start=track.start,
        end=track.end,
        seconds=track.seconds,
        box=(x, y, width, height),
        score=None if track.score is None else track.score / track.faces,
        probabilities=pair,
        uncertain=max(pair) < threshold,
        best_time=time,
        best_box=box,
        faces=track.faces,
        more=tuple(track.others()),
    )


def _moment(time: float, box: Box) -> dict[str, Any]:
    return {"time": round(time, 3), "box": [round(side) for side in box]}
