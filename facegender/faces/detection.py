"""Detection: photo -> faces, largest first.

`FaceDetector` makes a detector of a backend: it chooses the scales, tries again with margins where
a photo is one tight face, has a second look at doubtful faces, and removes duplicates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
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
from facegender.faces.orientation import STEP, TURNED, settle, turned_back
from facegender.images.decode import Photo
from facegender.options import check_choice, check_number

MIN_FACE: Final = 24
"""Least width of a face, in pixels of the photo, that is looked for unless asked otherwise."""
MIN_SCORE: Final = 0.6
"""Least score of a face unless asked otherwise."""
SURE: Final = 0.81
"""A face with a lower score is looked at once more, alone, and keeps the lower of both scores."""
FINE_SIDE: Final = 1280
FINE_AREA: Final = 1280 * 720
"""Longest side and area at which a photo is searched first unless a least face is asked for; the
larger of both counts, so that a long thin photo keeps its width."""
NEAR: Final = 1.5
"""Where a face is found that is, as it was searched, less than so many times as wide as the
backend's least, there may be smaller ones."""
ROUNDING: Final = 0.9
"""A face of the least width may be measured a little narrower: boxes are whole pixels of a
scaled photo."""
LARGEST_SIDE: Final = 30_000
"""No photo is searched at more, whatever is asked for: libfacedetection counts in 16 bits."""
COARSE_SIDE: Final = 256
"""Longest side at which large faces are searched."""
WIDEST: Final = 1.25
"""Large faces are searched in photos whose shorter side is so many times the backend's most: a
face that fills a smaller photo is found by the second try."""
LOOKS: Final = ((0.4, "constant"), (0.15, "constant"), (0.8, "constant"), (0.15, "edge"))
"""The margins of that try, the first, and of the looks of a last one for a face that fills the
photo: shares of the longer side, black or drawn out of the photo's edge. Profiles waver from look
to look as things do that resemble a face, but less."""
WAVERING: Final = 0.1
"""The mean of the best scores of all looks may be so much lower than the least score."""
HOPELESS: Final = 0.25
"""With a lower score in the first look there are no others: it is so in 97 of 100 photos of
things."""
SAME: Final = 0.3
"""A weak detection that shares more than this with a face is not another face."""
HINT: Final = 0.2
"""Least score of what may be a face that is turned; upright portraits show nothing else of it."""


def check_detection(min_face: int | None, min_score: float | None) -> None:
    """Refuse a least face below one pixel and a least score outside of 0 to 1.

    Raises:
        UsageError: a number out of range.
    """
    check_number("--min-face", min_face, 1, what="pixel")
    check_number("--min-score", min_score, 0, 1)


class Detector(Protocol):
    """Finds the faces of a photo, largest first; an empty list means no face.

    Detectors are picklable, and equal where they find the same.
    """

    @property
    def name(self) -> str | None:
        """Name of the backend that searches; None where no face is searched for."""

    def describe(self) -> dict[str, Any]:
        """Return what decides which faces are found: ``finder``, ``min_face``, ``min_score``."""

    def decode_size(self, size: tuple[int, int], crop: tuple[int, int], /) -> tuple[int, int]:
        """Return the least (width, height) at which a photo has to be decoded.

        Args:
            size: (width, height) of the whole photo.
            crop: (width, height) of the crops that are wanted.
        """

    def needs_more(self, size: tuple[int, int], faces: list[Face], /) -> bool:
        """Tell whether a photo that was decoded at less must be searched whole after all.

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
    """Takes every photo as one face, as it is."""

    @property
    def name(self) -> str | None:
        """None: nothing is searched for."""
        return None

    def describe(self) -> dict[str, Any]:
        """Return the facts of `Detector.describe`, all None."""
        return {"finder": None, "min_face": None, "min_score": None}

    def decode_size(self, _size: tuple[int, int], crop: tuple[int, int], /) -> tuple[int, int]:
        """Return `crop`: no more is needed."""
        return crop

    def needs_more(self, _size: tuple[int, int], _faces: list[Face], /) -> bool:
        """Return False."""
        return False

    def __call__(self, photo: Photo, _size: tuple[int, int] | None = None, /) -> list[Face]:
        """Return the whole photo as one face."""
        height, width = photo.shape[:2]
        return [Face((0.0, 0.0, float(width), float(height)))]


whole_photo: Final = WholePhoto()
"""The one instance that is needed."""


@dataclass(frozen=True, slots=True)
class FaceDetector:
    """Finds the faces of a photo, largest first.

    Small enough to be sent to another process, where its backend is loaded once.

    Attributes:
        backend: a name in `BACKENDS`.
        min_face: least width of a face in pixels of the photo. None means `MIN_FACE`, but in
            photos longer than `FINE_SIDE` the width that stays findable after scaling to that.
        min_score: least score, 0 to 1.
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
        """Tell whether smaller faces than those found must be looked for.

        That is so where a large photo seems to have none, or some that are hardly large enough.
        """
        searched = searched or self.wanted_size(size)
        if self.min_face is not None or searched[0] >= self._finest(size)[0]:
            return False
        near = NEAR * load_backend(self.backend).min_face * size[0] / searched[0]
        return not faces or min(min(face.box[2:]) for face in faces) < near

    def _finest(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size at which faces of `MIN_FACE` are found."""
        scale = min(load_backend(self.backend).min_face / MIN_FACE, LARGEST_SIDE / max(size))
        return scaled_size(size, scale)

    def __call__(self, photo: Photo, size: tuple[int, int] | None = None) -> list[Face]:
        """Find faces.

        Args:
            photo: upright uint8 RGB (height, width, 3).
            size: (width, height) of the whole photo where `photo` was decoded at less.

        Returns:
            faces in pixels of `photo`, largest first; empty where there is none.
        """
        whole = size or (photo.shape[1], photo.shape[0])
        faces = self._settled(photo, self._search(photo, whole), whole)
        if not faces:
            tight = search_with_margin(load_backend(self.backend), photo, *LOOKS[0])
            faces = self._settled(photo, tight, whole) or self._filling(photo, tight, whole)
        turns = {round(f.roll / 90) % 4 for f in faces if f.roll is not None} - {0}
        for turn in sorted(turns) if faces else (1, 2, 3):
            faces = self._one_each([*faces, *self._in_turn(photo, turn, whole)])
        if whole == (photo.shape[1], photo.shape[0]):
            faces = self._finer(photo, faces)
        return sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True)

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

    def _settled(self, photo: Photo, found: list[Face], whole: tuple[int, int]) -> list[Face]:
        """Keep the faces that count, each as it is turned, and the turned ones among the rest.

        A face on its side may have too low a score as it is, but rarely none at all.
        """
        backend = load_backend(self.backend)
        faces = [settle(backend, photo, face) for face in self._kept(photo, found, whole)]
        least = (self.min_face or 1) * photo.shape[1] / whole[0]
        for hint in sorted(found, key=lambda face: face.confidence, reverse=True):
            if hint.confidence < HINT or any(shared_part(hint, face) > SAME for face in faces):
                continue
            seen = settle(backend, photo, replace(hint, score=min(hint.confidence, HINT)))
            sure = seen.confidence >= max(TURNED, self.min_score) and not seen.orientation_unclear
            if sure and abs(seen.roll or 0.0) > STEP and seen.box[2] >= ROUNDING * least:
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
        """Of faces in the same place, keep the surest."""
        kept: list[Face] = []
        for face in sorted(faces, key=lambda face: face.confidence, reverse=True):
            if all(shared_part(face, other) <= OVERLAP for other in kept):
                kept.append(face)
        return kept

    def _filling(self, photo: Photo, first: list[Face], whole: tuple[int, int]) -> list[Face]:
        """Return the one face that fills the photo, where further looks agree with the first."""
        backend, own = load_backend(self.backend), (photo.shape[1], photo.shape[0])
        least = (self.min_face or 1) * own[0] / whole[0]
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
        wide = best.box[2] >= ROUNDING * least
        return [best] if steady and wide and best.confidence >= self.min_score else []

    def _kept(self, photo: Photo, faces: list[Face], whole: tuple[int, int]) -> list[Face]:
        """Drop the unsure, the small, the ones outside and the duplicates."""
        backend, own = load_backend(self.backend), (photo.shape[1], photo.shape[0])
        least = (self.min_face or 1) * own[0] / whole[0]
        sure = sorted(
            (f for f in faces if f.confidence >= self.min_score and f.box[2] >= ROUNDING * least),
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
    """Takes photos that were cropped before, as they are, and refuses those of another size.

    Attributes:
        size: (width, height) that they were cropped to.
    """

    size: tuple[int, int]

    def __call__(self, photo: Photo, size: tuple[int, int] | None = None, /) -> list[Face]:
        """Return the whole photo as one face.

        Raises:
            PhotoError: it has another size, so it is not the crop that it is taken for.
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
    """Return the detector that a crop geometry needs.

    Args:
        geometry: of the model.
        detect: False takes every photo as one face, whatever the geometry.
        min_face, min_score: see `FaceDetector`.
    """
    if not (detect and geometry.finds):
        return whole_photo
    return FaceDetector(default_backend(), min_face, MIN_SCORE if min_score is None else min_score)
