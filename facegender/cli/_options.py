"""Options that several commands share, and the environment variables that stand in for them.

A variable that is empty counts as unset. What it holds is read as the option's own value would be,
so that a bad one is refused by the variable's name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

DEBUG = "FACEGENDER_DEBUG"


def _set_debug(wanted: bool) -> bool:
    """Keep the wish where `debugging` finds it: errors are caught far outside of the command."""
    os.environ[DEBUG] = "1" if wanted else ""
    return wanted


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    return os.environ.get(DEBUG) == "1"


Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        callback=_set_debug,
        is_eager=True,
        envvar=DEBUG,
        help="Show the traceback of errors.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", envvar="FACEGENDER_QUIET", help="No progress and no remarks."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        envvar="FACEGENDER_WORKERS",
        help="Processes that read photos. Default: one a core.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout."),
]
Model = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Model folder. Default: $FACEGENDER_MODEL, else ./gender_model, else the bundled one.",
    ),
]
