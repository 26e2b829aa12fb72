"""`facegender prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender.choices import Alignment, CropFormat, FaceSelection, SplitMethod
from facegender.cli import _completion as completion
from facegender.cli._options import Debug, Json, Quiet, Workers

if TYPE_CHECKING:
    from facegender.dataset.cropping import CropSettings


Folder = Annotated[
    Path | None,
    typer.Argument(metavar="DIR", help="Folder with female/ and male/ folders at any depth."),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The table to write.")]
Labels = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        metavar="FILE",
        help="Labels from a CSV (path,label), or what review wrote, instead of folders.",
    ),
]
Attributes = Annotated[
    Path | None,
    typer.Option(
        exists=True, metavar="FILE", help="CSV with path and further columns, such as age, race."
    ),
]
Female = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name of the folders, or labels, of women.")
]
Male = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name of the folders, or labels, of men.")
]
Split = Annotated[
    str,
    typer.Option(
        metavar="HOW",
        autocompletion=completion.one_of(SplitMethod),
        help=completion.described(SplitMethod) + ".",
    ),
]
Val = Annotated[float, typer.Option(metavar="SHARE", help="Share for validation.")]
Test = Annotated[float, typer.Option(metavar="SHARE", help="Share for the test.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the split.")]
MinSize = Annotated[
    int, typer.Option(min=16, metavar="PIXELS", help="Minimum length of the shorter side.")
]
DropDuplicates = Annotated[
    bool, typer.Option("--drop-duplicates", help="Leave out copies of identical files.")
]
DropConflicts = Annotated[
    bool,
    typer.Option("--drop-conflicts", help="Leave out files and persons under both genders."),
]
ApartFrom = Annotated[
    Path | None,
    typer.Option(
        "--apart-from",
        exists=True,
        metavar="CSV",
        help="Leave out the photos of this table, and those that look the same: what judges a "
        "model must not train it.",
    ),
]
CROP = "Crop"
Crops = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write the crops of the faces to this folder and list them in the table.",
        rich_help_panel=CROP,
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="WIDTHxHEIGHT", help="Size of the crops, such as 141x165.", rich_help_panel=CROP
    ),
]
Align = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        autocompletion=completion.one_of(Alignment),
        help=f"With --size: {completion.described(Alignment, Alignment.EYES)}.",
        rich_help_panel=CROP,
        show_default=False,
    ),
]
Like = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        metavar="FOLDER",
        help="Crop as this model does. Default: as the model that predict would use.",
        rich_help_panel=CROP,
    ),
]
Faces = Annotated[
    str | None,
    typer.Option(
        metavar="WHICH",
        autocompletion=completion.one_of(FaceSelection),
        help=completion.described(FaceSelection, FaceSelection.LARGEST) + ".",
        rich_help_panel=CROP,
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        autocompletion=completion.one_of(CropFormat),
        help=completion.described(CropFormat, CropFormat.PNG) + ".",
        rich_help_panel=CROP,
        show_default=False,
    ),
]
MinFace = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="PIXELS",
        help="Minimum width of a face. Default: 24; in photos longer than 1536 pixels, 1/64 of it.",
        rich_help_panel=CROP,
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Replace a table that was edited or that prepare did not write."),
]


def prepare_command(
    folder: Folder = None,
    output: Output = Path("faces.csv"),
    labels: Labels = None,
    attributes: Attributes = None,
    female: Female = None,
    male: Male = None,
    split: Split = SplitMethod.AUTO.value,
    val: Val = 0.1,
    test: Test = 0.2,
    seed: Seed = 0,
    min_size: MinSize = 24,
    drop_duplicates: DropDuplicates = False,
    drop_conflicts: DropConflicts = False,
    apart_from: ApartFrom = None,
    crops: Crops = None,
    size: Size = None,
    align: Align = None,
    like: Like = None,
    faces: Faces = None,
    image_format: Format = None,
    min_face: MinFace = None,
    force: Force = False,
    workers: Workers = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender prepare ./gender_pic[/cyan]

    [cyan]facegender prepare ./gender_pic --split article[/cyan]

    [cyan]facegender prepare ./holiday --crops ./faces --size 141x165[/cyan]

    [cyan]facegender prepare ./fairface --attributes ./fairface/attributes.csv[/cyan]

    Checks every photo in folders of women and men and writes
    [bold]faces.csv[/bold]. Photos are never changed; those that cannot be used
    are listed in faces.rejected.csv with the reason.
    """
    from facegender.cli import _console as console
    from facegender.cli._preparation_display import print_preparation, warnings_of
    from facegender.dataset.prepare import prepare
    from facegender.dataset.reviewed import is_reviewed
    from facegender.dataset.settings import PrepareSettings

    if labels is not None and crops is None and is_reviewed(labels):
        crops = output.with_name(f"{output.stem}_crops")  # a photo may have several such faces
        if not quiet:
            console.note(f"The framed faces are cropped to {crops}; --crops names another folder")
    settings = PrepareSettings(
        female=female,
        male=male,
        labels=None if labels is None else str(labels),
        attributes=None if attributes is None else str(attributes),
        min_size=min_size,
        split=split,
        val=val,
        test=test,
        seed=seed,
        drop_duplicates=drop_duplicates,
        drop_conflicts=drop_conflicts,
        apart_from=None if apart_from is None else str(apart_from),
        crop=_crop_settings(crops, size, align, like, faces, image_format, min_face),
    )
    with console.progress("Checking photos", quiet=quiet or json) as on_progress:
        result = prepare(
            folder, output, settings, force=force, workers=workers, on_progress=on_progress
        )
    for warning in warnings_of(result, settings.drop_duplicates, settings.drop_conflicts):
        console.warn(warning)
    if json:
        console.write_result(console.json_text(result.to_json()) + "\n", None)
    else:
        print_preparation(result)


def _crop_settings(
    folder: Path | None,
    size: str | None,
    align: str | None,
    like: Path | None,
    faces: str | None,
    image_format: str | None,
    min_face: int | None,
) -> CropSettings | None:
    """Interpret the options for crops.

    Raises:
        UsageError: they contradict each other or cannot be read.
    """
    from facegender.dataset.cropping import CropSettings
    from facegender.errors import UsageError
    from facegender.faces.geometry import Geometry, parse_size
    from facegender.models.bundle import load_bundle
    from facegender.models.default_model import choose_model
    from facegender.options import check_choice

    if folder is None:
        if any(option is not None for option in (size, align, like, faces, image_format, min_face)):
            raise UsageError(
                "--size, --align, --like, --faces, --format and --min-face need --crops",
                "Add --crops DIR.",
            )
        return None
    if align is not None and size is None:
        raise UsageError("--align needs a --size", "For example --size 141x165.")
    if size is not None and like is not None:
        raise UsageError("--size and --like contradict each other", "Give one of them.")
    check_choice("--align", align, Alignment)
    if size is not None:
        geometry = Geometry(Alignment.EYES if align is None else align, *parse_size(size))
    else:
        geometry = load_bundle(choose_model(like)[0]).geometry
        if not geometry.finds:
            raise UsageError(
                "the model takes photos as they are, so there is nothing to crop",
                "Give a --size, or --like a model that detects faces.",
            )
    return CropSettings(
        str(folder),
        geometry,
        FaceSelection.LARGEST if faces is None else faces,
        CropFormat.PNG if image_format is None else image_format,
        min_face,
    )
