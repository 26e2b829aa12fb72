"""`facegender train`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegender.choices import Arch, CropKind, Devices, OnChange, Precision, Start
from facegender.cli import _completion as completion
from facegender.cli._options import Quiet, debug_option, workers_option
from facegender.cli._recipe_options import (
    Also,
    Augment,
    BatchSize,
    Degrade,
    Doubt,
    Freeze,
    Int8,
    LabelSmoothing,
    Lr,
    Mixup,
    Patience,
    ScheduleOption,
    StartShare,
    Teacher,
    TeacherOnce,
    TeacherShare,
    WeightDecay,
)

if TYPE_CHECKING:
    from facegender.models.bundle import Bundle


Csv = Annotated[Path, typer.Argument(metavar="CSV", help="The table that prepare wrote.")]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", help="Model folder to write.")
]
ArchOption = Annotated[
    str | None,
    typer.Option(
        "--arch",
        metavar="NAME",
        autocompletion=completion.one_of(Arch),
        help=f"{completion.described(Arch)}. Default: that of the model that training starts "
        "from, else compact.",
        show_default=False,
    ),
]
Init = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        autocompletion=completion.one_of(Start),
        help=f"Start from the weights of a model FOLDER, or {completion.described(Start)}. "
        "Default: bundled, unless another network or kind of crop is asked for.",
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Maximum number of epochs. Default: 30 (10 with --init), classic 100."
    ),
]
CropKindOption = Annotated[
    str | None,
    typer.Option(
        "--crop-kind",
        metavar="KIND",
        autocompletion=completion.one_of(CropKind),
        help=f"{completion.described(CropKind)}. Default: box, classic photo.",
        show_default=False,
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="WIDTHxHEIGHT",
        help="Size of the crops: larger ones show more and cost more time. Default: that of the "
        "model that training starts from. lite15 and lite2 112x112, lite 96x96, "
        "compact 64x64 (any from 32 on), classic 141x165.",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", help="Seed of the training; equal seeds give equal weights."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue a training; --epochs may differ from before.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing model.")]

HARDWARE = "Hardware"
DevicesOption = Annotated[
    str | None,
    typer.Option(
        "--devices",
        metavar="WHICH",
        autocompletion=completion.one_of(Devices),
        help=f"{completion.described(Devices, Devices.ONE)}.",
        rich_help_panel=HARDWARE,
        show_default=False,
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        autocompletion=completion.one_of(Precision),
        help=f"{completion.described(Precision)}. Default: mixed on GPUs that have units for it.",
        rich_help_panel=HARDWARE,
        show_default=False,
    ),
]
Workers = Annotated[int | None, workers_option(panel=HARDWARE)]

OTHER = "Other"
OnChangeOption = Annotated[
    str,
    typer.Option(
        "--on-change",
        metavar="WHAT",
        autocompletion=completion.one_of(OnChange),
        help=f"Where photos vanished or changed since prepare: {completion.described(OnChange)}.",
        rich_help_panel=OTHER,
    ),
]
Credit = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="Whose photos, under which licence: for the model card.",
        rich_help_panel=OTHER,
    ),
]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        metavar="FOLDER",
        help="Write each epoch's losses and accuracies for TensorBoard.",
        rich_help_panel=OTHER,
        show_default=False,
    ),
]
Debug = Annotated[bool, debug_option(panel=OTHER)]


def train_command(
    csv: Csv = Path("faces.csv"),
    output: Output = Path("gender_model"),
    arch: ArchOption = None,
    init: Init = None,
    epochs: Epochs = None,
    crop_kind: CropKindOption = None,
    size: Size = None,
    seed: Seed = None,
    resume: Resume = False,
    force: Force = False,
    quiet: Quiet = False,
    batch_size: BatchSize = None,
    lr: Lr = None,
    schedule: ScheduleOption = None,
    patience: Patience = None,
    augment: Augment = None,
    degrade: Degrade = None,
    weight_decay: WeightDecay = None,
    label_smoothing: LabelSmoothing = None,
    mixup: Mixup = None,
    start_share: StartShare = None,
    also: Also = None,
    freeze: Freeze = None,
    teacher: Teacher = None,
    teacher_share: TeacherShare = None,
    teacher_once: TeacherOnce = None,
    doubt: Doubt = None,
    int8: Int8 = None,
    devices: DevicesOption = None,
    precision: PrecisionOption = None,
    workers: Workers = None,
    on_change: OnChangeOption = OnChange.REFUSE.value,
    credit: Credit = "",
    tensorboard: TensorBoard = None,
    debug: Debug = False,
) -> None:
    """[bold]Examples:[/bold]

    [cyan]facegender train[/cyan]

    [cyan]facegender train --arch classic --output ./classic[/cyan]

    [cyan]facegender train --resume[/cyan]

    Trains a network on [bold]faces.csv[/bold], keeps the epoch with the lowest
    validation loss and stops early. Ctrl-C saves the state; the same
    command with --resume continues to exactly the same weights.
    --resume --epochs MORE extends a finished training.
    """
    from facegender.cli._training_display import TrainingDisplay, print_tensorboard
    from facegender.errors import UsageError
    from facegender.runtime.signals import StopRequest
    from facegender.training.settings import TrainSettings
    from facegender.training.train import train

    if resume and force:
        raise UsageError("--resume and --force contradict each other", "Give one of them.")
    settings = TrainSettings(
        arch=arch,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        patience=patience,
        seed=seed,
        augment=augment,
        init=init,
        schedule=schedule,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        mixup=mixup,
        crop=crop_kind,
        size=size,
        degrade=degrade,
        start_share=start_share,
        also=None if also is None else tuple(name.strip() for name in also.split(",")),
        freeze=freeze,
        teacher=None if teacher is None else tuple(teacher),
        teacher_share=teacher_share,
        teacher_once=teacher_once,
        doubt=doubt,
        int8=int8,
        devices=devices,
        precision=precision,
    )
    stop = StopRequest(_say_stopping, "A training that had begun goes on with --resume.")
    with stop.installed(), TrainingDisplay(quiet=quiet) as display:
        bundle = train(
            csv,
            output,
            settings,
            resume=resume,
            force=force,
            on_change=on_change,
            workers=workers,
            credit=credit,
            tensorboard=tensorboard,
            stop=stop,
            on_event=display,
        )
    _print(bundle, csv)
    if tensorboard is not None:
        print_tensorboard(tensorboard)


def _say_stopping() -> None:
    """Answer Ctrl-C at once; called inside a signal handler, hence no Rich."""
    with contextlib.suppress(OSError):
        os.write(2, b"\nStopping: saving everything (again to stop at once).\n")


def _print(bundle: Bundle, csv: Path) -> None:
    from facegender.cli import _console as console

    metrics, training = bundle.manifest["metrics"], bundle.manifest["training"]
    out = console.stdout()
    out.print(
        f"Best epoch {training['best_epoch']} of {training['epochs_done']}: accuracy "
        f"{metrics['accuracy']:.1%}, log loss {metrics['log_loss']:.3f} on {metrics['photos']:,} "
        f"{metrics['validated_on']} photos, after {training['seconds']:,.0f} s."
    )
    out.print(f"Written: {console.plain(bundle.folder)} (fingerprint {bundle.fingerprint})")
    table = "" if str(csv) == "faces.csv" else f" {csv}"
    model = "" if str(bundle.folder) == "gender_model" else f" --model {bundle.folder}"
    out.print(f"Next:    [bold]facegender eval{console.plain(table + model)}[/]")
