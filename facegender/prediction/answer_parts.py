"""Reading answers in Parquet, as `predict --engine ray` writes them, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from facegender.errors import DataError, FaceGenderError
from facegender.labels import LABELS

ARCHIVE: Final = "_facegender.json"
"""Describes a folder of answers; readers of Parquet skip names with a leading underscore."""
PART: Final = "part-"
"""Prefix of its answer files."""
SUFFIX: Final = ".parquet"
_BATCH: Final = 10_000
_COLUMNS: Final = ("path", "error", "faces", "tracks")
_EXPECTED = "Expected what `facegender predict --engine ray` writes."


def is_parts(place: Path) -> bool:
    """Tell whether a path is a folder of answers in Parquet, or a file of them."""
    return place.suffix.lower() == SUFFIX or (place / ARCHIVE).is_file()


@dataclass(slots=True)
class AnswerParts:
    """Answers in Parquet; see `answers.AnswersFile`, whose interface this has.

    Args:
        place: a folder with `ARCHIVE` in it, or one file.

    Attributes:
        position, size: files read so far, and in all.
        head: as in the JSON; ``complete`` is False while photos of the run have no answer.
    """

    place: Path
    head: dict[str, Any] = field(default_factory=dict)
    position: int = 0
    size: int = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the elements in the order of the list that was answered.

        Raises:
            DataError: the files cannot be read or are something else.
            FaceGenderError: pyarrow is not installed.
        """
        files = [self.place]
        if self.place.is_dir():
            self._read_manifest()
            files = sorted(self.place.glob(f"{PART}*{SUFFIX}"))
            if not files:
                raise DataError(f"{self.place} holds no answers yet", "Run predict to its end.")
        self.size = len(files)
        for self.position, file in enumerate(files):
            yield from _elements(file)
        self.position = self.size

    def _read_manifest(self) -> None:
        file = self.place / ARCHIVE
        try:
            manifest = json.loads(file.read_text("utf-8"))
            self.head = {"model": {"fingerprint": manifest["fingerprint"]}}
            self.head["complete"] = bool(manifest["complete"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file} cannot be understood: {error}", _EXPECTED) from None


def _elements(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the photos of one file."""
    parquet, arrow_error = _arrow()
    try:
        with parquet.ParquetFile(file) as stored:
            columns = [name for name in _COLUMNS if name in stored.schema_arrow.names]
            for batch in stored.iter_batches(_BATCH, columns=columns):
                yield from _photos(batch)
    except (arrow_error, OSError) as error:
        raise DataError(f"cannot read {file}: {error}", _EXPECTED) from None
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{file} has other columns than answers: {error}", _EXPECTED) from None


def _photos(batch: Any) -> Iterator[dict[str, Any]]:
    """Yield the photos of a batch; columns at once, since a face at a time takes ten times as long.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: they are no answers.
    """
    column = batch.column("faces")
    counts = [count or 0 for count in column.value_lengths().to_pylist()]
    faces = column.flatten()
    boxes = faces.field("box").flatten().to_numpy(zero_copy_only=False).reshape(-1, 4).tolist()
    pair = [
        faces.field("probabilities").field(name).to_numpy(zero_copy_only=False).tolist()
        for name in LABELS
    ]
    if any(not 0 <= value <= 1 for values in pair for value in values):
        raise ValueError("a probability is none")
    units = [
        {"box": box, "probabilities": dict(zip(LABELS, both, strict=True))}
        for box, both in zip(boxes, zip(*pair, strict=True), strict=True)
    ]
    first = 0
    rows = zip(batch.column("path").to_pylist(), batch.column("error").to_pylist(), strict=True)
    tracks = batch.column("tracks") if "tracks" in batch.schema.names else None
    for number, ((path, error), count) in enumerate(zip(rows, counts, strict=True)):
        element = {"path": path or "", "error": error}
        if tracks is not None and tracks[number].is_valid:
            yield element | {"tracks": tracks[number].as_py()}
        else:
            yield element | {"faces": units[first : first + count]}
        first += count


def _arrow() -> tuple[Any, type[Exception]]:
    """Return pyarrow's reader of Parquet, and the base of its errors."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise FaceGenderError(
            "answers in Parquet need pyarrow, which is not installed",
            "Install it with: pip install pyarrow",
        ) from None
    return parquet, pyarrow.ArrowException
