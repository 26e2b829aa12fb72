"""The predictor. TensorFlow is only imported if a model has no LiteRT file."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import IOBase, TextIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeGuard

import numpy as np

from facegender.errors import PhotoError, UsageError
from facegender.faces.crop_cache import Crops
from facegender.faces.detection import AsCropped, Detector, check_detection, detector_for
from facegender.faces.extraction import SOURCES, Found, Source, find_keyed_faces
from facegender.faces.geometry import Face
from facegender.images.decode import pixels_of
from facegender.labels import LABELS
from facegender.models.bundle import Bundle, load_bundle
from facegender.models.default_model import choose_model
from facegender.models.inference import BATCH, Probabilities, load_network, run_network
from facegender.options import check_number, check_workers
from facegender.runtime.parallel import Key, Ready

if TYPE_CHECKING:
    from PIL.Image import Image

Given = Source | bytearray | memoryview | IO[bytes] | Any
"""A photo as `Predictor.predict` accepts it; `Any` stands for a Pillow image."""
LATEST = 0.2
"""Seconds after which pending photos are answered, however few, so that progress is visible."""
SINGLE = (str, os.PathLike, bytes, bytearray, memoryview, IOBase)
"""Types that are a single photo, although some are iterable."""


@dataclass(frozen=True, slots=True)
class FacePrediction:
    """The prediction for a face.

    Attributes:
        face: the detected face.
        probabilities: of female and of male, in the order of `LABELS`; they sum to 1.
        uncertain: whether the larger one is below the threshold, or it is unclear which side of
            the face is up.
    """

    face: Face
    probabilities: tuple[float, float]
    uncertain: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x, y, width, height) in pixels of the upright photo, clipped to it.

        ``face.box`` is the box as it was found, which may reach beyond the photo's edge; so is
        that of the JSON.
        """
        return self.face.visible_box

    @property
    def landmarks(self) -> tuple[tuple[float, float], ...] | None:
        """Points (x, y) that the detector gave: eyes, nose, corners of the mouth; or None."""
        return self.face.landmarks

    @property
    def score(self) -> float | None:
        """The detector's confidence, 0 to 1; None without detection."""
        return self.face.score

    @property
    def roll(self) -> float | None:
        """Degrees by which the face is turned clockwise in the photo; see `Face`."""
        return self.face.roll

    @property
    def label(self) -> int:
        """0 = female, 1 = male: male if its probability is at least one half."""
        return int(self.probabilities[1] >= 0.5)

    @property
    def name(self) -> str:
        """The label's name, ``female`` or ``male``."""
        return LABELS[self.label]

    def to_json(self) -> dict[str, Any]:
        """Return the form of the JSON contract."""
        face = self.face
        return {
            "box": [round(side) for side in face.box],
            "landmarks": None
            if face.landmarks is None
            else [[round(x, 1), round(y, 1)] for x, y in face.landmarks],
            "score": None if face.score is None else round(face.score, 4),
            "roll": None if face.roll is None else round(face.roll, 1),
            "label": self.name,
            "probabilities": {
                name: round(p, 6) for name, p in zip(LABELS, self.probabilities, strict=True)
            },
            "uncertain": self.uncertain,
        }


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for a photo.

    Attributes:
        path: the photo's path, None for bytes and arrays.
        faces: largest first; empty if no face was found or the photo could not be used.
        error: why the photo could not be used, or None.
    """

    path: str | None
    faces: tuple[FacePrediction, ...]
    error: PhotoError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form of the JSON contract: an element of ``photos``."""
        path = self.path
        if path is not None:
            path = path.encode("utf-8", "backslashreplace").decode("utf-8")
        return {
            "path": path,
            "error": None if self.error is None else self.error.message,
            "faces": [face.to_json() for face in self.faces],
        }


class Predictor:
    """Estimates the perceived gender of faces.

    Threads may share a predictor: faces are detected concurrently, and the network runs one call
    at a time.

    Args:
        model: a model folder; None means ``$FACEGENDER_MODEL``, else ``./gender_model`` if it
            exists, else the bundled model.
        threshold: probability of the likelier gender below which a face is ``uncertain``, 0.5 to
            1; None means the model's own.
        workers: processes that read photos, and threads of a network without face detection; None
            means one per core.
        detect: detect faces if the model needs it; False takes each photo as one face.
        min_face: minimum width of a face in pixels of the photo; see `FaceDetector`.
        min_score: minimum score of a face, 0 to 1.

    Raises:
        BundleError: the model is missing, damaged or incompatible.
        UsageError: a number out of range.
        FaceGenderError: the model needs a face detector and none is installed.

    Example:
        >>> from facegender import Predictor
        >>> for prediction in Predictor().predict(["a.jpg", "b.jpg"]):  # doctest: +SKIP
        ...     print(prediction.path, [face.name for face in prediction.faces])
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        threshold: float | None = None,
        workers: int | None = None,
        detect: bool = True,
        min_face: int | None = None,
        min_score: float | None = None,
    ) -> None:
        check_number("the threshold", threshold, 0.5, 1)
        check_workers(workers)
        check_detection(min_face, min_score)
        folder, self.chosen = choose_model(model)
        self.bundle: Bundle = load_bundle(Path(folder))
        self.threshold = self.bundle.threshold if threshold is None else threshold
        self.detector: Detector = detector_for(
            self.bundle.geometry, detect=detect, min_face=min_face, min_score=min_score
        )
        self._network = load_network(self.bundle, threads=workers)
        self.workers = workers

    @property
    def other_detector(self) -> str:
        """Name of the detector that the model was trained with where this is another, else ""."""
        theirs = self.bundle.manifest.get("finder")
        ours = self.detector.name
        return str(theirs) if theirs and ours and theirs != ours else ""

    def detector_of(self, *, cropped: bool) -> Detector:
        """Return the detector for photos, or for those cropped to the model's geometry before."""
        return AsCropped(self.bundle.geometry.size) if cropped else self.detector

    def classify(self, crops: Crops) -> Probabilities:
        """Run the network on crops of the model's geometry.

        Args:
            crops: uint8 (number, height, width, 3).

        Returns:
            float32 (number, 2): probability of female and of male.

        Raises:
            UsageError: crops of another type or size.
        """
        wanted = self.bundle.geometry.shape
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != wanted:
            raise UsageError(
                f"the model takes uint8 crops (number, {', '.join(map(str, wanted))}), "
                f"not {crops.dtype} {crops.shape}",
                "Make them with facegender predict --crops, or pass whole photos to predict.",
            )
        return run_network(self._network, crops)

    def predict(self, sources: Iterable[Given] | Given) -> list[Prediction]:
        """Predict photos.

        Each is a path, the bytes of an image file (bytes, bytearray, memoryview, or a file open
        for reading bytes), a Pillow image, or a uint8 RGB array (height, width, 3). One that
        cannot be used does not raise: its prediction says why.

        Raises:
            UsageError: an object of another type.
        """
        single = isinstance(sources, np.ndarray) and sources.ndim != 4
        if single or isinstance(sources, SINGLE) or _is_image(sources):
            sources = [sources]
        if not isinstance(sources, Iterable) or isinstance(sources, (Mapping, TextIOBase)):
            raise _unusable(sources)
        return list(self.stream(sources))

    def stream(
        self,
        sources: Iterable[Given],
        *,
        cropped: bool = False,
        ready: Ready | None = None,
    ) -> Iterator[Prediction]:
        """Predict any number of photos, in order, in bounded memory.

        Args:
            sources: as for `predict`.
            cropped: the photos were cropped to the model's geometry before.
            ready: returns whether the next source is available. If it is not, pending photos are
                answered before waiting for it. Without it photos are answered in groups.

        Raises:
            UsageError: a single photo instead of several, or an object that is not a photo.
        """
        if isinstance(sources, SINGLE) or _is_image(sources):
            raise UsageError("stream takes several photos, not one", "Use predict, or give a list.")
        photos = ((None, source) for source in sources)
        for _, prediction in self.stream_keyed(photos, cropped=cropped, ready=ready):
            yield prediction

    def stream_keyed(
        self,
        photos: Iterable[tuple[Key, Given]],
        *,
        cropped: bool = False,
        ready: Ready | None = None,
    ) -> Iterator[tuple[Key, Prediction]]:
        """Yield (key, prediction) for every (key, source); see `stream`.

        Args:
            photos: a key, which is anything that tells the caller whose answer it is, and a
                source as for `predict`.
            cropped, ready: as for `stream`.
        """
        waiting: list[tuple[tuple[Key, str | None], Found]] = []
        faces, answered = 0, time.monotonic()
        located = find_keyed_faces(
            _named(photos),
            self.bundle.geometry,
            detector=self.detector_of(cropped=cropped),
            workers=self.workers,
            ready=ready,
        )
        for key, found in located:
            waiting.append((key, found))
            faces += len(found.faces)
            starved = ready is not None and not ready()
            late = time.monotonic() - answered >= LATEST
            if starved or late or faces >= BATCH or len(waiting) >= 4 * BATCH:
                yield from self._answer(waiting)
                waiting, faces, answered = [], 0, time.monotonic()
        yield from self._answer(waiting)

    def _answer(
        self, waiting: list[tuple[tuple[Key, str | None], Found]]
    ) -> Iterator[tuple[Key, Prediction]]:
        """Run the network on the crops of several photos at once."""
        crops = [found.crops for _, found in waiting if len(found.crops)]
        answers = iter(run_network(self._network, np.concatenate(crops)) if crops else ())
        for (key, path), found in waiting:
            faces = tuple(self.answer_for(face, next(answers)) for face in found.faces)
            yield key, Prediction(path, faces, found.error)

    def answer_for(self, face: Face, probabilities: Any) -> FacePrediction:
        """Return the prediction for a face from a row of the result of `classify`."""
        pair = float(probabilities[0]), float(probabilities[1])
        return FacePrediction(face, pair, face.orientation_unclear or max(pair) < self.threshold)


def _unusable(source: object) -> UsageError:
    return UsageError(
        f"cannot predict a {type(source).__name__}",
        "Give paths, bytes of image files, Pillow images or uint8 RGB arrays (height, width, 3).",
    )


def _is_image(given: object) -> TypeGuard[Image]:
    """Return whether it is a Pillow image, without importing Pillow."""
    image = sys.modules.get("PIL.Image")
    return image is not None and isinstance(given, image.Image)


def _source_of(given: object) -> Source:
    """Convert a photo to a path, bytes or an array, or to the reason why that is impossible."""
    if isinstance(given, SOURCES):
        return given
    if isinstance(given, (bytearray, memoryview)):
        return bytes(given)
    if _is_image(given):
        try:
            return pixels_of(given)
        except PhotoError as error:
            return error
    if isinstance(given, IOBase) and not isinstance(given, TextIOBase):
        return bytes(given.read())
    raise _unusable(given)


def _named(
    photos: Iterable[tuple[Key, Given]],
) -> Iterator[tuple[tuple[Key, str | None], Source]]:
    """Add the path of its photo to every key, None if it has none."""
    for key, given in photos:
        named = isinstance(given, (str, os.PathLike))
        yield (key, os.fspath(given) if named else None), _source_of(given)  # type: ignore[arg-type]
