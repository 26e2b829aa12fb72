"""`facegender explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegender.cli._options import Debug, Model, Quiet, output_file

Photo = Annotated[str, typer.Argument(metavar="PHOTO", help="The photo.")]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        callback=output_file,
        help="The picture to write, PNG or JPEG.",
    ),
]
Number = Annotated[
    int, typer.Option("--face", min=1, metavar="N", help="Which face; the largest is 1.")
]
NoDetect = Annotated[bool, typer.Option("--no-detect", help="Treat the photo as one face.")]


def explain_command(
    photo: Photo,
    output: Output = Path("explained.png"),
    face: Number = 1,
    model: Model = None,
    no_detect: NoDetect = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender explain photo.jpg[/cyan]

    [cyan]facegender explain group.jpg --face 3 --output third.png[/cyan]

    Occludes each part of the face in turn, and marks beside the crop which
    parts change the answer most.
    """
    from facegender.cli import _console as console
    from facegender.errors import UsageError
    from facegender.images.encode import JPEG, mark_of, save_picture
    from facegender.prediction.explain import draw_explanation, explain
    from facegender.prediction.predictor import Predictor

    if output.suffix.lower() not in (*JPEG, ".png"):
        raise UsageError(
            f"--output {output} is not a picture", "Its name must end in .png or .jpg."
        )
    predictor = Predictor(model, detect=not no_detect)
    if not quiet:
        console.note(f"Model: {predictor.bundle.folder} ({predictor.chosen})")
    picture = draw_explanation(explain(predictor, photo, face=face))
    save_picture(picture, output, mark_of(photo, "explanation"))
    console.stdout().print(f"Written: {console.plain(output)}")
