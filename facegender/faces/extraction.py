"""Detecting and cropping the faces of photos on all cores; used by every command."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from facegender.errors import PhotoError
from facegender.faces.crop_cache import CropCache, Crops
from facegender.faces.detection import Detector, whole_photo
from facegender.faces.geometry import Face, Geometry, crop_face
from facegender.images.decode import (
    KILLED,
    Decoded,
    Photo,
    decode_photo,
    read_bytes,
    refuse_small,
)
from facegender.runtime.parallel import CHUNK, Key, Ready, keyed_map

Source = str | os.PathLike[str] | bytes | Photo | PhotoError
"""A photo: a path, a file's bytes, an upright RGB array, or the error of reading it."""

SOURCES = (str, os.PathLike, bytes, np.ndarray, PhotoError)
"""The types that `Source` means."""


@dataclass(frozen=True, slots=True)
class Found:
    """The faces of one photo.

    Attributes:
        faces: largest first; empty if no face was found.
        crops: uint8 (number of faces, height, width, 3).
        error: why the photo could not be used, or None.
    """

    faces: list[Face]
    crops: Crops
    error: PhotoError | None = None


def find_faces(source: Source, geometry: Geometry, detector: Detector = whole_photo) -> Found:
    """Read a photo, detect its faces and crop them; an unusable photo is returned, not raised.

    Args:
        source: a path, a file's bytes, an upright uint8 RGB array (height, width, 3), or a
            `PhotoError` of an earlier step.
        geometry: the crop of the model.
        detector: see `faces.detection.Detector`.
    """
    try:
        if isinstance(source, PhotoError):
            raise source
        if not isinstance(source, np.ndarray):
            source = source if isinstance(source, bytes) else read_bytes(source)
        photo = _decoded(source, geometry, detector)
        faces = detector(photo.pixels, photo.size)
        if _reduced(photo) and detector.needs_more(
            photo.size, [_in_whole(face, photo) for face in faces]
        ):
            photo = _decoded(source)
            faces = detector(photo.pixels, photo.size)
        if _too_coarse(photo, faces, geometry):
            whole = _decoded(source)
            faces = [_in_whole(face, photo) for face in faces]
            photo = whole
    except PhotoError as error:
        return _without_faces(geometry, error)
    crops = [crop_face(photo.pixels, face, geometry) for face in faces]
    faces = [_in_whole(face, photo) for face in faces]
    return Found(faces, np.array(crops, np.uint8).reshape(-1, *geometry.shape))


def _without_faces(geometry: Geometry, error: PhotoError) -> Found:
    return Found([], np.zeros((0, *geometry.shape), np.uint8), error)


def find_faces_in(
    sources: Iterable[Source],
    geometry: Geometry,
    *,
    detector: Detector = whole_photo,
    workers: int | None = None,
    ready: Ready | None = None,
) -> Iterator[Found]:
    """Yield `find_faces` of every source, in order, computed on all cores in bounded memory."""
    photos = ((None, source) for source in sources)
    found = find_keyed_faces(photos, geometry, detector=detector, workers=workers, ready=ready)
    return (faces for _, faces in found)


def find_keyed_faces(
    photos: Iterable[tuple[Key, Source]],
    geometry: Geometry,
    *,
    detector: Detector = whole_photo,
    workers: int | None = None,
    ready: Ready | None = None,
    chunk: int = CHUNK,
) -> Iterator[tuple[Key, Found]]:
    """Yield (key, `find_faces` of the source) for every (key, source); see `find_faces_in`.

    Args:
        photos: keys and sources.
        geometry, detector: as for `find_faces`.
        workers, ready, chunk: as for `parallel.ordered_map`.
    """

    def died(_source: Source) -> Found:
        return _without_faces(geometry, PhotoError("unreadable", KILLED))

    find = partial(find_faces, geometry=geometry, detector=detector)
    return keyed_map(find, photos, workers=workers, chunk=chunk, ready=ready, on_death=died)


def cache_crops(
    paths: Sequence[str],
    geometry: Geometry,
    *,
    folder: Path,
    detector: Detector = whole_photo,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[CropCache, list[tuple[int, PhotoError | None]]]:
    """Crop the largest face of every photo once, for training.

    Args:
        paths: photo paths.
        geometry: of the crops.
        folder: folder of the cache; see `crop_cache.CropCache`.
        detector: see `faces.detection.Detector`.
        workers: processes that decode; None means one per core.
        on_progress: called with (photos done, photos in all).

    Returns:
        the crops in order (all zero for a photo without one), and for those photos the index and
        the error, None if no face was found.
    """
    crops = CropCache(len(paths), geometry.shape, folder)
    failed: list[tuple[int, PhotoError | None]] = []
    for i, found in enumerate(find_faces_in(paths, geometry, detector=detector, workers=workers)):
        if len(found.faces):
            crops[i] = found.crops[0]
        else:
            failed.append((i, found.error))
        if on_progress is not None:
            on_progress(i + 1, len(paths))
    return crops, failed


def _decoded(
    source: bytes | Photo, geometry: Geometry | None = None, detector: Detector = whole_photo
) -> Decoded:
    """Decode a photo: whole, or where a geometry is given as large as it and the detector need."""
    if isinstance(source, bytes):
        if geometry is None:
            return decode_photo(source)
        return decode_photo(source, at_least=lambda size: detector.decode_size(size, geometry.size))
    if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or not source.size:
        raise PhotoError(
            "not a photo",
            f"expected uint8 (height, width, 3), got {source.dtype} {source.shape}",
        )
    refuse_small((source.shape[1], source.shape[0]))
    return Decoded(source, (source.shape[1], source.shape[0]))


def _reduced(photo: Decoded) -> bool:
    """Whether a photo was decoded at less than its own size."""
    height, width = photo.pixels.shape[:2]
    return (width, height) != photo.size


def _too_coarse(photo: Decoded, faces: list[Face], geometry: Geometry) -> bool:
    """Whether a photo was decoded at less than a face's crop needs."""
    looked_for = [face for face in faces if face.score is not None]
    smallest = min((min(face.box[2:]) for face in looked_for), default=math.inf)
    return _reduced(photo) and smallest < max(geometry.size)


def _in_whole(face: Face, photo: Decoded) -> Face:
    """A face of a photo that was decoded at less, in pixels of the whole photo."""
    height, width = photo.pixels.shape[:2]
    scaled = face.scaled(photo.size[0] / width, photo.size[1] / height)
    return replace(scaled, within=photo.size)
