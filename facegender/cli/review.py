"""`facegender review`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender.cli._options import Debug, Model, Quiet, Workers

if TYPE_CHECKING:
    from facegender.review.serving import Address
    from facegender.review.sources import Answers
    from facegender.review.start import ReviewSettings, Table

DRAW = "What to look at"

Source = Annotated[
    Path,
    typer.Argument(
        exists=True,
        metavar="SOURCE",
        help="What predict wrote (.json, .jsonl, .csv, or the folder of --engine ray), a folder of "
        "photos, or a faces.csv.",
    ),
]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="Where what you say goes.")
]
Sample = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="A random sample of N faces, for measuring. Default: 200.",
        rich_help_panel=DRAW,
        show_default=False,
    ),
]
Photos = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Every face of N random photos; those that were not found are drawn.",
        rich_help_panel=DRAW,
    ),
]
Uncertain = Annotated[
    bool,
    typer.Option(
        "--uncertain",
        help="The most doubtful and the surest by turns, for correcting; as many as --sample says.",
        rich_help_panel=DRAW,
    ),
]
Settle = Annotated[
    bool,
    typer.Option(
        "--settle",
        help="The faces on which annotators disagree; these answers count.",
        rich_help_panel=DRAW,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Draw from each group by itself: a column, or folder.",
        rich_help_panel=DRAW,
    ),
]
Attributes = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        metavar="FILE",
        help="CSV with path and further columns, to draw by.",
        rich_help_panel=DRAW,
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, metavar="N", help="Seed of the draw.", rich_help_panel=DRAW)
]
Annotator = Annotated[
    str, typer.Option(metavar="NAME", help="Who answers; several may answer in one file.")
]
ShowAnswers = Annotated[
    bool,
    typer.Option(
        "--show-answers", help="Show the model's answers. They lead the eye: not for measuring."
    ),
]
Port = Annotated[
    int, typer.Option(min=0, max=65535, metavar="N", help="Port on 127.0.0.1; 0: a free one.")
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only print the address.")]
Recursive = Annotated[
    bool,
    typer.Option("--recursive", "-r", help="Of a folder, take the folders inside it too."),
]


def review_command(
    source: Source,
    output: Output = Path("labels.csv"),
    sample: Sample = None,
    photos: Photos = None,
    uncertain: Uncertain = False,
    settle: Settle = False,
    by: By = None,
    attributes: Attributes = None,
    seed: Seed = 0,
    annotator: Annotator = "1",
    show_answers: ShowAnswers = False,
    port: Port = 0,
    no_browser: NoBrowser = False,
    recursive: Recursive = False,
    model: Model = None,
    workers: Workers = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender review answers.jsonl[/cyan]

    [cyan]facegender review answers.jsonl --sample 500 --by folder[/cyan]

    [cyan]facegender review answers.jsonl --photos 100 --output photos.csv[/cyan]

    [cyan]facegender review answers.jsonl --annotator ben[/cyan]

    Shows faces in the browser, one after the other, and writes what you
    say they show to [bold]labels.csv[/bold]: F female, M male, U cannot tell, X not
    a face. Each answer is on disk before the next face shows; the same
    command goes on where it was left. The page is served on this machine
    alone, and needs no network.
    """
    from functools import partial

    from facegender.cli import _console as console
    from facegender.cli._review_display import print_review
    from facegender.dataset.review_labels import CHOSEN, FACES, PHOTOS, SETTLED
    from facegender.errors import UsageError
    from facegender.runtime.files import lock_target

    if (photos is not None) + uncertain + settle > 1:
        raise UsageError("--photos, --uncertain and --settle contradict each other", "Give one.")
    if sample is not None and (photos is not None or settle):
        raise UsageError("--sample is for faces drawn at random, or --uncertain", "Leave it out.")
    if by is not None and (uncertain or settle):
        raise UsageError("--by says how to draw a random sample", "Leave it out.")
    if attributes is not None and by in (None, "folder"):
        raise UsageError("--attributes holds columns to draw by", "Add --by COLUMN.")
    if not annotator.strip() or annotator == SETTLED:
        raise UsageError(f"--annotator {annotator!r} is no name", "For example --annotator ada.")
    _check_output(output, source)
    _need_extra()
    from facegender.review.server import PageSettings
    from facegender.review.serving import serve
    from facegender.review.start import SETTLE, ReviewSettings, Table, open_session

    kind = PHOTOS if photos else CHOSEN if uncertain else SETTLE if settle else FACES
    settings = ReviewSettings(output, annotator, kind, photos or sample or 200, by, seed)
    read = _read_source(source, output, attributes, settings, model, workers, recursive, quiet)
    with lock_target(output, "review"):
        with console.progress("Finding faces", quiet=quiet) as on_progress:
            if isinstance(read, Table):
                read.on_progress = on_progress
            session = open_session(read, settings)
        try:
            page = PageSettings(
                show_answers, moments=None if isinstance(read, Table) else read.moments
            )
            serve(session, page, port, partial(_announce, no_browser, quiet))
        finally:
            session.close()
            print_review(session)


def _check_output(out: Path, source: Path) -> None:
    """Refuse an unusable path for the answers, before any work."""
    from facegender.errors import UsageError

    if out.suffix.lower() != ".csv" or out.is_dir():
        raise UsageError(f"--output {out} names no CSV file", "For example --output labels.csv.")
    if not out.parent.is_dir():
        raise UsageError(f"no such folder to write {out.name} to: {out.parent}", "Make it first.")
    if out.exists() and source.exists() and out.samefile(source):
        raise UsageError(f"{out} is what is to be reviewed", "Choose another --output.")


def _need_extra() -> None:
    """Say how to install what serves the page, where it is missing.

    Raises:
        FaceGenderError: it is.
    """
    from importlib.util import find_spec

    from facegender.errors import FaceGenderError

    missing = [name for name in ("starlette", "uvicorn", "jinja2") if find_spec(name) is None]
    if missing:
        raise FaceGenderError(
            f"review needs {', '.join(missing)}, which is not installed",
            "Install it with: pip install 'facegender[review]'",
        )


def _read_source(
    source: Path,
    out: Path,
    attributes: Path | None,
    settings: ReviewSettings,
    model: Path | None,
    workers: int | None,
    recursive: bool,
    quiet: bool,
) -> Answers | Table:
    """Read what is to be reviewed; a folder is predicted first, once."""
    from dataclasses import replace

    from facegender.errors import DataError
    from facegender.models.bundle import load_bundle
    from facegender.models.default_model import choose_model
    from facegender.prediction.answer_parts import is_parts
    from facegender.review.sources import is_predict_csv, read_answers

    folder = source if source.is_dir() and not is_parts(source) else None
    if folder is not None:
        source = _predicted(folder, out, model, workers, recursive, quiet)
    elif source.suffix.lower() == ".csv" and not is_predict_csv(source):
        return _table(source, attributes, settings.by, model, workers, quiet)
    answers = read_answers(source)
    if folder is not None and not Path(answers.photos[0]).is_relative_to(folder.absolute()):
        raise DataError(
            f"{source} is about another folder", "Delete it, or choose another --output."
        )
    if attributes is not None and settings.by is not None:
        answers.columns[settings.by] = _column(attributes, settings.by, answers.photos)
    if model is not None and not answers.model:
        answers = replace(answers, model=load_bundle(choose_model(model)[0]).fingerprint)
    return answers


def _column(file: Path, name: str, photos: Sequence[str]) -> list[str]:
    """Return the values of photos in a column of a table of attributes."""
    from facegender.dataset.attributes import ColumnByPath
    from facegender.errors import DataError

    column = ColumnByPath(file, name)
    values = [column.value(photo) for photo in photos]
    if not any(values):
        raise DataError(
            f"no path in {file} matches a photo; a photo is {photos[0]}",
            "Write paths relative to the folder of the attributes.",
        )
    return values


def _table(
    csv: Path,
    attributes: Path | None,
    by: str | None,
    model: Path | None,
    workers: int | None,
    quiet: bool,
) -> Table:
    from facegender.cli import _console as console
    from facegender.dataset.sidecar import read_crop
    from facegender.dataset.table import read_table
    from facegender.prediction.predictor import Predictor
    from facegender.review.start import Table

    samples = read_table(csv)
    if attributes is not None and by is not None:
        samples.attributes[by] = _column(attributes, by, samples.paths)
    predictor = Predictor(model, workers=workers)
    if not quiet:
        console.note(f"Model: {predictor.bundle.folder} ({predictor.chosen})")
    return Table(samples, predictor, read_crop(csv) is not None)


def _predicted(
    folder: Path,
    out: Path,
    model: Path | None,
    workers: int | None,
    recursive: bool,
    quiet: bool,
) -> Path:
    """Return the file with the answers for a folder's photos; made where it is not there yet."""
    from facegender.cli import _answering as answering
    from facegender.cli import _console as console
    from facegender.cli import _inputs as inputs
    from facegender.cli import _writers as writers
    from facegender.prediction.outputs import WrittenOutputs
    from facegender.prediction.predictor import Predictor

    file = out.with_suffix(".answers.json")
    if file.exists():
        if not quiet:
            console.note(f"Answers: {file}, from before; delete it to predict again")
        return file
    failed, how = answering.Failures(), inputs.Inputs(recursive=recursive)
    predictor = Predictor(model, workers=workers)
    if not quiet:
        console.note(f"Model: {predictor.bundle.folder} ({predictor.chosen})")
        console.note(f"Predicting {folder}; the answers are kept in {file}")
    named = inputs.expand([str(folder)], how, failed)
    jobs = answering.jobs_of(named, predictor, how.listed.ready)
    written = answering.reported((WrittenOutputs(job.prediction) for job in jobs), failed)
    again = answering.counted_ahead([str(folder)], how)
    with writers.opened(file, "json", predictor, {}) as sink:
        for result in answering.counted(written, again, 0, quiet):
            sink.add(result.prediction)
    return file


def _announce(no_browser: bool, quiet: bool, address: Address) -> None:
    """Print the address, and open the browser there."""
    import threading
    import webbrowser

    from facegender.cli import _console as console

    console.stderr().print(f"Review at {address.url}", soft_wrap=True, markup=False)
    if not quiet:
        console.note("Ctrl-C or the page's Stop ends it; the same command goes on.")
    if not no_browser:
        # Some browsers only return when they are closed.
        threading.Thread(target=webbrowser.open, args=[address.once], daemon=True).start()
