"""What `predict` writes and where, checked before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facegender.cli._summary import Summary
    from facegender.cli._writers import Sink
    from facegender.prediction.outputs import OutputSettings
    from facegender.prediction.predictor import Predictor


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the answers go, and what is kept beside them.

    Attributes:
        file: the file of answers; None is stdout, or the folder that an archive is scored to.
        form: their format, as of `writers.format_of`.
        annotate, crops, sort, frames, subtitles: folders, or None.
        copy: copy into the sorted folders instead of linking.
        only: the answers that are shown and kept, an `AnswerKind`; None means all.
        summary: the groups that answers are also counted by, or None.
        resume: go on with the answers in `file`.
        force: replace a file that was not written by a run like this one.
    """

    file: Path | None
    form: str
    annotate: Path | None
    crops: Path | None
    sort: Path | None
    copy: bool
    frames: Path | None
    subtitles: Path | None
    only: str | None
    summary: str | None
    resume: bool
    force: bool

    def check(self, *, archive: bool) -> None:
        """Refuse what cannot be, or would cost somebody a file.

        Args:
            archive: the answers go to the Parquet files of an archive.

        Raises:
            UsageError: it says which.
        """
        from facegender.choices import AnswerKind
        from facegender.errors import UsageError
        from facegender.options import check_choice

        check_choice("--only", self.only, AnswerKind)
        if self.copy and self.sort is None:
            raise UsageError("--copy needs --sort", "Add --sort DIR.")
        if not archive:
            self._check_file()

    def _check_file(self) -> None:
        from facegender.errors import UsageError
        from facegender.runtime.own_files import refuse_foreign

        if self.summary is not None and self.file is None and self.form != "table":
            raise UsageError(
                "--summary and the answers would mix on stdout",
                "Write the answers to --output FILE.",
            )
        if self.resume and not self.grows:
            raise UsageError(
                "--resume goes on with a file of JSON lines or CSV",
                "Add --output FILE.jsonl or --output FILE.csv.",
            )
        if self.file is not None:
            refuse_foreign(self.file, force=self.force)

    @property
    def grows(self) -> bool:
        """Whether a stopped run leaves the answers that it has."""
        from facegender.cli._writers import GROWING

        return self.file is not None and self.form in GROWING

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that are written to."""
        kept = (self.annotate, self.crops, self.sort, self.frames, self.subtitles)
        return tuple(folder for folder in kept if folder is not None)

    def of_photos(self, predictor: Predictor) -> OutputSettings:
        """Return what is kept of each photo."""
        from facegender.prediction.outputs import OutputSettings

        geometry = predictor.bundle.geometry
        return OutputSettings(geometry, self.annotate, self.crops, self.sort, self.copy, self.only)

    def facts(self, predictor: Predictor, *, detect: bool) -> dict[str, Any]:
        """What must be the same for answers to stand in one file; see `open_answers`."""
        return {
            "schema": 1,
            "format": self.form,
            "model": predictor.bundle.fingerprint,
            "threshold": predictor.threshold,
            "detector": predictor.detector.describe() if detect else None,
            "only": self.only,
            "copy": self.copy,
            "annotate": _text(self.annotate),
            "crops": _text(self.crops),
            "sort": _text(self.sort),
        }

    def open(
        self, predictor: Predictor, facts: Mapping[str, Any], *, videos: bool
    ) -> AbstractContextManager[Sink]:
        """Open what takes the answers; see `writers.opened`."""
        from facegender.cli import _writers as writers

        return writers.opened(
            self.file,
            self.form,
            predictor,
            facts,
            videos=videos,
            resume=self.resume,
            force=self.force,
        )

    @contextmanager
    def naming_what_is_kept(self, totals: Summary) -> Iterator[None]:
        """Say at an interruption what is on disk, and how to go on."""
        from facegender.errors import Interrupted

        try:
            yield
        except Interrupted as stop:
            if self.file is None and self.form == "json":
                raise Interrupted(
                    "stopped; the JSON on stdout is incomplete",
                    "Print --jsonl, where each line is whole, or write to --output FILE.jsonl, "
                    "which --resume continues.",
                    stop.signal_number,
                ) from None
            if not self.grows:
                raise
            raise Interrupted(
                f"stopped; {totals.all.photos:,} answers are in {self.file}",
                "Run the same command with --resume to continue.",
                stop.signal_number,
            ) from None


def _text(path: Path | None) -> str | None:
    return None if path is None else os.path.abspath(path)
