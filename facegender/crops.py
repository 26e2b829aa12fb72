"""Photo files -> faces and their crops, on all cores. The way of every photo, in every command."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.errors import PhotoError
from facegender.face import Face, Finder, Geometry, crop_face, whole_photo
from facegender.parallel import ordered_map
from facegender.photo import Decoded, Photo, decode_photo, read_bytes, refuse_small

Crops = NDArray[np.uint8]
"""Crops: uint8, shape (number, height, width, 3)."""

Source = str | os.PathLike[str] | bytes | Photo
"""A photo: a path, a file's bytes, or an upright RGB array."""

SOURCES = (str, os.PathLike, bytes, np.ndarray)
"""The types that `Source` means."""

MEMORY_SHARE = 0.25
"""Crops that would take more than this share of the machine's memory are kept on disk."""


@dataclass(frozen=True, slots=True)
class Found:
    """The faces of one photo.

    Attributes:
        faces: largest first; empty where no face was found.
        crops: uint8 (number of faces, height, width, 3).
        error: why the photo could not be used, or None.
    """

    faces: list[Face]
    crops: Crops
    error: PhotoError | None = None


def find_faces(source: Source, geometry: Geometry, finder: Finder = whole_photo) -> Found:
    """Read a photo, find its faces and crop them; a photo that cannot be used is an answer too.

    Args:
        source: a path, a file's bytes, or an upright uint8 RGB array (height, width, 3).
        geometry: the crop that the model takes.
        finder: see `face.Finder`.
    """
    try:
        decoded = _decoded(source, geometry, finder)
    except PhotoError as error:
        return Found([], np.zeros((0, *geometry.shape), np.uint8), error)
    faces = finder(decoded.pixels)
    crops = [crop_face(decoded.pixels, face, geometry) for face in faces]
    height, width = decoded.pixels.shape[:2]
    faces = [face.scaled(decoded.size[0] / width, decoded.size[1] / height) for face in faces]
    return Found(faces, np.array(crops, np.uint8).reshape(-1, *geometry.shape))


def find_faces_in(
    sources: Iterable[Source],
    geometry: Geometry,
    *,
    finder: Finder = whole_photo,
    workers: int | None = None,
) -> Iterator[Found]:
    """Yield `find_faces` of every source, in order, computed on all cores in bounded memory."""
    return ordered_map(
        partial(find_faces, geometry=geometry, finder=finder), sources, workers=workers
    )


def cache_crops(
    paths: list[str],
    geometry: Geometry,
    *,
    folder: Path,
    finder: Finder = whole_photo,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Crops, list[tuple[str, str]]]:
    """Crop the largest face of every photo once, for training.

    Args:
        paths: photo paths.
        geometry: the crop wanted.
        folder: where a cache that does not fit in memory lies; the system frees it when the
            process ends, however it ends.
        finder: see `face.Finder`.
        workers: processes that decode; None means one a core.
        on_progress: called with (photos done, photos in all).

    Returns:
        the crops in order (all zero for a photo without one), and (path, why) of those.
    """
    crops = _allocate((len(paths), *geometry.shape), folder)
    failed: list[tuple[str, str]] = []
    for i, found in enumerate(find_faces_in(paths, geometry, finder=finder, workers=workers)):
        if len(found.faces):
            crops[i] = found.crops[0]
        else:
            failed.append((paths[i], str(found.error or "no face")))
        if on_progress is not None:
            on_progress(i + 1, len(paths))
    return crops, failed


def _decoded(source: Source, geometry: Geometry, finder: Finder) -> Decoded:
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or not source.size:
            raise PhotoError(
                "not a photo",
                f"expected uint8 (height, width, 3), got {source.dtype} {source.shape}",
            )
        refuse_small((source.shape[1], source.shape[0]))
        return Decoded(source, (source.shape[1], source.shape[0]))
    # A photo that is one face needs no more pixels than its crop; a finder needs them all.
    enough = (geometry.width, geometry.height) if finder is whole_photo else None
    data = source if isinstance(source, bytes) else read_bytes(source)
    return decode_photo(data, at_least=enough)


def _allocate(shape: tuple[int, ...], folder: Path) -> Crops:
    size = int(np.prod(shape, dtype=np.int64))
    if size <= MEMORY_SHARE * _memory():
        return np.zeros(shape, np.uint8)
    file: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as the array
    file.truncate(size)
    return np.memmap(file, np.uint8, "r+", shape=shape)


def _memory() -> float:
    """Physical memory in bytes; 4 GiB where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float(4 << 30)
