"""Options shared by several commands, and their environment variables.

An empty variable counts as unset. Its value is parsed like that of the option, and an error names
the variable.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from facegender.options import check_number, check_output_file, check_output_folder

DEBUG = "FACEGENDER_DEBUG"


def _set_debug(wanted: bool) -> bool:
    """Store the option for `debugging`: errors are handled outside of the command."""
    os.environ[DEBUG] = "1" if wanted else ""
    return wanted


def debugging() -> bool:
    """Return whether tracebacks are shown."""
    return os.environ.get(DEBUG) == "1"


def output_file(param: typer.CallbackParam, value: Path | None) -> Path | None:
    """Refuse a file that cannot be written, before any work."""
    if value is not None:
        check_output_file(param.opts[0], value)
    return value


def output_folder(param: typer.CallbackParam, value: Path | None) -> Path | None:
    """Refuse a folder that cannot be made, before any work."""
    if value is not None:
        check_output_folder(param.opts[0], value)
    return value


def share(param: typer.CallbackParam, value: float | None) -> float | None:
    """Refuse a value that is not between 0 and 1."""
    check_number(param.opts[0], value, 0, 1)
    return value


def debug_option(panel: str | None = None) -> Any:
    """Declare --debug, in a panel of the help."""
    return typer.Option(
        "--debug",
        callback=_set_debug,
        is_eager=True,
        envvar=DEBUG,
        help="Show the traceback of errors.",
        rich_help_panel=panel,
    )


def workers_option(panel: str | None = None) -> Any:
    """Declare --workers, in a panel of the help."""
    return typer.Option(
        min=1,
        metavar="N",
        envvar="FACEGENDER_WORKERS",
        help="Processes that read photos. Default: one per core.",
        rich_help_panel=panel,
    )


Debug = Annotated[bool, debug_option()]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", envvar="FACEGENDER_QUIET", help="Hide progress and messages."),
]
Workers = Annotated[int | None, workers_option()]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        callback=output_file,
        help="Write to this file instead of stdout.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace files that facegender did not write, too.")
]
Model = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        metavar="FOLDER",
        help="Model folder. Default: $FACEGENDER_MODEL, else ./gender_model, else the bundled one.",
    ),
]
