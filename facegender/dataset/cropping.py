"""Photos -> files with one cropped face each, in the same folders."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from PIL import Image

from facegender.crops import find_faces
from facegender.dataset.checks import Inspection, inspect_photo, inspection_of_killed
from facegender.errors import UsageError
from facegender.face import Geometry
from facegender.finders import finder_for
from facegender.parallel import ordered_map
from facegender.photo import MIN_SIDE
from facegender.pictures import mark_of, save_picture

FACES = ("largest", "single")
FORMATS = ("png", "jpeg")


@dataclass(frozen=True, slots=True)
class CropSettings:
    """How `prepare` crops.

    Attributes:
        folder: where the crops go.
        geometry: of the crops.
        faces: ``largest`` takes the largest face, ``single`` refuses photos with several.
        format: ``png`` (without loss) or ``jpeg``.
        min_face, min_score: see `finders.FaceFinder`.
    """

    folder: str
    geometry: Geometry
    faces: str = "largest"
    format: str = "png"
    min_face: int | None = None
    min_score: float | None = None

    def check(self) -> None:
        """Refuse words that are not known.

        Raises:
            UsageError: an unknown choice of faces or format.
        """
        for name, value, known in (
            ("faces", self.faces, FACES),
            ("format", self.format, FORMATS),
        ):
            if value not in known:
                raise UsageError(f"unknown --{name} {value!r}", f"Choose one of {list(known)}.")

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


def outside(paths: list[str], root: Path | None, settings: CropSettings) -> list[int]:
    """Return the rows of photos that do not lie in the folder of the crops.

    Raises:
        UsageError: the crops would go where the photos are.
    """
    out = os.path.realpath(settings.folder)
    if root is not None and Path(os.path.realpath(root)).is_relative_to(out):
        raise UsageError(
            f"--crop {settings.folder} is where the photos are", "Choose another folder for crops."
        )
    places = (Path(os.path.realpath(os.path.dirname(path) or ".")) for path in paths)
    return [row for row, place in enumerate(places) if not place.is_relative_to(out)]


def crop_all(
    paths: list[str],
    root: Path | None,
    settings: CropSettings,
    *,
    min_size: int = MIN_SIDE,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Inspection], list[str]]:
    """Find, crop and write the face of every photo, on all cores.

    Args:
        paths: the photos.
        root: the folder whose tree is mirrored; photos elsewhere keep their whole path.
        settings: see `CropSettings`.
        min_size: least length of a photo's shorter side, in pixels.
        workers: processes; None means one a core.
        on_progress: called with (photos done, photos in all).

    Returns:
        what became of each photo (size in pixels is the photo's, size in bytes and digest are the
        crop's), and the crops' paths.
    """
    targets = _targets(paths, root, settings)
    crop = partial(_crop_one, settings=settings, min_size=min_size)
    results: list[Inspection] = []
    jobs = zip(paths, targets, strict=True)
    for inspection in ordered_map(crop, jobs, workers=workers, on_death=inspection_of_killed):
        results.append(inspection)
        if on_progress is not None:
            on_progress(len(results), len(paths))
    return results, targets


def mirrored(name: str) -> PurePath:
    """Return a photo's place in a mirrored tree: its name without root, drive and ``..``.

    >>> mirrored("/home/me/../a.jpg").as_posix()
    'home/me/_up/a.jpg'
    """
    path = PurePath(name)
    parts = [part for part in path.parts if part != path.anchor]
    safe = [("_up" if part == ".." else part.replace(":", "_")) for part in parts]
    return PurePath(*safe) if safe else PurePath("photo")


def _targets(paths: list[str], root: Path | None, settings: CropSettings) -> list[str]:
    """A path for each crop; photos that differ in nothing but the suffix keep it in the name."""
    suffix = ".png" if settings.format == "png" else ".jpg"
    base = None if root is None else os.path.abspath(root)
    places = []
    for path in paths:
        whole = os.path.abspath(path)
        inside = base is not None and whole.startswith(base.rstrip(os.sep) + os.sep)
        places.append(mirrored(os.path.relpath(whole, base) if inside else whole))
    stems = Counter(place.with_suffix("") for place in places)
    used: set[PurePath] = set()
    targets = []
    for place in places:
        alone = stems[place.with_suffix("")] == 1
        target = place.with_suffix(suffix) if alone else place.with_name(f"{place.name}{suffix}")
        number = 2
        while target in used:
            target = place.with_name(f"{place.name}.{number}{suffix}")
            number += 1
        used.add(target)
        targets.append(os.path.join(settings.folder, target))
    return targets


def _crop_one(job: tuple[str, str], settings: CropSettings, min_size: int) -> Inspection:
    path, target = job
    inspection = inspect_photo(path, min_size)
    if inspection.reason:
        return inspection
    finder = finder_for(settings.geometry, min_face=settings.min_face, min_score=settings.min_score)
    found = find_faces(path, settings.geometry, finder)
    if found.error is not None:
        return Inspection(found.error.reason, found.error.message)
    if not found.faces:
        return Inspection("no face", "no face was found")
    if settings.faces == "single" and len(found.faces) > 1:
        return Inspection("several faces", f"{len(found.faces)} faces were found")
    mark = mark_of(path, f"crop {json.dumps(settings.geometry.to_json())}")
    save_picture(Image.fromarray(found.crops[0]), Path(target), mark)
    data = Path(target).read_bytes()
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return inspection._replace(size=len(data), digest=digest)
