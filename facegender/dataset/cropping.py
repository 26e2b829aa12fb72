"""Writing the cropped face of each photo, in the same folder structure."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import repeat
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegender.choices import CropFormat, FaceSelection
from facegender.dataset.checks import (
    PhotoCheck,
    PhotoChecks,
    counted,
    inspect_photo,
    inspection_of_killed,
)
from facegender.dataset.paths import PathIndex, Paths
from facegender.dataset.review_labels import Box, format_box
from facegender.errors import UsageError
from facegender.faces.detection import check_detection, detector_for
from facegender.faces.extraction import find_faces
from facegender.faces.geometry import Geometry
from facegender.faces.matching import match_boxes
from facegender.images.decode import MIN_SIDE
from facegender.images.encode import mark_of, save_picture
from facegender.options import check_choice, check_output_folder
from facegender.runtime.parallel import ordered_map


@dataclass(frozen=True, slots=True)
class CropSettings:
    """Settings for cropping in `prepare`.

    Attributes:
        folder: folder of the crops.
        geometry: of the crops.
        faces: one of `choices.FaceSelection`.
        format: one of `choices.CropFormat`.
        min_face, min_score: see `faces.detection.FaceDetector`.

    Raises:
        UsageError: an unknown value, a number out of range, or an unusable folder.
    """

    folder: str
    geometry: Geometry
    faces: str = FaceSelection.LARGEST
    format: str = CropFormat.PNG
    min_face: int | None = None
    min_score: float | None = None

    def __post_init__(self) -> None:
        check_choice("--faces", self.faces, FaceSelection)
        check_choice("--format", self.format, CropFormat)
        check_detection(self.min_face, self.min_score)
        check_output_folder("--crops", self.folder)

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in faces.json."""
        return {
            "folder": self.folder,
            "geometry": self.geometry.to_json(),
            "faces": self.faces,
            "format": self.format,
            "min_face": self.min_face,
            "min_score": self.min_score,
        }


def outside(paths: Sequence[str], root: Path | None, settings: CropSettings) -> NDArray[np.intp]:
    """Return the rows of photos outside the folder of the crops.

    Raises:
        UsageError: the crops would be written to the folder of the photos.
    """
    out = os.path.realpath(settings.folder)
    if root is not None and Path(os.path.realpath(root)).is_relative_to(out):
        raise UsageError(
            f"--crops {settings.folder} is the folder of the photos",
            "Choose another folder for crops.",
        )

    @cache
    def lies_outside(folder: str) -> bool:
        return not Path(os.path.realpath(folder or ".")).is_relative_to(out)

    return np.flatnonzero([lies_outside(os.path.dirname(path)) for path in paths])


def crop_all(
    paths: Sequence[str],
    root: Path | None,
    settings: CropSettings,
    *,
    min_size: int = MIN_SIDE,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    boxes: Sequence[Box | None] | None = None,
) -> tuple[PhotoChecks, Paths]:
    """Detect, crop and write the face of every photo, on all cores.

    Args:
        paths: the photos.
        root: the folder whose structure is mirrored; photos elsewhere keep their full path.
        settings: see `CropSettings`.
        min_size: minimum length of a photo's shorter side, in pixels.
        workers: processes; None means one per core.
        on_progress: called with (photos done, photos in all).
        boxes: the face of each photo that is meant; None means what `settings.faces` says.

    Returns:
        the result for each photo (size in pixels of the photo, size in bytes and digest of the
        crop), and the paths of the crops.
    """
    targets = _targets(paths, root, settings)
    crop = partial(_crop_one, settings=settings, min_size=min_size)
    jobs = zip(paths, targets, boxes or repeat(None, len(paths)), strict=True)
    found = ordered_map(crop, jobs, workers=workers, on_death=inspection_of_killed)
    return PhotoChecks(counted(found, len(paths), on_progress), len(paths)), targets


def mirrored(name: str) -> PurePath:
    """Return a photo's path in the mirrored tree: without root, drive and ``..``.

    >>> mirrored("/home/me/../a.jpg").as_posix()
    'home/me/_up/a.jpg'
    """
    path = PurePath(name)
    parts = [part for part in path.parts if part != path.anchor]
    safe = [("_up" if part == ".." else part.replace(":", "_")) for part in parts]
    return PurePath(*safe) if safe else PurePath("photo")


def _targets(paths: Sequence[str], root: Path | None, settings: CropSettings) -> Paths:
    """Return a path for each crop; photos that differ only in the suffix keep it in the name."""
    suffix = ".png" if settings.format == CropFormat.PNG else ".jpg"
    places = _places(paths, None if root is None else os.path.abspath(root))
    first = PathIndex(Paths(os.path.splitext(place)[0] for place in places), str).first
    alone = np.bincount(first)[first] == 1
    stems = (os.path.splitext(p)[0] if a else p for p, a in zip(places, alone, strict=True))
    targets = Paths(os.path.join(settings.folder, f"{stem}{suffix}") for stem in stems)
    index, used = PathIndex(targets, str), set[str]()
    taken = np.flatnonzero(index.first != np.arange(len(targets))).tolist()
    for row in taken:
        number = 2
        while (name := _numbered(targets[row], number)) in used or index.find(name) is not None:
            number += 1
        used.add(name)
        targets[row] = name
    return targets


def _places(paths: Sequence[str], base: str | None) -> Paths:
    """Return the paths of the photos in the mirrored tree."""
    places = Paths()
    for path in paths:
        whole = os.path.abspath(path)
        inside = base is not None and whole.startswith(base.rstrip(os.sep) + os.sep)
        places.append(str(mirrored(os.path.relpath(whole, base) if inside else whole)))
    return places


def _numbered(target: str, number: int) -> str:
    """``a.jpg.png`` -> ``a.jpg.2.png``."""
    stem, suffix = os.path.splitext(target)
    return f"{stem}.{number}{suffix}"


def _crop_one(
    job: tuple[str, str, Box | None], settings: CropSettings, min_size: int
) -> PhotoCheck:
    path, target, box = job
    inspection = inspect_photo(path, min_size)
    if inspection.reason:
        return inspection
    detector = detector_for(
        settings.geometry, min_face=settings.min_face, min_score=settings.min_score
    )
    found = find_faces(path, settings.geometry, detector)
    if found.error is not None:
        return PhotoCheck(found.error.reason, found.error.message)
    if not found.faces:
        return PhotoCheck("no face", "no face was found")
    if settings.faces == FaceSelection.SINGLE and len(found.faces) > 1:
        return PhotoCheck("several faces", f"{len(found.faces)} faces were found")
    what, place = f"crop {json.dumps(settings.geometry.to_json())}", 0
    if box is not None:
        (matched,) = match_boxes([box], found.faces)
        if matched is None:
            return PhotoCheck("no face", "no face was found in the labelled box")
        what, place = f"{what} of {format_box(box)}", matched
    mark = mark_of(path, what)
    save_picture(Image.fromarray(found.crops[place]), Path(target), mark)
    data = Path(target).read_bytes()
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return inspection._replace(size=len(data), digest=digest)
