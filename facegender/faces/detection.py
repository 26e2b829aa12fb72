"""Face detection: finds the faces of a photo, largest first.

`FaceDetector` turns a backend into a detector: it chooses the scales, tries again with margins if
a photo may be one tight face, verifies doubtful faces, and removes duplicates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from facegender.errors import PhotoError
from facegender.faces.backends import BACKENDS, default_backend, load_backend
from facegender.faces.geometry import Face, Geometry
from facegender.faces.looks import (
    OVERLAP,
    fills,
    lies_inside,
    scaled_size,
    search_at,
    search_in_tiles,
    search_with_margin,
    second_look,
    shared_part,
)
from facegender.faces.orientation import TURNED, settle, settle_hint, turned_back
from facegender.faces.plain import NOTHING, FirstSearch, first_search
from facegender.images.decode import Photo
from facegender.options import check_choice, check_number

MIN_FACE: Final = 24
"""Default minimum width of a face, in pixels of the photo."""
MIN_SCORE: Final = 0.6
"""Default minimum score of a face."""
SURE: Final = 0.81
"""A face with a lower score is verified alone, and keeps the lower of both scores."""
FINE_SIDE: Final = 1280
FINE_AREA: Final = 1280 * 720
"""Maximum side and area at which a photo is searched first unless `min_face` is given. The larger
of both applies, so that a long thin photo keeps its width."""
NEAR: Final = 1.5
"""If a face is found that is, at the searched size, less than so many times as wide as the
backend's minimum, there may be smaller ones."""
ROUNDING: Final = 0.9
"""Tolerance of the minimum width: boxes are in whole pixels of a scaled photo."""
LARGEST_SIDE: Final = 30_000
"""Maximum side at which any photo is searched: libfacedetection uses 16-bit coordinates."""
COARSE_SIDE: Final = 256
"""Maximum side at which large faces are searched."""
WIDEST: Final = 1.25
"""Large faces are searched in photos whose shorter side is so many times the backend's most: a
face that fills a smaller photo is found by the second try."""
LOOKS: Final = ((0.4, "constant"), (0.15, "constant"), (0.8, "constant"), (0.15, "edge"))
"""The margins of that try, the first, and of the looks of a last one for a face that fills the
photo: shares of the longer side, black or drawn out of the photo's edge. Profiles waver from look
to look as things do that resemble a face, but less."""
WAVERING: Final = 0.1
"""The mean of the best scores of all looks may be lower than the minimum score by this."""
HOPELESS: Final = 0.25
"""With a lower score in the first look there are no others: it is so in 97 of 100 photos of
things."""
SAME: Final = 0.3
"""Overlap with a face beyond which a weak detection is not another face."""
HINT: Final = 0.2
"""Least score of what may be a face that is turned; upright portraits show nothing else of it."""


def check_detection(min_face: int | None, min_score: float | None) -> None:
    """Check that `min_face` is at least one pixel and `min_score` between 0 and 1.

    Raises:
        UsageError: a number out of range.
    """
    check_number("--min-face", min_face, 1, what="pixel")
    check_number("--min-score", min_score, 0, 1)


class Detector(Protocol):
    """Detects the faces of a photo, largest first; an empty list means no face.

    Detectors are picklable, and equal if they give the same results.
    """

    @property
    def name(self) -> str | None:
        """Name of the backend; None without detection."""

    def describe(self) -> dict[str, Any]:
        """Return what determines the faces found: ``finder``, ``min_face``, ``min_score``."""

    def decode_size(self, size: tuple[int, int], crop: tuple[int, int], /) -> tuple[int, int]:
        """Return the minimum (width, height) at which a photo has to be decoded.

        Args:
            size: (width, height) of the whole photo.
            crop: (width, height) of the crops.
        """

    def needs_more(self, size: tuple[int, int], faces: list[Face], /) -> bool:
        """Return whether a photo that was decoded at a reduced size must be searched at full size.

        Args:
            size: (width, height) of the whole photo.
            faces: what was found, in pixels of the whole photo.
        """

    def __call__(self, photo: Photo, size: tuple[int, int] | None = None, /) -> list[Face]:
        """Return the faces in pixels of `photo`.

        Args:
            photo: upright uint8 RGB (height, width, 3).
            size: (width, height) of the whole photo where `photo` was decoded at less.
        """


@dataclass(frozen=True, slots=True)
class WholePhoto:
    """Takes every photo as one face."""

    @property
    def name(self) -> str | None:
        """None: there is no detection."""
        return None

    def describe(self) -> dict[str, Any]:
        """Return the facts of `Detector.describe`, all None."""
        return {"finder": None, "min_face": None, "min_score": None}

    def decode_size(self, _size: tuple[int, int], crop: tuple[int, int], /) -> tuple[int, int]:
        """Return `crop`."""
        return crop

    def needs_more(self, _size: tuple[int, int], _faces: list[Face], /) -> bool:
        """Return False."""
        return False

    def __call__(self, photo: Photo, _size: tuple[int, int] | None = None, /) -> list[Face]:
        """Return the whole photo as one face."""
        height, width = photo.shape[:2]
        return [Face((0.0, 0.0, float(width), float(height)))]


whole_photo: Final = WholePhoto()
"""The only instance needed."""


@dataclass(frozen=True, slots=True)
class FaceDetector:
    """Detects the faces of a photo, largest first.

    It is small enough to be sent to other processes, where its backend is loaded once.

    Attributes:
        backend: a name in `BACKENDS`.
        min_face: minimum width of a face in pixels of the photo. None means `MIN_FACE`, but in
            photos longer than `FINE_SIDE` the width that stays findable after scaling to that.
        min_score: minimum score, 0 to 1.
    """

    backend: str
    min_face: int | None = None
    min_score: float = MIN_SCORE

    def __post_init__(self) -> None:
        check_choice("detector", self.backend, BACKENDS)
        check_detection(self.min_face, self.min_score)

    @property
    def name(self) -> str | None:
        """Name of the backend."""
        return self.backend

    def describe(self) -> dict[str, Any]:
        """Return the facts of `Detector.describe`."""
        return {"finder": self.backend, "min_face": self.min_face, "min_score": self.min_score}

    def decode_size(self, size: tuple[int, int], _crop: tuple[int, int], /) -> tuple[int, int]:
        """Return the size at which the photo is searched."""
        return self.wanted_size(size)

    def wanted_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (width, height) at which a photo of (width, height) is searched."""
        scale = min(1.0, load_backend(self.backend).min_face / (self.min_face or MIN_FACE))
        scale = min(scale, LARGEST_SIDE / max(size))
        if self.min_face is None:
            width, height = size
            area = math.sqrt(FINE_AREA / (width * height))
            scale = min(scale, max(FINE_SIDE / max(size), area))
        return scaled_size(size, scale)

    def needs_more(
        self,
        size: tuple[int, int],
        faces: list[Face],
        /,
        searched: tuple[int, int] | None = None,
    ) -> bool:
        """Return whether smaller faces must be searched for.

        They must if a large photo seems to have none, or faces close to the minimum size.
        """
        searched = searched or self.wanted_size(size)
        if self.min_face is not None or searched[0] >= self._finest(size)[0]:
            return False
        near = NEAR * load_backend(self.backend).min_face * size[0] / searched[0]
        return not faces or min(min(face.box[2:]) for face in faces) < near

    def _finest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size at which faces of `MIN_FACE` are found."""
        scale = min(load_backend(self.backend).min_face / MIN_FACE, LARGEST_SIDE / max(size))
        return scaled_size(size, scale)

    def __call__(self, photo: Photo, size: tuple[int, int] | None = None) -> list[Face]:
        """Detect faces.

        Args:
            photo: upright uint8 RGB (height, width, 3).
            size: (width, height) of the whole photo where `photo` was decoded at less.

        Returns:
            faces in pixels of `photo`, largest first; empty if there is none.
        """
        whole = size or (photo.shape[1], photo.shape[0])
        backend, first = load_backend(self.backend), self._first_search(photo, whole)
        if first.plain:
            return [settle(backend, photo, face, upright=True) for face in first.plain]
        faces = self._settled(photo, self._search(photo, whole), whole, first)
        if not faces:
            tight = search_with_margin(backend, photo, *LOOKS[0])
            faces = self._settled(photo, tight, whole) or self._filling(photo, tight, whole)
        turns = {round(f.roll / 90) % 4 for f in faces if f.roll is not None} - {0}
        for turn in sorted(turns) if faces else (1, 2, 3):
            faces = self._one_each([*faces, *self._in_turn(photo, turn, whole)])
        if whole == (photo.shape[1], photo.shape[0]):
            faces = self._finer(photo, faces)
        return sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True)

    def _first_search(self, photo: Photo, whole: tuple[int, int]) -> FirstSearch:
        """Search a whole small photo cheaply, unless `min_face` asks for every small face."""
        own = (photo.shape[1], photo.shape[0])
        if self.min_face is not None or whole != own:
            return NOTHING
        return first_search(load_backend(self.backend), photo, self.wanted_size(own))

    def _search(self, photo: Photo, whole: tuple[int, int]) -> list[Face]:
        """Run the backend at the scales that the photo needs; all that it finds, in any order."""
        backend, own = load_backend(self.backend), (photo.shape[1], photo.shape[0])
        fine = self.wanted_size(whole)
        if max(fine) > max(own):
            fine = own
        found = search_at(backend, photo, fine)
        if min(fine) > WIDEST * backend.max_face:
            found = [face for face in found if face.box[2] * fine[0] <= backend.max_face * own[0]]
            found += search_at(backend, photo, scaled_size(own, COARSE_SIDE / max(own)))
        return found

    def _finer(self, photo: Photo, faces: list[Face]) -> list[Face]:
        """Search at twice the size, as often as smaller faces may be there."""
        backend, own = load_backend(self.backend), (photo.shape[1], photo.shape[0])
        size, finest = self.wanted_size(own), self._finest(own)
        while self.needs_more(own, faces, size):
            size = min((2 * size[0], 2 * size[1]), finest)
            found = self._kept(photo, search_in_tiles(backend, photo, size), own)
            faces = self._one_each([*faces, *(settle(backend, photo, face) for face in found)])
        return faces

    def _settled(
        self,
        photo: Photo,
        found: list[Face],
        whole: tuple[int, int],
        first: FirstSearch = NOTHING,
    ) -> list[Face]:
        """Keep the faces that count, each as it is turned, and the turned ones among the rest.

        A face on its side may have too low a score as it is, but rarely none at all.
        """
        backend = load_backend(self.backend)
        faces = [
            settle(backend, photo, face, upright=first.shows_upright(face))
            for face in self._kept(photo, found, whole)
        ]
        min_width = (self.min_face or 1) * photo.shape[1] / whole[0]
        for hint in sorted(found, key=lambda face: face.confidence, reverse=True):
            if hint.confidence < HINT or any(shared_part(hint, face) > SAME for face in faces):
                continue
            seen = settle_hint(backend, photo, hint)
            if seen and seen.confidence >= self.min_score and seen.box[2] >= ROUNDING * min_width:
                faces.append(seen)
        return self._one_each(faces)

    def _in_turn(self, photo: Photo, turn: int, whole: tuple[int, int]) -> list[Face]:
        """Search the photo turned back by so many right angles; faces in pixels of `photo`."""
        spun = np.ascontiguousarray(np.rot90(photo, turn))
        size = whole if turn == 2 else whole[::-1]
        found = self._settled(spun, self._search(spun, size), size)
        faces = [face for face in found if face.confidence >= TURNED]
        pivot, middle = ((picture.shape[1] / 2, picture.shape[0] / 2) for picture in (spun, photo))
        return [turned_back(face, 90.0 * turn, pivot, middle) for face in faces]

    @staticmethod
    def _one_each(faces: list[Face]) -> list[Face]:
        """Of overlapping faces, keep the one with the highest score."""
        kept: list[Face] = []
        for face in sorted(faces, key=lambda face: face.confidence, reverse=True):
            if all(shared_part(face, other) <= OVERLAP for other in kept):
                kept.append(face)
        return kept

    def _filling(self, photo: Photo, first: list[Face], whole: tuple[int, int]) -> list[Face]:
        """Return the face that fills the photo, if further detections agree with the first."""
        backend, own = load_backend(self.backend), (photo.shape[1], photo.shape[0])
        min_width = (self.min_face or 1) * own[0] / whole[0]
        filling = [face for face in first if fills(face, own)]
        best = max(filling, key=lambda face: face.confidence, default=None)
        if best is None or best.confidence < HOPELESS:
            return []
        total = best.confidence
        for margin, border in LOOKS[1:]:
            found = [f for f in search_with_margin(backend, photo, margin, border) if fills(f, own)]
            total += max((face.confidence for face in found), default=0.0)
            best = max([best, *found], key=lambda face: face.confidence)
        steady = total / len(LOOKS) >= self.min_score - WAVERING
        wide = best.box[2] >= ROUNDING * min_width
        return [best] if steady and wide and best.confidence >= self.min_score else []

    def _kept(self, photo: Photo, faces: list[Face], whole: tuple[int, int]) -> list[Face]:
        """Drop faces with a low score, small ones, those outside the photo, and duplicates."""
        backend, own = load_backend(self.backend), (photo.shape[1], photo.shape[0])
        min_width = (self.min_face or 1) * own[0] / whole[0]
        sure = sorted(
            (
                f
                for f in faces
                if f.confidence >= self.min_score and f.box[2] >= ROUNDING * min_width
            ),
            key=lambda face: face.confidence,
            reverse=True,
        )
        kept: list[Face] = []
        for face in sure:
            if not lies_inside(face, own) or any(
                shared_part(face, other) > OVERLAP for other in kept
            ):
                continue
            confirmed = face if face.confidence >= SURE else second_look(backend, photo, face)
            if confirmed.confidence >= self.min_score:
                kept.append(confirmed)
        return kept


@dataclass(frozen=True, slots=True)
class AsCropped(WholePhoto):
    """Takes photos that are crops already, and refuses those of another size.

    Attributes:
        size: (width, height) of the crops.
    """

    size: tuple[int, int]

    def __call__(self, photo: Photo, size: tuple[int, int] | None = None, /) -> list[Face]:
        """Return the whole photo as one face.

        Raises:
            PhotoError: it has another size, so it is not such a crop.
        """
        height, width = photo.shape[:2]
        own = size or (width, height)
        if own != self.size:
            raise PhotoError(
                "another size",
                f"{own[0]}x{own[1]} pixels, but the crops of this table have "
                f"{self.size[0]}x{self.size[1]}",
            )
        return whole_photo(photo)


def detector_for(
    geometry: Geometry,
    *,
    detect: bool = True,
    min_face: int | None = None,
    min_score: float | None = None,
) -> Detector:
    """Return the detector for a crop geometry.

    Args:
        geometry: of the model.
        detect: False takes every photo as one face, whatever the geometry.
        min_face, min_score: see `FaceDetector`.
    """
    if not (detect and geometry.finds):
        return whole_photo
    return FaceDetector(default_backend(), min_face, MIN_SCORE if min_score is None else min_score)
