"""`facegender predict`."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender.cli._archive import Engine, ShardSize
from facegender.cli._options import Debug, Json, Model, Quiet, Workers

if TYPE_CHECKING:
    from facegender.prediction.predictor import Predictor


KEEP = "Keep"

Photos = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHOTO",
        help="Photos, folders, patterns, addresses, or - for a list on stdin.",
        show_default=False,
    ),
]
Nul = Annotated[
    bool, typer.Option("-0", "--null", help="Names on stdin end in NUL bytes, as find -print0.")
]
StdinImage = Annotated[bool, typer.Option("--stdin-image", help="Read one image from stdin.")]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Take the folders inside folders too.")
]
AllowUrl = Annotated[
    bool,
    typer.Option("--allow-url", help="Fetch http and https addresses: 50 MB, 20 s, images only."),
]
AllowPrivate = Annotated[
    bool,
    typer.Option("--allow-private-url", help="Also from this machine and its own network."),
]
NoDetect = Annotated[
    bool, typer.Option("--no-detect", help="Take each photo as one face, as it is.")
]
MinFace = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="PIXELS",
        help="Least width of a face. Default: 24; in photos longer than 1536 pixels, 1/64 of that.",
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option(metavar="P", help="Least score of a face, 0 to 1. Default: 0.6."),
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
    bool, typer.Option("--jsonl", help="Print a line of JSON a photo, as they are done.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, a row a face.")]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout."),
]
Annotate = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Write copies with boxes and words there.", rich_help_panel=KEEP
    ),
]
Crops = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write the crops of the faces there.", rich_help_panel=KEEP),
]
Sort = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Link the photos into female/ male/ uncertain/ several/ none/ there.",
        rich_help_panel=KEEP,
    ),
]
Copy = Annotated[
    bool,
    typer.Option("--copy", help="With --sort: copy instead of linking.", rich_help_panel=KEEP),
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
    engine: Engine = "plain",
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

    [cyan]facegender predict ./archive -r --engine ray --output ./answers[/cyan]

    Finds the faces in photos and says for each whether it is perceived as
    female or male, and how sure that is. A broken photo is one line on
    stderr and exit code 3; the others are still answered.
    """
    from facegender.cli import _answering as answering
    from facegender.cli import _archive as archive
    from facegender.cli import _inputs as inputs
    from facegender.cli import _writers as writers
    from facegender.errors import DataError, UsageError
    from facegender.images.download import DownloadLimits
    from facegender.prediction.outputs import OutputSettings

    if json + jsonl + csv > 1:
        raise UsageError("--json, --jsonl and --csv contradict each other", "Give one of them.")
    if copy and sort is None:
        raise UsageError("--copy says how to --sort, which is not given", "Add --sort DIR.")
    others = json or jsonl or csv or stdin_image or annotate or crops or sort
    archive.check(engine, output, shard_size, bool(others))
    limits = DownloadLimits(private=allow_private_url) if allow_url or allow_private_url else None
    written = [folder for folder in (annotate, crops, sort) if folder is not None]
    if engine == "ray":
        written.append(Path(output or ""))
    how = inputs.Inputs(
        recursive=recursive,
        nul=nul,
        stdin_image=stdin_image,
        limits=limits,
        skip=tuple(written),
        fetch=engine == "plain",
    )
    failed = answering.Failures()

    def load() -> Predictor:
        return _predictor(
            model, threshold, workers, not no_detect, min_face, min_score, quiet=quiet
        )

    if engine == "ray":
        from facegender.archive.score import ArchiveSettings
        from facegender.archive.shards import SHARD_SIZE

        settings = ArchiveSettings(shard_size or SHARD_SIZE, workers, limits)
        names = archive.photo_names(photos or [], how, failed)
        lost = archive.score(names, output or "", load(), settings, quiet=quiet)
        raise typer.Exit(3 if lost or failed.count else 0)
    named = inputs.expand(photos or [], how, failed)
    first = next(named, None)
    if first is None:
        raise DataError("there is no photo to predict", "")
    predictor = load()
    wanted = OutputSettings(predictor.bundle.geometry, annotate, crops, sort, copy)
    write = writers.choose(json=json, jsonl=jsonl, csv=csv)
    # Lines that come one by one on the same terminal would tear the bar apart.
    no_bar = quiet or (output is None and sys.stdout.isatty() and (json or jsonl or csv))
    file = None if output is None else Path(output)
    with writers.opened(file) as stream:
        ready = how.listed.ready
        jobs = answering.jobs_of(answering.spared(chain([first], named), file), predictor, ready)
        kept = answering.reported(answering.kept_of(jobs, wanted, workers, ready), failed)
        write(answering.counted(kept, photos or [], how, no_bar), predictor, stream)
    if failed.count:
        raise typer.Exit(3)


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
