"""`facegender predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender import choices
from facegender.cli import _completion as completion
from facegender.cli._archive import Engine, ShardSize
from facegender.cli._options import Debug, Force, Json, Model, Quiet, Workers, output_folder, share
from facegender.cli._video import End, Fps, Frames, Keyframes, Start, Subtitles

if TYPE_CHECKING:
    from facegender.images.download import DownloadLimits

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
        autocompletion=completion.one_of(choices.AnswerKind),
        help=f"Show, and keep, only photos with such faces: {', '.join(choices.AnswerKind)}.",
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
    from facegender.cli import _video as video
    from facegender.cli import _writers as writers
    from facegender.cli._destination import Destination
    from facegender.cli._inputs import inputs_of
    from facegender.cli._summary import Summary

    ray = engine == choices.Engine.RAY
    file = None if output is None or ray else Path(output)
    form = writers.format_of(file, json=json, jsonl=jsonl, csv=csv)
    goal = Destination(
        file, form, annotate, crops, sort, copy, frames, subtitles, only, summary, resume, force
    )
    goal.check(archive=ray)
    totals = Summary(summary, attributes)
    films = video.options_of(fps, keyframes, start, end, goal)
    others = any((json, jsonl, csv, stdin_image, goal.folders, only, summary, resume))
    archive.check(engine, output, shard_size, others)
    allowed = _downloads(allow_url, allow_private_url)
    written = (*goal.folders, Path(output or "")) if ray else goal.folders
    how = inputs_of(recursive, nul, stdin_image, allowed, written, fetch=not ray)
    asked = answering.ModelOptions(model, threshold, workers, not no_detect, min_face, min_score)
    if ray:
        places = (photos or [], how, output or "", asked, shard_size)
        failed = archive.run(*places, sampling=films.sampling, quiet=quiet)
    else:
        failed = answering.answer_all(photos or [], how, asked, goal, films, totals, quiet=quiet)
    if failed:
        raise typer.Exit(3)


def _downloads(public: bool, private: bool) -> DownloadLimits | None:
    """Return the limits of downloads, None where addresses are refused."""
    from facegender.images.download import DownloadLimits

    return DownloadLimits(private=private) if public or private else None
