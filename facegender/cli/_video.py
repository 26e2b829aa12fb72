"""Videos in `facegender predict`: options, the way to a video's answer, and what is shown."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer

from facegender.cli._options import output_folder

if TYPE_CHECKING:
    from rich.table import Table

    from facegender.cli._destination import Destination
    from facegender.cli._inputs import Inputs, Named
    from facegender.cli._journals import Journals
    from facegender.images.video import Sampling
    from facegender.prediction.outputs import WrittenOutputs
    from facegender.prediction.predictor import Predictor
    from facegender.prediction.video import VideoPrediction
    from facegender.prediction.video_journal import VideoJournal
    from facegender.prediction.video_outputs import VideoOutputSettings

PANEL: Final = "Videos"

Fps = Annotated[
    float | None,
    typer.Option(
        metavar="N", help="Frames a second to look at. Default: 5.", rich_help_panel=PANEL
    ),
]
Keyframes = Annotated[
    bool,
    typer.Option("--keyframes", help="Look at the keyframes only: fast.", rich_help_panel=PANEL),
]
Start = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Begin there: seconds or h:mm:ss.", rich_help_panel=PANEL),
]
End = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="End there: seconds or h:mm:ss.", rich_help_panel=PANEL),
]
Frames = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        callback=output_folder,
        help="Write a table of all faces there, a row a face and frame; follow animated GIF, "
        "WebP and AVIF too.",
        rich_help_panel=PANEL,
    ),
]
Subtitles = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        callback=output_folder,
        help="Write ASS and WebVTT there.",
        rich_help_panel=PANEL,
    ),
]

CSV_COLUMNS: Final = ("start", "end", "seconds", "best", "start_time", "end_time")
"""What a CSV has beside a photo's columns where videos are among the photos: seconds, and start
and end as h:mm:ss.mmm as well. A video has a row a track."""


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """What the user asked for.

    Attributes:
        sampling: the frames that are looked at.
        outputs: what is left on disk.
        sort: folder that photos are sorted into, and videos too, or None.
        copy: copy there instead of linking.
        only: the answers that are shown and kept; see `outputs.is_shown`.
        given: an option that only videos have was given.
        journals: keep the frames of the video that is read, to go on within it; or None.
    """

    sampling: Sampling
    outputs: VideoOutputSettings
    sort: Path | None
    copy: bool
    only: str | None
    given: bool
    journals: Journals | None = None

    def takes(self, named: Named) -> bool:
        """Whether a file is followed as a video."""
        from facegender.images.animation import is_animated
        from facegender.images.footage import begins_as_video, is_video_name

        if not isinstance(named.source, str):
            return False
        if self.outputs.frames is not None and is_animated(named.source):
            return True
        known = named.source.lower().endswith(_photo_suffixes())
        return is_video_name(named.source) or (not known and begins_as_video(named.source))

    def any_in(self, first: Named, arguments: list[str], how: Inputs) -> bool:
        """Whether videos are to be expected: by an option, the first name, or those in folders.

        Names that come on stdin are not known ahead.
        """
        from facegender.cli import _inputs as inputs
        from facegender.images.download import is_url

        if self.given or self.takes(first):
            return True
        known = [name for name in arguments if name != "-" and not is_url(name)]
        if how.stdin_image or not known:
            return False
        return any(map(self.takes, inputs.expand(known, how, lambda _name, _why: None)))

    def kept_beside(
        self, output: Path | None, form: str, facts: Mapping[str, Any], *, resume: bool, force: bool
    ) -> Self:
        """Return the same with journals where they can be kept; see `Journals.beside`."""
        from dataclasses import replace

        from facegender.cli._journals import Journals

        journals = Journals.beside(output, form, facts, resume=resume, force=force)
        return replace(self, journals=journals)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Remove what was kept of videos once the block has ended without an error."""
        yield
        if self.journals is not None:
            self.journals.forget()

    def before_video(self, call: Callable[[], None]) -> None:
        """Call this before a video is read, which may take hours."""
        if self.journals is not None:
            self.journals.before_video = call

    def journal_of(self, source: str) -> VideoJournal | None:
        """Return the journal of a video where one is kept."""
        if self.journals is None:
            return None
        return self.journals.opened(source, crops=self.outputs.crops is not None)

    def facts(self, mixed: bool) -> dict[str, Any]:
        """What must be the same for answers to stand in one file."""
        from dataclasses import asdict

        folders = {
            name: None if path is None else os.path.abspath(path)
            for name, path in asdict(self.outputs).items()
            if name in ("frames", "subtitles")
        }
        return {"sampling": asdict(self.sampling), "video_columns": mixed} | folders


def warn_once() -> Callable[[], None]:
    """Return what tells, the first time it is called, that videos in folders are left out."""
    told = False

    def warn() -> None:
        from facegender.cli import _console as console
        from facegender.images.video import INSTALL

        nonlocal told
        if not told:
            console.warn(f"videos in folders are left out: PyAV is not installed. {INSTALL}")
        told = True

    return warn


def options_of(
    fps: float | None,
    keyframes: bool,
    start: str | None,
    end: str | None,
    goal: Destination,
) -> VideoOptions:
    """Check the options of videos.

    Raises:
        UsageError: one is out of range, malformed, or contradicts another.
        FaceGenderError: a package is missing that one needs.
    """
    from facegender.errors import UsageError
    from facegender.images.clock import parse_clock
    from facegender.images.video import Sampling
    from facegender.prediction.subtitles import refuse_without_pysubs2
    from facegender.prediction.video_outputs import VideoOutputSettings

    if keyframes and fps is not None:
        raise UsageError("--keyframes and --fps contradict each other", "Give one of them.")
    if goal.subtitles is not None:
        refuse_without_pysubs2()
    sampling = Sampling(
        5.0 if fps is None else fps,
        keyframes,
        0.0 if start is None else parse_clock(start),
        None if end is None else parse_clock(end),
    )
    given = any(one is not None for one in (fps, start, end, goal.subtitles, goal.frames))
    outputs = VideoOutputSettings(goal.annotate, goal.subtitles, goal.crops, goal.frames)
    return VideoOptions(
        sampling, outputs, goal.sort, goal.copy, goal.only, given=given or keyframes
    )


def split(
    named: Iterable[Named],
    options: VideoOptions,
    photos: Callable[[Iterator[Named]], Iterator[WrittenOutputs]],
    predictor: Predictor,
) -> Iterator[WrittenOutputs]:
    """Answer photos together as far as they follow each other, and each video by itself, in order.

    Args:
        named: photos and videos.
        options: tell one from the other.
        photos: answers some photos.
        predictor: answers videos.
    """
    rest = iter(named)
    waiting: list[Named] = []

    def run() -> Iterator[Named]:
        for one in rest:
            if options.takes(one):
                waiting.append(one)
                return
            yield one

    while True:
        first = next(rest, None) if not waiting else None
        if waiting:
            yield answer(waiting.pop(), predictor, options)
        elif first is None:
            return
        elif options.takes(first):
            yield answer(first, predictor, options)
        else:
            from itertools import chain

            yield from photos(chain([first], run()))


def answer(named: Named, predictor: Predictor, options: VideoOptions) -> WrittenOutputs:
    """Predict one video and write what is wanted of it; a failure is an answer too."""
    from dataclasses import replace

    from facegender.errors import FaceGenderError
    from facegender.prediction.outputs import WrittenOutputs, is_shown
    from facegender.prediction.video import VideoPrediction, predict_video
    from facegender.prediction.video_outputs import VideoOutputs
    from facegender.runtime.files import cannot_write, is_disk_fault

    assert isinstance(named.source, str), "videos are files"
    prediction = VideoPrediction(named.name, 0.0, 0.0, ())
    journal = options.journal_of(named.source)  # where it cannot be kept, nothing can
    try:
        outputs = VideoOutputs(named.source, named.place, options.sampling, options.outputs)
        with outputs.collecting(), journal or nullcontext():
            prediction = predict_video(
                predictor,
                named.source,
                options.sampling,
                on_progress=_Progress("following", named.name),
                on_frame=outputs.on_frame,
                journal=journal,
            )
            prediction = replace(prediction, path=named.name)
            if prediction.error is not None and not prediction.seconds:
                outputs.leave_out()
            if not is_shown(prediction, options.only):
                outputs.leave_out()
                return WrittenOutputs(prediction, shown=False)
        outputs.write(prediction, _Progress("drawing", named.name))
        if options.sort is not None and prediction.seconds:
            return _sorted(named, prediction, options)
    except OSError as error:  # of a file that is in the way and cannot be looked at
        failure = cannot_write(Path(error.filename or named.source), error)
        if is_disk_fault(error):
            raise failure from error
        return WrittenOutputs(prediction, error=failure.message)
    except FaceGenderError as error:
        if is_disk_fault(error.__cause__) or (journal is not None and journal.failed):
            raise  # the next video could not be kept either
        return WrittenOutputs(prediction, error=error.message)
    return WrittenOutputs(prediction)


def _sorted(named: Named, prediction: VideoPrediction, options: VideoOptions) -> WrittenOutputs:
    """Sort a video as a photo of the same faces."""
    from dataclasses import replace

    from facegender.faces.geometry import Geometry
    from facegender.prediction.outputs import OutputSettings, PredictedPhoto, write_outputs
    from facegender.prediction.predictor import Prediction

    photo = Prediction(named.name, prediction.faces)
    wanted = OutputSettings(Geometry("photo", 16, 16), sort=options.sort, copy=options.copy)
    written = write_outputs(PredictedPhoto(named.source, named.place, photo), wanted)
    return replace(written, prediction=prediction)


class _Progress:
    """Shows beside the bar how far a video is: its own clock, and times real time."""

    def __init__(self, what: str, name: str) -> None:
        from pathlib import PurePath

        self._what = f"{what} {PurePath(name).name}"
        self._begin = time.monotonic()
        self._first: float | None = None

    def __call__(self, done: float, total: float | None) -> None:
        from facegender.cli import _console as console
        from facegender.images.clock import clock

        if self._first is None:
            self._first = done
        passed = max(time.monotonic() - self._begin, 1e-6)
        of = f" of {clock(total)[:-4]}" if total else ""
        rate = (done - self._first) / passed
        console.beside_bar(f"{self._what}: {clock(done)[:-4]}{of}, {rate:.1f}x real time")


def csv_rows(prediction: VideoPrediction) -> Iterator[list[Any]]:
    """Yield a video's rows of a CSV: one a track, or one without a track."""
    from facegender.images.clock import clock
    from facegender.runtime.files import no_formula

    video = prediction.to_json()
    head = [no_formula(video["path"]), video["error"] or ""]
    if not video["tracks"]:
        yield [*head, *[""] * (11 + len(CSV_COLUMNS))]
    for number, track in enumerate(video["tracks"], start=1):
        score = "" if track["score"] is None else track["score"]
        pair = track["probabilities"]
        sure = "yes" if track["uncertain"] else "no"
        face = [
            number,
            *track["box"],
            "",
            score,
            track["label"],
            pair["female"],
            pair["male"],
            sure,
        ]
        times = [track["start"], track["end"], track["seconds"], track["best"]["time"]]
        yield [*head, *face, *times, clock(track["start"]), clock(track["end"])]


def add_rows(table: Table, prediction: VideoPrediction) -> None:
    """Add a video's tracks to a table of photos."""
    from facegender.cli import _console as console
    from facegender.images.clock import clock

    name = console.plain(prediction.path or "")
    if not prediction.tracks and prediction.error is None:
        table.add_row(name, "", "", "no face")
    for number, track in enumerate(prediction.tracks, start=1):
        female, male = (f"{100 * p:.1f} %" for p in track.probabilities)
        sure = "uncertain" if track.uncertain else "sure"
        when = f"{clock(track.start)} to {clock(track.end)}, {track.seconds:.1f} s"
        table.add_row(name, str(number), when, track.name, female, male, sure)
        name = ""


def _photo_suffixes() -> tuple[str, ...]:
    from facegender.images.photo_files import SUFFIXES

    return SUFFIXES
