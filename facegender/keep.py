"""What `predict` can leave on disk: marked copies, crops, and photos sorted into folders.

No photo is changed, moved or written over: a file in the way stays, and is reported.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from PIL import Image

from facegender.crops import Source
from facegender.draw import draw_faces
from facegender.errors import FaceGenderError
from facegender.face import Geometry, crop_face
from facegender.files import atomic_path, write_bytes
from facegender.photo import decode_photo, read_bytes
from facegender.pictures import JPEG, save_picture
from facegender.predictor import Prediction

FOLDERS: Final = ("female", "male", "uncertain", "several", "none")


@dataclass(frozen=True, slots=True)
class Keep:
    """What is left on disk for each photo. Picklable.

    Attributes:
        geometry: of the crops.
        annotate: folder for copies with boxes and words, or None.
        crops: folder for the crops, or None.
        sort: folder for links in `FOLDERS`, or None.
        copy: copy into the sorted folders instead of linking.
    """

    geometry: Geometry
    annotate: Path | None = None
    crops: Path | None = None
    sort: Path | None = None
    copy: bool = False

    @property
    def wanted(self) -> bool:
        """Whether anything is asked for."""
        return any((self.annotate, self.crops, self.sort))


@dataclass(frozen=True, slots=True)
class Job:
    """A photo that was predicted: its source, its place in mirrored trees, and the answer."""

    source: Source
    place: PurePath
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a job: whether a link failed and was a copy instead, and what went wrong."""

    prediction: Prediction
    copied: bool = False
    error: str = ""


def keep(job: Job, wanted: Keep) -> Kept:
    """Write what is wanted for one photo; a failure is an answer too."""
    prediction = job.prediction
    if prediction.error is not None:
        return Kept(prediction)
    copied = False
    try:
        if wanted.sort is not None:
            copied = _sort(job, wanted.sort, wanted.copy)
        if (wanted.annotate or wanted.crops) and not isinstance(job.source, FaceGenderError):
            _draw(job, wanted)
    except FaceGenderError as error:
        return Kept(prediction, copied, error.message)
    except OSError as error:
        return Kept(prediction, copied, f"{error.strerror or error}")
    return Kept(prediction, copied)


def _draw(job: Job, wanted: Keep) -> None:
    source = job.source
    if isinstance(source, (str, os.PathLike)):
        source = read_bytes(source)
    photo = decode_photo(source).pixels if isinstance(source, bytes) else source
    assert not isinstance(photo, FaceGenderError)
    faces = job.prediction.faces
    if wanted.annotate is not None:
        place = job.place
        if place.suffix.lower() not in (*JPEG, ".png"):
            place = place.with_name(f"{place.name}.jpg")
        save_picture(draw_faces(photo, faces), wanted.annotate / place)
    if wanted.crops is not None:
        for number, face in enumerate(faces, start=1):
            name = job.place.with_name(f"{job.place.name}.{number}.png")
            crop = crop_face(photo, face.face, wanted.geometry)
            save_picture(Image.fromarray(crop), wanted.crops / name)


def _sort(job: Job, folder: Path, copy: bool) -> bool:
    """Link or copy a photo into its folder; return whether a link had to become a copy."""
    target = folder / _folder_of(job.prediction) / job.place
    target.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(job.source, (str, os.PathLike)):
        data = job.source if isinstance(job.source, bytes) else b""
        if not os.path.lexists(target):
            write_bytes(target, data)
        return False
    source = Path(os.path.abspath(job.source))
    _unlink_elsewhere(source, folder, target, job.place)
    if target.is_symlink():
        if os.path.realpath(target) != os.path.realpath(source):
            raise FaceGenderError(f"{target} is in the way: it links to another file", "")
        if not copy:
            return False
        target.unlink()  # a link that an earlier run made; the photo behind it stays
    elif target.exists():
        if target.samefile(source) or filecmp.cmp(target, source, shallow=False):
            return False
        raise FaceGenderError(f"{target} is in the way: it is another file", "")
    if not copy:
        try:
            target.symlink_to(source)
        except (OSError, NotImplementedError):
            _copy(source, target)
            return True
        return False
    _copy(source, target)
    return False


def _unlink_elsewhere(source: Path, folder: Path, target: Path, place: PurePath) -> None:
    """Remove links that an earlier run, with another answer, made to this photo."""
    for name in FOLDERS:
        other = folder / name / place
        if (
            other != target
            and other.is_symlink()
            and os.path.realpath(other) == os.path.realpath(source)
        ):
            other.unlink()


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    shutil.copystat(source, target)


def _folder_of(prediction: Prediction) -> str:
    if not prediction.faces:
        return "none"
    if len(prediction.faces) > 1:
        return "several"
    (face,) = prediction.faces
    return "uncertain" if face.uncertain else face.name
