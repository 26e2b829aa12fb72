"""Scoring millions of photos to Parquet, on all cores of a machine or a Ray cluster.

Each shard is a row of a Ray dataset. Ray Data's actors, each with a `Predictor`, turn rows into
answer files. That each photo is answered exactly once does not depend on Ray: a file is named by
its shard, is written atomically, and is replaced by the same content if Ray repeats a shard.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from facegender._version import __version__
from facegender.archive import cluster
from facegender.archive.buckets import import_extra
from facegender.archive.shards import (
    SCHEMA,
    SHARD_SIZE,
    Plan,
    make_plan,
    read_manifest,
    refuse_other,
    write_manifest,
)
from facegender.archive.sources import Reader
from facegender.archive.store import Folder, LocalFolder, open_folder
from facegender.archive.worker import BEGUN, Done, ScoringJob
from facegender.errors import DataError, FaceGenderError, Interrupted
from facegender.images.download import DownloadLimits
from facegender.images.video import DEFAULT_SAMPLING, Sampling
from facegender.labels import LABELS
from facegender.options import check_number, check_workers
from facegender.prediction.answer_parts import PART
from facegender.prediction.predictor import Predictor
from facegender.runtime.files import lock, remove_leftovers

PLAN: Final = "_plan-"
IN_A_ROW: Final = 20
"""Number of consecutive failed shards after which the run stops."""

OnProgress = Callable[[int, int], None]
"""Called with (photos done, photos of this run)."""
OnFailure = Callable[[str, str], None]
"""Called with (path, why) of photos that could not be used: the first few of every shard."""


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Settings for scoring an archive.

    Attributes:
        shard_size: photos per answer file.
        workers: number of single-core processes; None means all cores.
        limits: of downloads from the web; None refuses addresses.
        sampling: the frames of videos that are looked at.
    """

    shard_size: int = SHARD_SIZE
    workers: int | None = None
    limits: DownloadLimits | None = None
    sampling: Sampling = DEFAULT_SAMPLING

    def __post_init__(self) -> None:
        check_number("--shard-size", self.shard_size, 1)
        check_workers(self.workers)


@dataclass(frozen=True, slots=True)
class ArchiveResult:
    """The result of a run.

    Attributes:
        output: where the answers are.
        photos: number of photos in the list.
        shards: number of answer files.
        scored: photos that this run scored.
        failed: those that could not be used; their rows say why.
        faces: number of faces found.
    """

    output: str
    photos: int
    shards: int
    scored: int = 0
    failed: int = 0
    faces: int = 0


def score_archive(
    names: Iterable[str],
    output: str | os.PathLike[str],
    predictor: Predictor,
    settings: ArchiveSettings | None = None,
    *,
    on_progress: OnProgress | None = None,
    on_failure: OnFailure | None = None,
) -> ArchiveResult:
    """Score the photos of a list that have no answer yet.

    Args:
        names: paths, addresses in buckets (``s3://``, ``gs://``) or on the web. They are read
            once, and not held in memory.
        output: folder of the answers, on a disk shared by all workers or in a bucket. The same
            list, model and options give the same files, so a second run continues.
        predictor: the model and its options.
        settings: see `ArchiveSettings`.
        on_progress, on_failure: callbacks.

    Raises:
        UsageError: the folder holds something else, or answers of other photos, another model
            or other options.
        DataError: the list is empty.
        FaceGenderError: some shards have no answers; the message says why.
        Interrupted: a signal arrived; finished shards are kept.
    """
    settings = settings or ArchiveSettings()
    import_extra("ray")
    folder = open_folder(output)
    with _held(folder):
        facts = _facts(predictor, settings)
        there = read_manifest(folder)
        if there is not None:
            refuse_other(folder, there, facts)
        there_files = frozenset(folder.names())
        _sweep(folder, there_files)
        job = ScoringJob(
            model={path.name: path.read_bytes() for path in _files(predictor)},
            threshold=predictor.threshold,
            detector=predictor.detector,
            output=folder,
            plan=f"{PLAN}{uuid.uuid4().hex}",
            reader=Reader(os.getcwd(), settings.limits),
            far=cluster.is_far(),
            sampling=settings.sampling,
        )
        try:
            with folder.opened(job.plan) as stream:
                plan = make_plan(names, settings.shard_size, job.reader, there_files, stream)
            if not plan.photos:
                raise DataError("there is no photo or video to predict", "")
            facts |= {"photos": plan.photos, "shards": plan.shards, "input": plan.digest}
            if there is not None:
                refuse_other(folder, there, facts)
            facts["model"] = str(predictor.bundle.folder)
            write_manifest(folder, facts | {"complete": not plan.missing})
            result = _Run(plan, folder, on_progress, on_failure).run(job, settings.workers)
            write_manifest(folder, facts | {"complete": True})
            return result
        finally:
            folder.remove(job.plan)
            _sweep(folder, folder.names())


class _Run:
    """Counts finished shards, and decides when to stop."""

    def __init__(
        self,
        plan: Plan,
        folder: Folder,
        on_progress: OnProgress | None,
        on_failure: OnFailure | None,
    ) -> None:
        self.plan = plan
        self.result = ArchiveResult(str(folder), plan.photos, plan.shards)
        self.on_progress = on_progress
        self.on_failure = on_failure
        self.troubles: list[str] = []
        self.in_a_row = 0
        self.answered = 0

    def run(self, job: ScoringJob, workers: int | None) -> ArchiveResult:
        """Score the missing shards."""
        if not self.plan.missing:
            return self.result
        try:
            with cluster.started(workers) as number:
                for done in cluster.run(self.plan.missing, job, number):
                    self._count(done)
        except (KeyboardInterrupt, Interrupted) as stop:
            raise Interrupted(
                f"stopped; {self._there(job):,} of {self.plan.shards:,} files of answers are in "
                f"{self.result.output}",
                "Run the same command to continue.",
                getattr(stop, "signal_number", 2),
            ) from None
        lacking = len(self.plan.missing) - self.answered
        if lacking:
            raise self._gave_up(lacking)
        return self.result

    def _there(self, job: ScoringJob) -> int:
        """Return the number of answer files: workers may have written more than they reported."""
        try:
            return sum(name.startswith(PART) for name in job.output.names())
        except FaceGenderError:
            return self.plan.shards - len(self.plan.missing) + self.answered

    def _count(self, done: Done) -> None:
        if done.trouble:
            self.troubles.append(done.trouble)
            self.in_a_row += 1
            if done.hopeless or self.in_a_row >= IN_A_ROW:
                raise self._gave_up(len(self.plan.missing) - self.answered)
            return
        self.in_a_row = 0
        self.answered += 1
        old = self.result
        self.result = replace(
            old,
            scored=old.scored + done.photos,
            failed=old.failed + done.failed,
            faces=old.faces + done.faces,
        )
        if self.on_failure is not None:
            for path, why in done.failures:
                self.on_failure(path, why)
        if self.on_progress is not None:
            self.on_progress(self.result.scored, self.plan.photos_missing)

    def _gave_up(self, lacking: int) -> FaceGenderError:
        why = self.troubles[0] if self.troubles else "their workers did not answer."
        return FaceGenderError(
            f"{lacking:,} of {self.plan.shards:,} files of answers are missing: {why}",
            "Finished shards are kept; run the same command to score the missing ones.",
        )


def _facts(predictor: Predictor, settings: ArchiveSettings) -> dict[str, Any]:
    """Return what must be equal for answers to be combined."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "fingerprint": predictor.bundle.fingerprint,
        "labels": list(LABELS),
        "threshold": predictor.threshold,
        **predictor.detector.describe(),
        "shard_size": settings.shard_size,
        "sampling": asdict(settings.sampling) if settings.sampling != DEFAULT_SAMPLING else None,
    }


def _files(predictor: Predictor) -> list[Path]:
    """Return the manifest of the model folder and the files that it names."""
    bundle = predictor.bundle
    return [bundle.folder / "facegender.json", *bundle.files.values()]


def _held(folder: Folder) -> AbstractContextManager[None]:
    """Allow one run at a time in a local folder. Buckets have no locks, but files still agree."""
    return lock(folder.path, "predict") if isinstance(folder, LocalFolder) else nullcontext()


def _sweep(folder: Folder, names: Iterable[str]) -> None:
    """Remove leftovers of killed runs; not in a bucket, where another run may need its plan."""
    ours = (BEGUN, PLAN) if isinstance(folder, LocalFolder) else (BEGUN,)
    if isinstance(folder, LocalFolder):
        remove_leftovers(folder.path)
    for name in names:
        if name.startswith(ours):
            folder.remove(name)
