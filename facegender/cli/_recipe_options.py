"""Options of `train` that say how a network learns."""

from __future__ import annotations

from typing import Annotated

import typer

from facegender.choices import Schedule
from facegender.cli import _completion as completion

RECIPE = "Recipe"
BatchSize = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Photos per step. Default: 64, classic 128.", rich_help_panel=RECIPE
    ),
]
Lr = Annotated[
    float | None,
    typer.Option(
        metavar="RATE",
        help="Learning rate. Default: compact .003, classic 1, others .001 (.0003 with --init).",
        rich_help_panel=RECIPE,
    ),
]
ScheduleOption = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME",
        autocompletion=completion.one_of(Schedule),
        help=f"Learning rate: {completion.described(Schedule)}. Default: cosine, classic constant.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Epochs without a better validation loss before stopping. Default: 10, classic 20.",
        rich_help_panel=RECIPE,
    ),
]
Augment = Annotated[
    bool | None,
    typer.Option(
        "--augment/--no-augment",
        help="Augment the training crops: flip, shift, scale, rotation, light, erasing. "
        "Default: on, classic off.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]
Degrade = Annotated[
    bool | None,
    typer.Option(
        "--degrade/--no-degrade",
        help="Also blur, compress and dim some of the augmented crops. Default: as --augment.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]
WeightDecay = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Weight decay of AdamW. Default: .05, classic none.",
        rich_help_panel=RECIPE,
    ),
]
LabelSmoothing = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Share of each label given to both genders. Default: .1; 0 of classic and with "
        "--teacher.",
        rich_help_panel=RECIPE,
    ),
]
Mixup = Annotated[
    float | None,
    typer.Option(
        metavar="ALPHA",
        help="Mix photos and labels by shares of Beta(ALPHA, ALPHA). Default: 0, not at all.",
        rich_help_panel=RECIPE,
    ),
]
StartShare = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Share of the weights of --init that is mixed in again at the end, 0 to 1: more of it "
        "forgets less. Default: of 0 to .5 the one with the lowest validation loss.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]

Also = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN,COLUMN",
        help="Columns that the network learns to tell too while it trains, such as age,race: the "
        "trained model answers the gender only, and better.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]
Freeze = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Keep the first N convolutions of --init as they are: quicker, and forgets less. "
        "Default: 0.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]

Teacher = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher",
        metavar="FOLDER|CSV",
        help="A model whose answers are learned beside the labels: a larger one teaches a "
        "quicker one. Or answers of any tool or of people, as path,p_male. Several teach by their "
        "mean: give the option again.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]
TeacherShare = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Share of the teacher's answer in what is learned, 0 to 1. Default: .7.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]
TeacherOnce = Annotated[
    bool | None,
    typer.Option(
        "--teacher-once/--teacher-always",
        help="Ask the teacher once for each photo, for its crop and the mirror image, not for "
        "every augmented crop: several times quicker. Default: always, with a CSV once.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]
Doubt = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN:VALUE=X,VALUE=X",
        help="Values of a column whose labels are less certain, such as age:0-2=.5,3-9=.2: that "
        "share of the target goes to both genders alike.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]
Int8 = Annotated[
    bool | None,
    typer.Option(
        "--int8/--no-int8",
        help="Give predict a network of 8-bit numbers: a quarter of the size, and quicker. "
        "Default: off.",
        rich_help_panel=RECIPE,
        show_default=False,
    ),
]
