"""The faces of each frame of a video on disk, so that a stopped run goes on within the video.

A journal begins with a line that says of which video and of which options it is; each further line
is a frame with what tracking needs of its faces. A killed run tears at most its last line. The next
run follows the frames of the journal again, which needs neither the video nor the network, and
reads the video from there on.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np

from facegender.faces.geometry import Face
from facegender.images.decode import Photo
from facegender.images.shots import Change
from facegender.prediction.predictor import FacePrediction
from facegender.prediction.tracks import Sighting
from facegender.runtime.files import cannot_write

FORM: Final = 2
"""Number of the journal's form; one of another form is begun anew."""
LONGEST_HEAD: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class JournalFrame:
    """A frame that was followed.

    Attributes:
        time: seconds from the beginning of the video.
        change: since the frame before.
        lost: how many parts of the stream could not be decoded until then, and when the first and
            the last; None without one.
        sightings: its faces.
        crops: of faces that were the best of their tracks then; None for the others, and where
            crops are not kept.
    """

    time: float
    change: Change
    lost: tuple[int, float, float] | None
    sightings: tuple[Sighting, ...]
    crops: tuple[Photo | None, ...]


class VideoJournal:
    """The open journal of one video; use it in a ``with`` statement.

    Args:
        path: of the journal. One of another video, of other options or of a file that changed
            since is begun anew.
        source: the video.
        facts: what must be the same to go on, JSON types only.
        crops: keep the best crops too.

    Attributes:
        last: time of the last frame that an earlier run wrote, or None.
        lost: when a part could not be decoded for the last time until then, or None.
        failed: whether a frame could not be written.

    Raises:
        FaceGenderError: it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        source: str | os.PathLike[str],
        facts: Mapping[str, Any],
        *,
        crops: bool = False,
    ) -> None:
        self._path, self._crops = path, crops
        self.last: float | None = None
        self.lost: float | None = None
        self._waiting: list[str] = []
        self._stopped = self.failed = False
        self._begun_at = 0
        head = _head(source, dict(facts) | {"crops": crops})
        try:
            path.touch()
            self._file: BinaryIO = path.open("r+b", buffering=0)
            if not (path.is_file() and self._go_on(head)):
                self._begin(head)
        except OSError as error:
            raise cannot_write(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def frames(self) -> Iterator[JournalFrame]:
        """Yield what an earlier run wrote."""
        if self.last is None:
            return
        with self._path.open("rb") as file:
            next(file)
            for line in file:
                yield _frame_of(json.loads(line))
                if file.tell() >= self._begun_at:
                    return

    def add(self, frame: JournalFrame) -> None:
        """Add a frame that was followed; see `flush`."""
        if not self._stopped:
            self._waiting.append(json.dumps(_json_of(frame, self._crops)) + "\n")

    def flush(self) -> None:
        """Write what was added.

        Raises:
            FaceGenderError: the disk is full or gone.
        """
        text, self._waiting = "".join(self._waiting).encode(), []
        try:
            rest = memoryview(text)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.failed = True
            raise cannot_write(self._path, error) from error

    def stop(self) -> None:
        """Forget the frames: this video cannot be read on from a time."""
        if not self._stopped:
            self._stopped = True
            self._begin({})

    def _begin(self, head: Mapping[str, Any]) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._waiting = [json.dumps(head) + "\n"]
        self.flush()

    def _go_on(self, head: Mapping[str, Any]) -> bool:
        """Find the last whole line, and cut off what follows; False if it is another journal."""
        end, last = 0, b""
        with self._path.open("rb") as file:
            first = file.readline(LONGEST_HEAD)
            try:
                if not first.endswith(b"\n") or json.loads(first) != head:
                    return False
            except ValueError:
                return False
            end = len(first)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                end, last = end + len(line), line
        try:
            if last:
                frame = json.loads(last)
                self.last = float(frame["time"])
                self.lost = float(frame["lost"][2]) if frame["lost"] else None
        except (ValueError, KeyError, TypeError, IndexError):
            return False
        self._begun_at = end
        self._file.truncate(end)
        self._file.seek(end)
        return True


def _head(source: str | os.PathLike[str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The first line: what must be the same, as JSON gives it back."""
    stat = None  # a video that is not there ends in a reason of its own
    with suppress(OSError, ValueError):
        found = os.stat(source)
        stat = [found.st_size, found.st_mtime_ns]
    head = {
        "form": FORM,
        "video": os.fsencode(source).hex(),
        "stat": stat,
        "facts": dict(facts),
    }
    parsed: dict[str, Any] = json.loads(json.dumps(head))
    return parsed


def _json_of(frame: JournalFrame, crops: bool) -> dict[str, Any]:
    return {
        "time": frame.time,
        "cuts": frame.change.cuts,
        "gradual": frame.change.gradual,
        "lost": frame.lost,
        "faces": [
            {
                "box": face.box,
                "landmarks": face.landmarks,
                "score": face.score,
                "roll": face.roll,
                "unclear": face.orientation_unclear,
                "within": face.within,
                "pair": seen.face.probabilities,
                "uncertain": seen.face.uncertain,
                "weight": seen.weight,
                "looks": _text(seen.looks.astype(np.float16)),
                "crop": None if crop is None or not crops else [crop.shape, _text(crop)],
            }
            for seen, crop in zip(frame.sightings, frame.crops, strict=True)
            for face in (seen.face.face,)
        ],
    }


def _frame_of(line: dict[str, Any]) -> JournalFrame:
    faces = line["faces"]
    cuts = line["cuts"]
    lost = line["lost"]
    return JournalFrame(
        line["time"],
        Change(None if cuts is None else (cuts[0], cuts[1]), line["gradual"]),
        None if lost is None else (lost[0], lost[1], lost[2]),
        tuple(map(_sighting_of, faces)),
        tuple(None if face["crop"] is None else _crop_of(*face["crop"]) for face in faces),
    )


def _sighting_of(found: dict[str, Any]) -> Sighting:
    points, within = found["landmarks"], found["within"]
    x, y, width, height = found["box"]
    face = Face(
        (x, y, width, height),
        None if points is None else tuple((across, down) for across, down in points),
        found["score"],
        found["roll"],
        found["unclear"],
        None if within is None else (within[0], within[1]),
    )
    female, male = found["pair"]
    looks = np.frombuffer(base64.b64decode(found["looks"]), np.float16).astype(np.float32)
    return Sighting(
        FacePrediction(face, (female, male), found["uncertain"]), looks, found["weight"]
    )


def _crop_of(shape: list[int], text: str) -> Photo:
    crop: Photo = np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape)
    return crop


def _text(array: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
