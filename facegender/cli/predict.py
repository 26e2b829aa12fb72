"""`facegender predict`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facegender import choices
from facegender.cli._archive import Engine, ShardSize
from facegender.cli._options import Debug, Force, Json, Model, Quiet, Workers, output_folder, share
from facegender.cli._video import End, Fps, Frames, Keyframes, Start, Subtitles

if TYPE_CHECKING:
    from facegender.cli._summary import Summary
    from facegender.prediction.outputs import OutputSettings, WrittenOutputs
    from facegender.prediction.predictor import Predictor


KEEP = "Keep"

Photos = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHOTO",
        help="Photos, videos, folders, patterns, addresses, or - for a list on stdin.",
        show_default=False,
    ),
]
Nul = Annotated[
    bool,
    typer.Option("-0", "--null", help="Names on stdin are NUL-terminated, as from find -print0."),
]
StdinImage = Annotated[bool, typer.Option("--stdin-image", help="Read one image from stdin.")]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Include subfolders.")]
AllowUrl = Annotated[
    bool,
    typer.Option(
        "--allow-url",
        help="Download http and https addresses: images only, at most 50 MB and 20 s.",
    ),
]
AllowPrivate = Annotated[
    bool,
    typer.Option("--allow-private-url", help="Also from this machine and its local network."),
]
NoDetect = Annotated[bool, typer.Option("--no-detect", help="Treat each photo as one face.")]
MinFace = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="PIXELS",
        help="Minimum width of a face. Default: 24; in photos longer than 1536 pixels, 1/64 of it.",
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option(
        metavar="P", callback=share, help="Minimum score of a face, 0 to 1. Default: 0.6."
    ),
]


def _in_range(threshold: float | None) -> float | None:
    """Refuse a threshold here too, where the variable that it came from is known."""
    if threshold is not None and not 0.5 <= threshold <= 1:
        raise typer.BadParameter(f"the threshold is {threshold}; it must be 0.5 to 1")
    return threshold


Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        envvar="FACEGENDER_THRESHOLD",
        callback=_in_range,
        help="Below this probability a face is uncertain. Default: the model's.",
    ),
]
Jsonl = Annotated[
    bool, typer.Option("--jsonl", help="Print a line of JSON per photo, as soon as it is done.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV with a row per face.")]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout."),
]
Annotate = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        callback=output_folder,
        help="Write copies with boxes and labels to this folder.",
        rich_help_panel=KEEP,
    ),
]
Crops = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        callback=output_folder,
        help="Write the crops of the faces to this folder.",
        rich_help_panel=KEEP,
    ),
]
Sort = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        callback=output_folder,
        help="Link the photos into female/ male/ uncertain/ several/ none/ in this folder.",
        rich_help_panel=KEEP,
    ),
]
Copy = Annotated[
    bool,
    typer.Option("--copy", help="With --sort: copy instead of linking.", rich_help_panel=KEEP),
]


Only = Annotated[
    str | None,
    typer.Option(
        metavar="WHICH",
        help="Show, and keep, only photos with such faces: female, male, uncertain, none, several.",
    ),
]
SummaryBy = Annotated[
    str | None,
    typer.Option(
        "--summary",
        metavar="GROUP",
        help="Also count the answers by folder, or by a column of --attributes.",
    ),
]
Attributes = Annotated[
    Path | None,
    typer.Option(exists=True, metavar="CSV", help="A table with path and the column of --summary."),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Continue the answers of a stopped run in --output (JSON lines or CSV)."
    ),
]


def predict_command(
    photos: Photos = None,
    nul: Nul = False,
    stdin_image: StdinImage = False,
    recursive: Recursive = False,
    allow_url: AllowUrl = False,
    allow_private_url: AllowPrivate = False,
    model: Model = None,
    no_detect: NoDetect = False,
    min_face: MinFace = None,
    min_score: MinScore = None,
    threshold: Threshold = None,
    json: Json = False,
    jsonl: Jsonl = False,
    csv: Csv = False,
    output: Output = None,
    annotate: Annotate = None,
    crops: Crops = None,
    sort: Sort = None,
    copy: Copy = False,
    fps: Fps = None,
    keyframes: Keyframes = False,
    start: Start = None,
    end: End = None,
    frames: Frames = None,
    subtitles: Subtitles = None,
    only: Only = None,
    summary: SummaryBy = None,
    attributes: Attributes = None,
    resume: Resume = False,
    force: Force = False,
    engine: Engine = choices.Engine.PLAIN.value,
    shard_size: ShardSize = None,
    workers: Workers = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender predict holiday.jpg --annotate ./marked[/cyan]

    [cyan]facegender predict ./photos --recursive --csv --output genders.csv[/cyan]

    [cyan]find . -name '*.jpg' -print0 | facegender predict -0 - --jsonl[/cyan]

    [cyan]facegender predict ./photos --recursive --sort ./sorted[/cyan]

    [cyan]facegender predict film.mp4 --subtitles ./film --jsonl[/cyan]

    [cyan]facegender predict ./archive -r --engine ray --output ./answers[/cyan]

    Detects the faces in photos and estimates for each whether it is perceived
    as female or male, and how sure that is; in videos (extra video) it follows
    them and says when they are seen. A broken photo is one line on stderr and
    exit code 3; the others are still answered.
    """
    from facegender.cli import _answering as answering
    from facegender.cli import _archive as archive
    from facegender.cli import _console as console
    from facegender.cli import _inputs as inputs
    from facegender.cli import _video as video
    from facegender.cli import _writers as writers
    from facegender.cli._summary import Summary
    from facegender.errors import DataError, UsageError
    from facegender.images import video as video_files
    from facegender.images.download import DownloadLimits
    from facegender.prediction.outputs import ONLY, OutputSettings

    file = None if output is None or engine == choices.Engine.RAY else Path(output)
    form = writers.format_of(file, json=json, jsonl=jsonl, csv=csv)
    totals = Summary(summary, attributes)
    if only is not None and only not in ONLY:
        raise UsageError(f"unknown --only {only!r}", f"Choose one of {', '.join(ONLY)}.")
    if engine == choices.Engine.PLAIN:
        _check_output(file, form, summary, resume=resume, force=force)
    if copy and sort is None:
        raise UsageError("--copy needs --sort", "Add --sort DIR.")
    films = video.options_of(
        fps, keyframes, start, end, annotate, subtitles, crops, frames, sort, copy, only
    )
    others = json or jsonl or csv or stdin_image or annotate or crops or sort or films.writes
    archive.check(engine, output, shard_size, bool(others))
    limits = DownloadLimits(private=allow_private_url) if allow_url or allow_private_url else None
    kept_in = (annotate, crops, sort, frames, subtitles)
    written = [folder for folder in kept_in if folder is not None]
    if engine == choices.Engine.RAY:
        written.append(Path(output or ""))
    how = inputs.Inputs(
        recursive=recursive,
        nul=nul,
        stdin_image=stdin_image,
        limits=limits,
        skip=tuple(written),
        fetch=engine == choices.Engine.PLAIN,
        videos=video_files.installed(),
        on_video=None if video_files.installed() else video.warn_once(),
    )
    failed = answering.Failures()

    def load() -> Predictor:
        return _predictor(
            model, threshold, workers, not no_detect, min_face, min_score, quiet=quiet
        )

    if engine == choices.Engine.RAY:
        there = output or ""
        places = (photos or [], how, failed, there, load(), shard_size)
        lost = archive.run(*places, workers=workers, sampling=films.sampling, quiet=quiet)
        raise typer.Exit(3 if lost or failed.count else 0)
    named = inputs.expand(photos or [], how, failed)
    first = next(named, None)
    if first is None:
        raise DataError("there is no photo to predict", "")
    predictor = load()
    wanted = OutputSettings(predictor.bundle.geometry, annotate, crops, sort, copy, only)
    mixed = form == "csv" and films.any_in(first, photos or [], how)
    facts = _facts(predictor, wanted, form, detect=not no_detect) | films.facts(mixed)
    opened = writers.opened(file, form, predictor, facts, videos=mixed, resume=resume, force=force)
    films = films.kept_beside(file, form, facts, resume=resume, force=force)
    # Lines that come one by one on the same terminal would tear the bar apart.
    no_bar = quiet or (file is None and sys.stdout.isatty() and form != "table")
    ready = how.listed.ready

    def answered(some: Iterator[inputs.Named]) -> Iterator[WrittenOutputs]:
        jobs = answering.jobs_of(some, predictor, ready)
        return answering.kept_of(jobs, wanted, workers, ready)

    with _saying(file, form, totals), films.keeping(), opened as sink:
        films.before_video(sink.flush)
        for earlier in sink.before:
            totals.add(earlier.path, earlier.tally)
        missing = (one for one in chain([first], named) if not sink.is_answered(one.name))
        kept = answering.reported(video.split(missing, films, answered, predictor), failed)
        again = answering.counted_ahead(photos or [], how)
        shown = answering.collected(
            answering.counted(kept, again, totals.all.photos, no_bar), sink, totals
        )
    if summary is not None:
        console.print_table(totals.table())
    if not quiet:
        files = [path for path in (file, *kept_in) if path is not None]
        console.note(totals.closing_line(files, shown=shown, only=only))
    if failed.count or totals.all.failed:
        raise typer.Exit(3)


def _check_output(
    file: Path | None, form: str, summary: str | None, *, resume: bool, force: bool
) -> None:
    """Refuse, before any work, an output that cannot be, or that would cost somebody a file.

    Raises:
        UsageError: it says which.
    """
    from facegender.cli._writers import GROWING
    from facegender.errors import UsageError
    from facegender.runtime.own_files import refuse_foreign

    if summary is not None and file is None and form != "table":
        raise UsageError(
            "--summary and the answers would mix on stdout", "Write the answers to --output FILE."
        )
    if resume and (file is None or form not in GROWING):
        raise UsageError(
            "--resume goes on with a file of JSON lines or CSV",
            "Add --output FILE.jsonl or --output FILE.csv.",
        )
    if file is not None:
        refuse_foreign(file, force=force)


@contextmanager
def _saying(file: Path | None, form: str, totals: Summary) -> Iterator[None]:
    """Say at an interruption what is on disk, and how to go on."""
    from facegender.cli._writers import GROWING
    from facegender.errors import Interrupted

    try:
        yield
    except Interrupted as stop:
        if file is None or form not in GROWING:
            raise
        raise Interrupted(
            f"stopped; {totals.all.photos:,} answers are in {file}",
            "Run the same command with --resume to continue.",
            stop.signal_number,
        ) from None


def _facts(
    predictor: Predictor, wanted: OutputSettings, form: str, *, detect: bool
) -> dict[str, Any]:
    """What must be the same for answers to stand in one file; see `answer_log.open_answers`."""
    folders = ("annotate", "crops", "sort")
    return {
        "schema": 1,
        "format": form,
        "model": predictor.bundle.fingerprint,
        "threshold": predictor.threshold,
        "detector": predictor.detector.describe() if detect else None,
        "only": wanted.only,
        "copy": wanted.copy,
        **{name: _text(getattr(wanted, name)) for name in folders},
    }


def _text(path: Path | None) -> str | None:
    return None if path is None else os.path.abspath(path)


def _predictor(
    model: Path | None,
    threshold: float | None,
    workers: int | None,
    detect: bool,
    min_face: int | None,
    min_score: float | None,
    *,
    quiet: bool,
) -> Predictor:
    """Load the model and say which one it is."""
    from facegender.cli import _console as console
    from facegender.prediction.predictor import Predictor

    predictor = Predictor(
        model,
        threshold=threshold,
        workers=workers,
        detect=detect,
        min_face=min_face,
        min_score=min_score,
    )
    if not quiet:
        fingerprint = predictor.bundle.fingerprint
        console.note(
            f"Model: {predictor.bundle.folder} ({predictor.chosen}, fingerprint {fingerprint})"
        )
    if predictor.other_detector:
        console.warn(
            f"the model was trained with the detector {predictor.other_detector}, which is not "
            "installed here: its crops differ a little."
        )
    return predictor
