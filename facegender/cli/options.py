"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def _set_debug(wanted: bool) -> bool:
    if wanted:
        os.environ["FACEGENDER_DEBUG"] = "1"
    return wanted


Debug = Annotated[
    bool,
    typer.Option(
        "--debug", callback=_set_debug, is_eager=True, help="Show the traceback of errors."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Processes that read photos. Default: one a core."),
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
