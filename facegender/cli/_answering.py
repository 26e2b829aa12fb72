"""From the photos that `predict` was given to its answers, reported and counted on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facegender.cli._console import OnProgress
    from facegender.cli._inputs import Inputs, Named
    from facegender.prediction.outputs import OutputSettings, PredictedPhoto
    from facegender.prediction.predictor import Prediction, Predictor
    from facegender.runtime.parallel import Ready


class Failures:
    """Prints a line on stderr for everything that failed, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, name: str, why: str) -> None:
        from facegender.cli import _console as console

        self.count += 1
        console.failed(name, why)


def spared(photos: Iterable[Named], output: Path | None) -> Iterator[Named]:
    """Pass the photos on, but refuse to write the answers over one of them."""
    from facegender.errors import UsageError

    there = output is not None and output.is_file()
    for photo in photos:
        source = photo.source if isinstance(photo.source, str) else ""
        if there and output is not None and os.path.exists(source) and output.samefile(source):
            raise UsageError(f"--output {output} is one of the photos", "Choose another name.")
        yield photo


def jobs_of(
    photos: Iterable[Named], predictor: Predictor, ready: Ready
) -> Iterator[PredictedPhoto]:
    """Predict; every answer is joined with the photo that it belongs to."""
    from dataclasses import replace

    from facegender.prediction.outputs import PredictedPhoto

    keyed = ((photo, photo.source) for photo in photos)
    for photo, prediction in predictor.stream_keyed(keyed, ready=ready):
        yield PredictedPhoto(photo.source, photo.place, replace(prediction, path=photo.name))


def counted(
    predictions: Iterable[Prediction], photos: list[str], how: Inputs, no_bar: bool
) -> Iterator[Prediction]:
    """Show a bar until the last answer is there; a table is printed after it is gone."""
    from facegender.cli import _console as console

    with console.progress("Predicting", quiet=no_bar) as on_progress:
        total = _total(photos, how, on_progress)
        for done, prediction in enumerate(predictions, start=1):
            if on_progress is not None:
                on_progress(done, max(done, total))
            yield prediction


def _total(photos: list[str], how: Inputs, on_progress: OnProgress | None) -> int:
    """Count the photos ahead where a bar is shown and they can be counted without reading them."""
    from facegender.cli import _inputs as inputs
    from facegender.images.download import is_url

    if on_progress is None or how.stdin_image or "-" in photos or any(map(is_url, photos)):
        return 0
    return sum(1 for _ in inputs.expand(photos, how, lambda _name, _why: None))


def kept_of(
    jobs: Iterable[PredictedPhoto], wanted: OutputSettings, workers: int | None, ready: Ready
) -> Iterator[Any]:
    """Write what is to be kept of each photo, on all cores."""
    from functools import partial

    from facegender.images.decode import KILLED
    from facegender.prediction.outputs import WrittenOutputs, write_outputs
    from facegender.runtime.parallel import ordered_map

    if not wanted.wanted:
        return (WrittenOutputs(job.prediction) for job in jobs)
    return ordered_map(
        partial(write_outputs, wanted=wanted),
        jobs,
        workers=workers,
        ready=ready,
        on_death=lambda job: WrittenOutputs(job.prediction, error=KILLED),
    )


def reported(kept: Iterable[Any], failed: Failures) -> Iterator[Prediction]:
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
        yield prediction
    if copied:
        console.warn(f"links cannot be made here: {copied:,} photos were copied instead.")
    if elsewhere:
        console.warn(
            f"{elsewhere:,} photos also lie in another sorted folder, from an earlier run with "
            "other answers; sort into an empty folder to be rid of them."
        )
