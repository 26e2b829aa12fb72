"""The command line: parses options, calls the library and prints results and errors."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from facegender.cli._command import Command, Group
from facegender.cli._options import Debug, debugging
from facegender.cli.count import count_command
from facegender.cli.eval import evaluate_command
from facegender.cli.explain import explain_command
from facegender.cli.export import export_command
from facegender.cli.info import info_command
from facegender.cli.predict import predict_command
from facegender.cli.prepare import prepare_command
from facegender.cli.review import review_command
from facegender.cli.train import train_command
from facegender.errors import FaceGenderError, Interrupted, UsageError

app = typer.Typer(
    cls=Group,
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _short_help, _command in (
    ("predict", "Predict the perceived gender of faces in photos.", predict_command),
    ("train", "Train a model on faces.csv; keep the best; stop early.", train_command),
    ("eval", "Evaluate a model, by group and with intervals.", evaluate_command),
    ("prepare", "Check photos in gender folders; write faces.csv.", prepare_command),
    ("review", "Label faces in the browser.", review_command),
    ("count", "Count the share of women in answers, corrected by labels.", count_command),
    ("explain", "Show which parts of a face determined the answer.", explain_command),
    ("export", "Convert a model to LiteRT, ONNX or TensorFlow.", export_command),
    ("info", "Print a model's card; check its files.", info_command),
):
    app.command(_name, cls=Command, short_help=_short_help)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        from facegender._version import __version__

        typer.echo(f"facegender {__version__}")
        raise typer.Exit


@app.callback()
def facegender(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender predict face.jpg[/cyan]    female or male, and how sure

    [cyan]facegender prepare ./photos[/cyan]    read female/ and male/ folders, write faces.csv

    [cyan]facegender train[/cyan]               train a model on it

    [cyan]facegender eval[/cyan]                how good is it, for whom

    Estimates the [italic]perceived[/italic] gender of faces in photos, and trains and evaluates
    such classifiers on your own photos. Labels: 0 = female, 1 = male.
    """


def main() -> None:
    """Run the command line; typed errors are printed as a sentence with a hint.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 some inputs failed, 130 and 143 interrupted.
    """
    from facegender.runtime.signals import handle, leave

    _open_closed_streams()
    _keep_odd_names()
    try:
        _run()
    finally:
        handle(leave)
        _end_workers()


def _run() -> None:
    from facegender.cli import _console as console
    from facegender.runtime.signals import FirstRaises, handle

    stopper = FirstRaises()
    stopper.resend_lost()
    try:
        handle(stopper)  # from here on a signal raises, and is reported below
        app()
    except Interrupted as error:
        _end_by(error)
    except Exception as error:
        # An error after a signal is its consequence: C modules, and functions interrupted during
        # cleanup, raise errors of their own.
        if stopper.raised is not None:
            _end_by(stopper.raised)
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        if debugging():
            raise
        console.fail(_sentence(error))
        sys.exit(2 if isinstance(error, UsageError) else 1)


def _end_workers() -> None:
    """Do not let Python wait at its end for what nobody asks for any more."""
    parallel = sys.modules.get("facegender.runtime.parallel")
    if parallel is not None:
        parallel.end_workers()


def _end_by(stopped: Interrupted) -> NoReturn:
    from facegender.cli import _console as console
    from facegender.runtime.signals import handle, leave

    handle(leave)
    console.stopped(stopped)
    sys.exit(128 + stopped.signal_number)


def _sentence(error: Exception) -> FaceGenderError:
    """Convert an error to one that a user can understand."""
    if isinstance(error, FaceGenderError):
        return error
    if isinstance(error, OSError):
        name = f" ({error.filename})" if error.filename else ""
        return FaceGenderError(f"{error.strerror or error}{name}", "")
    return FaceGenderError(
        f"unexpected {type(error).__name__}: {error}",
        "This is a bug in facegender: run it again with --debug and report the output.",
    )


def _open_closed_streams() -> None:
    """Replace standard streams that the caller closed, for which Python has None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _keep_odd_names() -> None:
    """Print names that are not UTF-8, or not in the terminal's code page, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
