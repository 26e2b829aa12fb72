"""The settings of a training, and their defaults."""

from __future__ import annotations

import math
import secrets
from dataclasses import asdict, dataclass, fields
from typing import Any

from facegender.choices import CropKind, Devices, Precision, Schedule, Start
from facegender.errors import UsageError
from facegender.faces.geometry import parse_size
from facegender.models.architectures import architecture
from facegender.options import check_choice, check_number
from facegender.training.doubt import parse_doubt
from facegender.training.teacher import SHARE, is_file_of_answers


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Options of `train`; None means the default of the network's recipe, or a random `seed`.

    Attributes:
        arch: a name in `architectures.ARCHITECTURES`; None means that of the model that training
            starts from, and `architectures.DEFAULT` from scratch.
        epochs: maximum number of epochs.
        batch_size: photos per step.
        lr: learning rate, the peak where it is scheduled.
        patience: epochs without a better validation loss before stopping.
        seed: of weights, shuffling, augmentation and dropout.
        augment: whether training crops are augmented.
        degrade: whether some of them also become blurred, compressed or dim, as `degrade` says;
            without `augment` none do.
        init: what to start from: one of `choices.Start`, or a model folder; None means the bundled
            model, unless another network or crop is asked for.
        schedule: one of `choices.Schedule`.
        weight_decay: of AdamW; 0 for networks that another optimizer trains.
        label_smoothing: share of the target given to both genders alike, 0 to below 1.
        mixup: strength of mixing two photos and their labels (Zhang et al., "mixup", 2018);
            0 mixes none.
        crop: one of `choices.CropKind`; None means the table's, that of `init`, or the network's.
        size: of the crops, such as "64x64"; None means the table's, that of `init`, or the
            network's.
        start_share: share of the initial weights in the average with the trained ones, 0 to 1;
            None means the one of `weight_averaging.SHARES` with the lowest validation loss.
        also: columns of the table that the network learns to tell beside the gender while it
            trains, such as ("age", "race"): what they share makes its features better (Caruana,
            "Multitask learning", 1997). The trained model does not answer them.
        freeze: number of convolutions, from the first on, whose weights stay those of `init`.
        teacher: model folders, or CSVs of answers that were given before (see
            `read_given_answers`), whose mean answer to each crop is learned beside its label.
        teacher_share: share of that answer in the target, 0 to 1; None means
            `teacher.SHARE`.
        teacher_once: whether teachers are asked once for each photo, for its crop and the mirror
            image, and not for every augmented crop: several times quicker, and less consistent.
            None means only where one is a CSV.
        doubt: values of a column whose labels are less certain, as `doubt.parse_doubt` reads them:
            "age:0-2=.5,3-9=.2".
        int8: whether the network that `predict` runs has weights and activations of 8 bits.
        devices: one of `choices.Devices`; None means one.
        precision: one of `choices.Precision`; None means mixed if the GPUs have units for it.

    Raises:
        UsageError: an unknown word, or a number out of range.
    """

    arch: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    patience: int | None = None
    seed: int | None = None
    augment: bool | None = None
    init: str | None = None
    schedule: str | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    mixup: float | None = None
    crop: str | None = None
    size: str | None = None
    degrade: bool | None = None
    start_share: float | None = None
    also: tuple[str, ...] | None = None
    freeze: int | None = None
    teacher: tuple[str, ...] | None = None
    teacher_share: float | None = None
    teacher_once: bool | None = None
    doubt: str | None = None
    int8: bool | None = None
    devices: str | None = None
    precision: str | None = None

    def __post_init__(self) -> None:
        network = None if self.arch is None else architecture(self.arch)
        check_choice("--crop-kind", self.crop, CropKind)
        check_choice("--schedule", self.schedule, Schedule)
        check_choice("--devices", self.devices, Devices)
        check_choice("--precision", self.precision, Precision)
        for name in ("epochs", "batch_size", "patience"):
            check_number(f"--{name.replace('_', '-')}", getattr(self, name), 1)
        if self.lr is not None and not 0 < self.lr < math.inf:
            raise UsageError(f"--lr is {self.lr}", "It must be above 0.")
        check_number("--seed", self.seed, 0, 2**31 - 1)
        check_number("--weight-decay", self.weight_decay, 0, 1)
        check_number("--label-smoothing", self.label_smoothing, 0, 0.9)
        check_number("--mixup", self.mixup, 0, 10)
        check_number("--start-share", self.start_share, 0, 1)
        check_number("--freeze", self.freeze, 0)
        check_number("--teacher-share", self.teacher_share, 0, 1)
        if self.doubt is not None:
            parse_doubt(self.doubt)
        if self.size is not None:
            size = parse_size(str(self.size))
            if network is not None:
                network.check_size(size)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Complete settings; stored in ``last/`` and in the bundle."""

    arch: str
    epochs: int
    batch_size: int
    lr: float
    patience: int
    seed: int
    augment: bool
    init: str
    schedule: str
    weight_decay: float
    label_smoothing: float
    mixup: float
    crop: str | None
    size: str | None = None
    degrade: bool = True
    start_share: float | None = None
    also: tuple[str, ...] = ()
    freeze: int = 0
    teacher: tuple[str, ...] = ()
    teacher_share: float = 0.0
    teacher_once: bool = False
    doubt: str | None = None
    int8: bool = False
    devices: str = Devices.ONE
    precision: str | None = None

    def __post_init__(self) -> None:
        for name in ("also", "teacher"):  # lists where they were stored as JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self) | {"also": list(self.also), "teacher": list(self.teacher)}


def resolve(settings: TrainSettings, arch: str, init: str) -> Resolved:
    """Fill missing settings from the network's recipe.

    Args:
        settings: as given.
        arch: the network; a name in `architectures.ARCHITECTURES`.
        init: what to start from; see `TrainSettings`.

    Raises:
        UsageError: an unknown network, or options that do not apply to it or to its start.
    """
    recipe = architecture(arch).recipe
    tuning = init != Start.NONE
    resolved = Resolved(
        arch=str(arch),
        epochs=_given(settings.epochs, recipe.tuning_epochs if tuning else recipe.epochs),
        batch_size=_given(settings.batch_size, recipe.batch_size),
        lr=_given(settings.lr, recipe.tuning_lr if tuning else recipe.lr),
        patience=_given(settings.patience, recipe.patience),
        seed=secrets.randbelow(2**31) if settings.seed is None else settings.seed,
        augment=_given(settings.augment, recipe.augment),
        init=str(init),
        schedule=_given(settings.schedule, recipe.schedule),
        weight_decay=_given(settings.weight_decay, recipe.weight_decay),
        # A teacher's doubts take the place of those that smoothing adds to the label.
        label_smoothing=_given(
            settings.label_smoothing, 0.0 if settings.teacher else recipe.label_smoothing
        ),
        mixup=_given(settings.mixup, 0.0),
        crop=settings.crop,
        size=settings.size,
        degrade=_given(settings.degrade, True),
        start_share=settings.start_share,
        also=tuple(settings.also or ()),
        freeze=_given(settings.freeze, 0),
        teacher=tuple(settings.teacher or ()),
        teacher_share=_given(settings.teacher_share, SHARE) if settings.teacher else 0.0,
        teacher_once=_given(
            settings.teacher_once, any(map(is_file_of_answers, settings.teacher or ()))
        ),
        doubt=settings.doubt,
        int8=bool(settings.int8),
        devices=_given(settings.devices, Devices.ONE.value),
        precision=settings.precision,
    )
    _check_together(resolved, settings)
    return resolved


def _check_together(resolved: Resolved, settings: TrainSettings) -> None:
    """Refuse options that contradict each other, the network or the start.

    Raises:
        UsageError: it says which.
    """
    recipe, tuning = architecture(resolved.arch).recipe, resolved.init != Start.NONE
    if settings.teacher_share and not settings.teacher:
        raise UsageError("--teacher-share is for --teacher, which is missing", "Give a teacher.")
    if resolved.teacher_once and not settings.teacher:
        raise UsageError("--teacher-once is for --teacher, which is missing", "Give a teacher.")
    if not resolved.teacher_once and any(map(is_file_of_answers, resolved.teacher)):
        raise UsageError(
            "--teacher-always asks for every augmented crop, and a CSV answers for whole photos",
            "Leave --teacher-always out, or give model folders only.",
        )
    if resolved.freeze and not tuning:
        raise UsageError(
            "--freeze keeps weights that training starts from, and this one starts from random "
            "ones",
            "Leave --freeze out, or give --init.",
        )
    if resolved.devices == Devices.ALL and resolved.also:
        raise UsageError("--also works on one device only", "Leave --devices out.")
    if resolved.start_share and not tuning:
        raise UsageError(
            "--start-share mixes in weights that training starts from, and this one starts from "
            "random ones",
            "Leave --start-share out, or give --init.",
        )
    if resolved.weight_decay and not recipe.weight_decay:
        raise UsageError(
            f"the optimizer of {resolved.arch} has no weight decay", "Leave --weight-decay out."
        )


def check_same(stored: Resolved, wanted: TrainSettings) -> None:
    """Check that a training is resumed with the options that it began with.

    Raises:
        UsageError: an option that was given differs.
    """
    for name in (field.name for field in fields(wanted)):
        value, kept = getattr(wanted, name), getattr(stored, name)
        if value is not None and value != kept:
            raise UsageError(
                f"--resume goes on with {name.replace('_', '-')} {kept}, not {value}",
                "Leave the option out, or train anew with --force.",
            )


def _given(value: Any, default: Any) -> Any:
    return default if value is None else value
