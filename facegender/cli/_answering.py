"""Running `predict`: loading the model, predicting, reporting failures, counting and progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from facegender.cli._destination import Destination
    from facegender.cli._inputs import Inputs, Named
    from facegender.cli._summary import Summary
    from facegender.cli._video import VideoOptions
    from facegender.cli._writers import Sink
    from facegender.prediction.outputs import OutputSettings, PredictedPhoto, WrittenOutputs
    from facegender.prediction.predictor import Predictor
    from facegender.runtime.parallel import Ready


SLICE: Final = 0.02
"""Seconds of counting photos between two answers."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The model asked for, and how it looks at photos: the arguments of `Predictor`."""

    model: Path | None
    threshold: float | None
    workers: int | None
    detect: bool
    min_face: int | None
    min_score: float | None

    def load(self, *, quiet: bool) -> Predictor:
        """Load the model and say which one it is."""
        from facegender.cli import _console as console
        from facegender.prediction.predictor import Predictor

        predictor = Predictor(
            self.model,
            threshold=self.threshold,
            workers=self.workers,
            detect=self.detect,
            min_face=self.min_face,
            min_score=self.min_score,
        )
        bundle = predictor.bundle
        if not quiet:
            console.note(
                f"Model: {bundle.folder} ({predictor.chosen}, fingerprint {bundle.fingerprint})"
            )
        if predictor.other_detector:
            console.warn(
                f"the model was trained with the detector {predictor.other_detector}, which is "
                "not installed here: its crops differ a little."
            )
        return predictor


class Failures:
    """Prints a line on stderr for each failure, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, name: str, why: str) -> None:
        from facegender.cli import _console as console

        self.count += 1
        console.failed(name, why)


def answer_all(
    photos: list[str],
    how: Inputs,
    asked: ModelOptions,
    goal: Destination,
    films: VideoOptions,
    totals: Summary,
    *,
    quiet: bool,
) -> bool:
    """Answer the photos and videos meant, write and count the answers; whether any failed.

    Raises:
        DataError: there are none.
        Interrupted: what was answered is written.
    """
    from facegender.cli import _inputs as inputs
    from facegender.cli import _video as video
    from facegender.errors import DataError

    failed = Failures()
    named = inputs.expand(photos, how, failed)
    first = next(named, None)
    if first is None:
        raise DataError(f"there is no photo{' or video' * how.videos} to predict", "")
    predictor = asked.load(quiet=quiet)
    mixed = goal.form == "csv" and films.any_in(first, photos, how)
    facts = goal.facts(predictor, detect=asked.detect) | films.facts(mixed)
    opened = goal.open(predictor, facts, videos=mixed)
    films = films.kept_beside(goal.file, goal.form, facts, resume=goal.resume, force=goal.force)

    def answered(some: Iterator[Named]) -> Iterator[WrittenOutputs]:
        jobs = jobs_of(some, predictor, how.listed.ready)
        return kept_of(jobs, goal.of_photos(predictor), asked.workers, how.listed.ready)

    with goal.naming_what_is_kept(totals), films.keeping(), opened as sink:
        films.before_video(sink.flush)
        for earlier in sink.before:
            totals.add(earlier.path, earlier.tally)
        missing = (one for one in chain([first], named) if not sink.is_answered(one.name))
        kept = reported(video.split(missing, films, answered, predictor), failed)
        again = counted_ahead(photos, how)
        # Lines that come one by one on the same terminal would tear the bar apart.
        torn = goal.file is None and sys.stdout.isatty() and goal.form != "table"
        shown = collected(counted(kept, again, totals.all.photos, quiet or torn), sink, totals)
    _close(goal, totals, shown, quiet=quiet)
    return bool(failed.count or totals.all.failed)


def _close(goal: Destination, totals: Summary, shown: int, *, quiet: bool) -> None:
    """Print the counts that were asked for, and one line: what was found and written."""
    from facegender.cli import _console as console

    if goal.summary is not None:
        console.print_table(totals.table())
    if not quiet:
        places = (path for path in (goal.file, *goal.folders) if path is not None)
        files = [path for path in places if os.path.exists(path)]  # a folder once a file is in it
        console.note(totals.closing_line(files, shown=shown, only=goal.only))


def jobs_of(
    photos: Iterable[Named], predictor: Predictor, ready: Ready
) -> Iterator[PredictedPhoto]:
    """Yield the prediction of each photo, together with the photo."""
    from dataclasses import replace

    from facegender.prediction.outputs import PredictedPhoto

    keyed = ((photo, photo.source) for photo in photos)
    for photo, prediction in predictor.stream_keyed(keyed, ready=ready):
        yield PredictedPhoto(photo.source, photo.place, replace(prediction, path=photo.name))


def counted(
    written: Iterable[WrittenOutputs],
    names: Iterator[object] | None,
    before: int,
    no_bar: bool,
) -> Iterator[WrittenOutputs]:
    """Show a bar until the last answer is there; a table is printed after it is gone.

    Args:
        written: the answers.
        names: the photos once more, to be counted beside the work; None where they cannot be.
        before: photos that an earlier run answered.
        no_bar: show none.
    """
    from facegender.cli import _console as console

    with console.progress("Predicting", quiet=no_bar) as on_progress:
        if on_progress is None:
            yield from written
            return
        count = _Count(names)
        on_progress(before, count.known(before))
        for done, result in enumerate(written, start=before + 1):
            on_progress(done, count.known(done))
            yield result


def counted_ahead(photos: list[str], how: Inputs) -> Iterator[Named] | None:
    """Return the photos once more, where they can be counted without reading any."""
    from facegender.cli import _inputs as inputs
    from facegender.images.download import is_url

    if how.stdin_image or "-" in photos or any(map(is_url, photos)):
        return None
    return inputs.expand(photos, how, lambda _name, _why: None)


class _Count:
    """Counts photos a little at a time, so that large folders do not keep the first one waiting."""

    def __init__(self, names: Iterator[object] | None) -> None:
        self._names = names
        self._seen = 0

    def known(self, done: int) -> int:
        """Return how many photos there are, or at least `done` as far as that is known."""
        import time

        if self._names is not None:
            end = time.monotonic() + SLICE
            for _ in self._names:
                self._seen += 1
                if time.monotonic() >= end:
                    break
            else:
                self._names = None
        return max(self._seen, done)


def kept_of(
    jobs: Iterable[PredictedPhoto], wanted: OutputSettings, workers: int | None, ready: Ready
) -> Iterator[WrittenOutputs]:
    """Write what is to be kept of each photo that is shown, on all cores."""
    from functools import partial

    from facegender.images.decode import KILLED
    from facegender.prediction.outputs import WrittenOutputs, is_shown, write_outputs
    from facegender.runtime.parallel import ordered_map

    if not wanted.wanted:
        answers = (job.prediction for job in jobs)
        return (WrittenOutputs(one, shown=is_shown(one, wanted.only)) for one in answers)
    return ordered_map(
        partial(write_outputs, wanted=wanted),
        jobs,
        workers=workers,
        ready=ready,
        on_death=lambda job: WrittenOutputs(job.prediction, error=KILLED),
    )


def collected(results: Iterable[WrittenOutputs], sink: Sink, totals: Summary) -> int:
    """Write and count every answer; return how many photos were shown."""
    from facegender.prediction.tally import tally_of

    shown = 0
    for result in results:
        totals.add(result.prediction.path or "", tally_of(result.prediction))
        shown += result.shown
        sink.add(result.prediction, shown=result.shown)
    return shown


def reported(kept: Iterable[WrittenOutputs], failed: Failures) -> Iterator[WrittenOutputs]:
    """Report every photo that could not be used or kept, and hand on the answers."""
    from facegender.cli import _console as console

    copied = elsewhere = 0
    for result in kept:
        prediction = result.prediction
        if prediction.error is not None:
            failed(prediction.path or "", prediction.error.message)
        if result.error:
            failed(prediction.path or "", result.error)
        copied += result.copied
        elsewhere += result.elsewhere
        yield result
    if copied:
        console.warn(f"links are not supported here: {copied:,} photos were copied instead.")
    if elsewhere:
        console.warn(
            f"{elsewhere:,} photos are also in another sorted folder, from an earlier run with "
            "other answers; sort into an empty folder to avoid this."
        )
