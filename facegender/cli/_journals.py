"""Where `facegender predict` keeps how far it is in a video, for `--resume`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from facegender.prediction.video_journal import VideoJournal


class Journals:
    """The journal of the video that is read, hidden beside the answers.

    Args:
        output: the file of answers.
        facts: what must be the same for answers to stand in it.
        resume: go on in a video that an earlier run began.

    Attributes:
        before_video: called before a video is read, which may take hours.
    """

    def __init__(self, output: Path, facts: Mapping[str, Any], *, resume: bool) -> None:
        self.path = output.with_name(f".{output.name}.facegender-video")
        self._facts, self._resume = facts, resume
        self.before_video: Callable[[], None] = lambda: None

    @classmethod
    def beside(
        cls, output: Path | None, form: str, facts: Mapping[str, Any], *, resume: bool, force: bool
    ) -> Self | None:
        """Return them for a file of answers that grows; None for any other output.

        Raises:
            UsageError: a run stopped within a video, and neither `resume` nor `force` is given.
            FaceGenderError: that run has not stopped.
        """
        from facegender.cli._writers import GROWING

        if output is None or form not in GROWING or (output.exists() and not output.is_file()):
            return None
        journals = cls(output, facts, resume=resume)
        if not (resume or force) and journals.path.exists():
            journals._refuse_unfinished(output)
        return journals

    def _refuse_unfinished(self, output: Path) -> None:
        from facegender.errors import UsageError
        from facegender.runtime.files import lock_target

        with lock_target(output, "predict"):  # who reads a video still holds it
            if self.path.exists():
                raise UsageError(
                    f"a run that wrote {output} stopped within a video",
                    "Continue with --resume, or start over with --force.",
                )

    def opened(self, source: str, *, crops: bool) -> VideoJournal:
        """Return the journal of a video.

        Raises:
            FaceGenderError: it cannot be written.
        """
        from facegender.prediction.video_journal import VideoJournal

        self.before_video()
        if not self._resume:
            self.forget()
        self._resume = False
        return VideoJournal(self.path, source, self._facts, crops=crops)

    def forget(self) -> None:
        """Remove the journal: all videos are answered."""
        self.path.unlink(missing_ok=True)
