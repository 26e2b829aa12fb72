"""Files that `predict` can write: marked copies, crops, and photos sorted into folders.

No photo is changed, moved or overwritten: an existing file stays, and is reported.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath

from PIL import Image

from facegender.choices import AnswerKind
from facegender.errors import FaceGenderError
from facegender.faces.extraction import Source
from facegender.faces.geometry import Geometry, crop_face
from facegender.images.decode import decode_photo, read_bytes
from facegender.images.encode import JPEG, carries_mark, mark_of, save_picture
from facegender.prediction.annotate import draw_faces
from facegender.prediction.predictor import Prediction
from facegender.prediction.video import Answer, VideoPrediction
from facegender.runtime.files import atomic_path, cannot_write, is_disk_fault, write_bytes


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """What to write for each photo. Picklable.

    Attributes:
        geometry: of the crops.
        annotate: folder for copies with boxes and words, or None.
        crops: folder for the crops, or None.
        sort: folder for links in a folder for each `AnswerKind`, or None.
        copy: copy into the sorted folders instead of linking.
        only: one of `AnswerKind`; of other photos nothing is left. None means all.
    """

    geometry: Geometry
    annotate: Path | None = None
    crops: Path | None = None
    sort: Path | None = None
    copy: bool = False
    only: str | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything is to be written."""
        return any((self.annotate, self.crops, self.sort))


@dataclass(frozen=True, slots=True)
class PredictedPhoto:
    """A predicted photo: its source, its path in mirrored folders, and its prediction."""

    source: Source
    place: PurePath
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class WrittenOutputs:
    """The result of writing the outputs of a photo.

    Attributes:
        prediction: the prediction.
        copied: whether the photo was copied because links are not supported.
        elsewhere: whether the photo is also in another sorted folder, from an earlier run.
        error: what went wrong, or "".
        shown: whether it is among the photos asked for by `OutputSettings.only`.
    """

    prediction: Answer
    copied: bool = False
    elsewhere: bool = False
    error: str = ""
    shown: bool = True


def write_outputs(job: PredictedPhoto, wanted: OutputSettings) -> WrittenOutputs:
    """Write the outputs of a photo; failures of the photo are returned, not raised.

    Raises:
        FaceGenderError: the disk is full or read-only.
    """
    prediction = job.prediction
    if not is_shown(prediction, wanted.only):
        return WrittenOutputs(prediction, shown=False)
    if prediction.error is not None:
        return WrittenOutputs(prediction)
    copied = elsewhere = False
    try:
        if wanted.sort is not None:
            copied = _sort(job, wanted.sort, wanted.copy)
            elsewhere = _lies_elsewhere(job, wanted.sort)
        if wanted.annotate or wanted.crops:
            _draw(job, wanted)
    except FaceGenderError as error:
        if is_disk_fault(error.__cause__):
            raise
        return WrittenOutputs(prediction, copied, elsewhere, error.message)
    except OSError as error:
        if is_disk_fault(error):
            raise cannot_write(Path(error.filename or "the output"), error) from error
        return WrittenOutputs(prediction, copied, elsewhere, f"{error.strerror or error}")
    return WrittenOutputs(prediction, copied, elsewhere)


def is_shown(prediction: Answer, only: str | None) -> bool:
    """Tell whether a photo is among those asked for.

    ``female`` and ``male``: a face with that sure answer; ``uncertain``: a face without a sure one;
    ``none`` and ``several``: how many faces were found. A photo that could not be used is shown
    where everything is.
    """
    if only is None:
        return True
    faces = prediction.faces
    if prediction.error is not None and not (isinstance(prediction, VideoPrediction) and faces):
        return False
    if only == AnswerKind.NONE:
        return not faces
    if only == AnswerKind.SEVERAL:
        return len(faces) > 1
    if only == AnswerKind.UNCERTAIN:
        return any(face.uncertain for face in faces)
    return any(face.name == only and not face.uncertain for face in faces)


def _draw(job: PredictedPhoto, wanted: OutputSettings) -> None:
    source = job.source
    assert isinstance(source, (str, os.PathLike, bytes)), "arrays have no place in a tree"
    photo = decode_photo(source if isinstance(source, bytes) else read_bytes(source)).pixels
    faces = job.prediction.faces
    if wanted.annotate is not None:
        place = job.place
        if place.suffix.lower() not in (*JPEG, ".png"):
            place = place.with_name(f"{place.name}.jpg")
        mark = mark_of(source, "marked copy")
        save_picture(draw_faces(photo, faces), wanted.annotate / place, mark)
    if wanted.crops is not None:
        mark = mark_of(source, "crop")
        for number, face in enumerate(faces, start=1):
            crop = crop_face(photo, face.face, wanted.geometry)
            save_picture(Image.fromarray(crop), _crop_path(job, wanted.crops, number), mark)
        number = len(faces) + 1  # an earlier run may have found more faces
        while carries_mark(path := _crop_path(job, wanted.crops, number), mark):
            path.unlink()
            number += 1


def _crop_path(job: PredictedPhoto, folder: Path, number: int) -> Path:
    return folder / job.place.with_name(f"{job.place.name}.{number}.png")


def _sort(job: PredictedPhoto, folder: Path, copy: bool) -> bool:
    """Link or copy a photo into its folder; return whether it was copied instead of linked."""
    target = folder / _folder_of(job.prediction) / job.place
    if isinstance(job.source, bytes):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(target):
            write_bytes(target, job.source)
        elif target.read_bytes() != job.source:
            raise FaceGenderError(f"{target} is in the way: it is another file", "")
        return False
    source = _absolute(job)
    if _is_inside(source, folder):
        raise FaceGenderError(
            f"{source} is in the folder to sort into", "Sort into another folder."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        if target.exists() and (target.samefile(source) or filecmp.cmp(target, source, False)):
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


def _lies_elsewhere(job: PredictedPhoto, folder: Path) -> bool:
    """Return whether an earlier run with another answer put the photo into another folder."""
    own = _folder_of(job.prediction)
    return any(os.path.lexists(folder / name / job.place) for name in AnswerKind if name != own)


def _absolute(job: PredictedPhoto) -> Path:
    assert isinstance(job.source, (str, os.PathLike)), "arrays have no place in a tree"
    return Path(os.path.abspath(job.source))


def _is_inside(path: Path, folder: Path) -> bool:
    """Return whether a path, which may be a link, is below a folder."""
    place = Path(os.path.realpath(path.parent))
    return place.is_relative_to(os.path.realpath(folder))


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
