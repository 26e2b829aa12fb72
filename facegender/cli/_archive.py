"""`facegender predict --engine ray`: scoring an archive to Parquet, restartable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from facegender import choices
from facegender.cli import _completion as completion

if TYPE_CHECKING:
    from facegender.archive.score import ArchiveSettings
    from facegender.cli._answering import ModelOptions
    from facegender.cli._inputs import Inputs, OnEmpty
    from facegender.images.video import Sampling
    from facegender.prediction.predictor import Predictor

PANEL: Final = "Archives"
TOLD: Final = 20
"""Maximum number of failed photos named on stderr; the answers name all."""


Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=completion.one_of(choices.Engine),
        help="plain, or ray: score an archive to Parquet files in the folder --output, on all "
        "cores or on the cluster at $RAY_ADDRESS; repeat the command to score what is missing.",
        rich_help_panel=PANEL,
    ),
]
ShardSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="With --engine ray: photos per Parquet file. Default: 500.",
        rich_help_panel=PANEL,
    ),
]


def check(engine: str, output: str | None, shard_size: int | None, others: bool) -> None:
    """Check the engine, that the other options apply to it, and the output."""
    from facegender.errors import UsageError
    from facegender.options import check_choice, check_output_file, check_output_folder

    check_choice("--engine", engine, choices.Engine)
    if engine == choices.Engine.PLAIN:
        if shard_size is not None:
            raise UsageError(
                "--shard-size is for --engine ray", "Add --engine ray, or leave it out."
            )
        if output is not None:
            check_output_file("--output", output)
        return
    from facegender.archive.buckets import is_remote

    if others:
        raise UsageError(
            "--engine ray only reads lists of photos and only writes Parquet",
            "Leave out --json, --jsonl, --csv, --stdin-image, --annotate, --crops, --sort, "
            "--frames, --subtitles, --only, --summary and --resume (it always resumes).",
        )
    if not output:
        raise UsageError(
            "--engine ray needs a folder for the answers",
            "Add --output FOLDER, or --output s3://BUCKET/FOLDER.",
        )
    if not is_remote(output):
        check_output_folder("--output", output)


def photo_names(arguments: list[str], how: Inputs, on_empty: OnEmpty) -> Iterator[str]:
    """Yield the names of the photos, without reading them.

    In addition to what every engine accepts: prefixes and objects in buckets, and Parquet files
    whose column ``path`` names photos.

    Args:
        arguments, how, on_empty: as of `inputs.expand`.
    """
    from facegender.archive.buckets import is_object, is_remote, list_objects
    from facegender.archive.sources import names_in_parquet
    from facegender.cli import _inputs as inputs
    from facegender.images.photo_files import is_photo_name

    if not any(is_remote(name) or name.endswith(".parquet") for name in arguments):
        yield from (photo.name for photo in inputs.expand(arguments, how, on_empty))
        return
    for name in arguments:
        if name.endswith(".parquet"):
            for listed in names_in_parquet(name):
                yield inputs.allowed(listed, how)
        elif not is_remote(name):
            yield from (photo.name for photo in inputs.expand([name], how, on_empty))
        elif is_object(name):
            yield name
        else:
            found = list_objects(name, recursive=how.recursive, wanted=is_photo_name)
            if not found:
                on_empty(name, inputs.no_photos(how, videos=False))
            yield from found


def run(
    photos: list[str],
    how: Inputs,
    output: str,
    asked: ModelOptions,
    shard_size: int | None,
    *,
    sampling: Sampling,
    quiet: bool,
) -> bool:
    """Score the photos meant, and return whether any failed."""
    from facegender.archive.score import ArchiveSettings
    from facegender.archive.shards import SHARD_SIZE
    from facegender.cli._answering import Failures

    failed, predictor = Failures(), asked.load(quiet=quiet)
    settings = ArchiveSettings(shard_size or SHARD_SIZE, asked.workers, how.limits, sampling)
    names = photo_names(photos, how, failed)
    lost = score(names, output, predictor, settings, quiet=quiet)
    return bool(lost or failed.count)


def score(
    names: Iterator[str],
    output: str,
    predictor: Predictor,
    settings: ArchiveSettings,
    *,
    quiet: bool,
) -> int:
    """Score the photos, report the result, and return the number of failures."""
    from facegender.archive.score import score_archive
    from facegender.cli import _console as console

    told = 0

    def failed(name: str, why: str) -> None:
        nonlocal told
        told += 1
        if told <= TOLD:
            console.failed(name, why)

    with console.progress("Predicting", quiet=quiet) as on_progress:
        result = score_archive(
            names, output, predictor, settings, on_progress=on_progress, on_failure=failed
        )
    if result.failed > min(told, TOLD):
        console.warn(f"{result.failed:,} photos could not be used; the column error says why.")
    if not quiet:
        before = result.photos - result.scored
        console.note(
            f"Answers: {result.photos:,} photos in {result.shards:,} Parquet files in "
            f"{result.output}" + (f", {before:,} of them from before" if before else "")
        )
    return result.failed
