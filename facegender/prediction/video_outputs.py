"""What `predict` can leave on disk of a video: a marked copy, subtitles, best crops, all faces.

Nothing is written over but what an earlier run wrote: of the same video, or, where it is a table of
faces, which has no place for a mark, of one of the same name.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Final, TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegender.errors import FaceGenderError
from facegender.images.clock import clock
from facegender.images.encode import carries_mark, mark_of, save_picture
from facegender.images.footage import open_footage
from facegender.images.video import Sampling
from facegender.prediction.annotated_video import write_annotated
from facegender.prediction.positions import Positions
from facegender.prediction.subtitles import ass_text, vtt_text
from facegender.prediction.video import FrameFaces, VideoPrediction
from facegender.runtime.files import (
    is_disk_fault,
    make_folder,
    text_writer,
    write_csv_row,
    write_text,
)

FRAME_COLUMNS: Final = (
    *("time", "clock", "track", "x", "y", "width", "height", "score"),
    *("label", "female", "male", "uncertain"),
)
"""Columns of the table of all faces of a video: a row a face and frame."""

OnProgress = Callable[[float, float | None], None]


@dataclass(frozen=True, slots=True)
class VideoOutputSettings:
    """Folders for what is left on disk of each video, None for what is not wanted.

    Attributes:
        annotate: MP4 copies with boxes and words.
        subtitles: ASS and WebVTT files.
        crops: the best crop of each track.
        frames: tables of all faces.
    """

    annotate: Path | None = None
    subtitles: Path | None = None
    crops: Path | None = None
    frames: Path | None = None


class VideoOutputs:
    """Collects what is wanted of one video while it is predicted, and writes it at its end.

    Args:
        source: the video.
        place: its place in mirrored trees.
        sampling: of the prediction.
        settings: what is wanted.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        place: PurePath,
        sampling: Sampling,
        settings: VideoOutputSettings,
    ) -> None:
        self._source, self._place = source, place
        self._sampling, self._settings = sampling, settings
        self._positions: Positions | None = None
        if settings.annotate or settings.subtitles:
            self._positions = Positions()
        self._crops = BestCrops() if settings.crops else None
        self._rows: TextIO | None = None
        self._unwanted = False

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Collect during the block; the table of faces is whole when it ends without an error.

        Raises:
            FaceGenderError: the table cannot be written. That is raised at the end: the answer is
                worth having without it. A disk that is full or gone is told at once.
        """
        failure: FaceGenderError | None = None
        with suppress(_Unwanted), ExitStack() as stack:
            try:
                if self._settings.frames is not None:
                    self._begin_table(stack, self._settings.frames)
            except FaceGenderError as error:
                if is_disk_fault(error.__cause__):
                    raise
                failure = error
            yield
            if self._unwanted:
                raise _Unwanted
        if failure is not None and not self._unwanted:
            raise failure

    def _begin_table(self, stack: ExitStack, folder: Path) -> None:
        target = self._named(folder, ".csv")
        _refuse_foreign(target, ",".join(FRAME_COLUMNS))
        make_folder(target.parent)
        self._rows = stack.enter_context(text_writer(target))
        write_csv_row(self._rows, FRAME_COLUMNS)

    def leave_out(self) -> None:
        """Within `collecting`: nothing is wanted of this video after all."""
        self._unwanted = True

    def on_frame(self, frame: FrameFaces) -> None:
        """Take the faces of a frame."""
        faces = tuple(zip(frame.tracks, frame.faces, strict=True))
        if self._positions is not None:
            boxes = [(track, face.face.box) for track, face in faces]
            self._positions.add_frame(frame.time, boxes)
        for i, (track, face) in enumerate(faces):
            crop = frame.crops[i]
            if self._crops is not None and frame.best[i] and crop is not None:
                self._crops.put(track, crop)
            if self._rows is not None:
                found = face.to_json()
                pair = found["probabilities"]
                sure = "yes" if face.uncertain else "no"
                score = "" if found["score"] is None else found["score"]
                cells = [round(frame.time, 3), clock(frame.time), track, *found["box"], score]
                write_csv_row(self._rows, [*cells, face.name, pair["female"], pair["male"], sure])

    def write(self, prediction: VideoPrediction, on_progress: OnProgress | None = None) -> None:
        """Write what is wanted beside the table.

        Raises:
            FaceGenderError: another file is in the way, or the disk is full.
        """
        settings, positions = self._settings, self._positions
        if not prediction.seconds:
            return
        if self._crops is not None and settings.crops is not None:
            self._write_crops(settings.crops, self._crops, prediction)
        if positions is None:
            return
        positions.finish([(track.start, track.end) for track in prediction.tracks])
        if settings.subtitles is not None:
            with open_footage(self._source, self._sampling) as video:
                size = video.size
            mark = mark_of(self._source, "subtitles")
            for suffix, text in (
                (".ass", ass_text(prediction, positions, size, mark)),
                (".vtt", vtt_text(prediction, mark)),
            ):
                target = self._named(settings.subtitles, suffix)
                _refuse_foreign(target, mark)
                make_folder(target.parent)
                write_text(target, text)
        if settings.annotate is not None:
            target = self._named(settings.annotate, ".mp4")
            make_folder(target.parent)
            mark = mark_of(self._source, "marked copy")
            write_annotated(
                self._source, target, prediction, positions, self._sampling, mark, on_progress
            )

    def _named(self, folder: Path, suffix: str) -> Path:
        """The place of a file made of the video; a copy in the same format keeps its name."""
        same = self._place.suffix.lower() == suffix
        return folder / (
            self._place if same else self._place.with_name(f"{self._place.name}{suffix}")
        )

    def _write_crops(self, folder: Path, crops: BestCrops, prediction: VideoPrediction) -> None:
        mark, count = mark_of(self._source, "crop"), len(prediction.tracks)
        for number in range(1, count + 1):
            save_picture(Image.fromarray(crops.get(number)), self._crop_path(folder, number), mark)
        if prediction.error is not None:  # what is missing may have been read by an earlier run
            return
        number = count + 1  # an earlier run may have found more
        while carries_mark(path := self._crop_path(folder, number), mark):
            path.unlink()
            number += 1

    def _crop_path(self, folder: Path, number: int) -> Path:
        return folder / self._place.with_name(f"{self._place.name}.{number}.png")


class BestCrops:
    """The best crop of each track, in a file without a name: memory stays flat."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this
        self._places: dict[int, int] = {}
        self._shape: tuple[int, ...] = ()

    def put(self, track: int, crop: NDArray[np.uint8]) -> None:
        """Keep a crop instead of the track's earlier one."""
        self._shape = crop.shape
        place = self._places.setdefault(track, len(self._places))
        self._file.seek(place * crop.nbytes)
        self._file.write(np.ascontiguousarray(crop).tobytes())

    def get(self, track: int) -> NDArray[np.uint8]:
        """Return a track's best crop, uint8 (height, width, 3)."""
        size = int(np.prod(self._shape))
        self._file.seek(self._places[track] * size)
        return np.frombuffer(self._file.read(size), np.uint8).reshape(self._shape)


class _Unwanted(Exception):
    """Nothing is kept of this video."""


def _refuse_foreign(target: Path, sign: str) -> None:
    """Refuse to overwrite a text file that facegender did not write."""
    if not os.path.lexists(target):
        return
    ours = False
    if target.is_file() and not target.is_symlink():
        with suppress(OSError), target.open("rb") as file:
            ours = sign.encode() in file.read(4096)
    if not ours:
        raise FaceGenderError(
            f"{target} is in the way: it is another file", "Choose another folder."
        )
