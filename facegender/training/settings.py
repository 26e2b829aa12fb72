"""What a training run was asked to do, with every default filled in."""

from __future__ import annotations

import math
import secrets
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from facegender.errors import UsageError
from facegender.models.architectures import SCHEDULES, architecture

NONE: Final = "none"
BUNDLED: Final = "bundled"
DEVICES: Final = ("one", "all")
FLOAT32: Final = "float32"
MIXED: Final = "mixed"
PRECISIONS: Final = (FLOAT32, MIXED)
"""``mixed`` computes in float16 and keeps weights, logits and probabilities in float32."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Options of `train`; None means the network's recipe, or for `seed` a drawn one.

    Attributes:
        arch: a name in `architectures.ARCHITECTURES`; None means that of the model that training
            starts from, and `architectures.DEFAULT` from scratch.
        epochs: most epochs.
        batch_size: photos a step.
        lr: learning rate, the peak where it is scheduled.
        patience: epochs without a better validation loss before stopping.
        seed: of weights, shuffling, augmentation and dropout.
        augment: whether training crops are varied.
        degrade: whether some of them also become blurred, compressed or dim, as `degrade` says;
            without `augment` none do.
        init: what to start from: `NONE` for random weights, `BUNDLED` for the bundled model's, or
            a model folder; None means the bundled model's, unless another network or crop is asked
            for.
        schedule: one of `architectures.SCHEDULES`.
        weight_decay: of AdamW; 0 for networks that another optimizer trains.
        label_smoothing: share of the target given to both genders alike, 0 to below 1.
        mixup: strength of mixing two photos and their labels (Zhang et al., "mixup", 2018);
            0 mixes none.
        crop: one of `geometry.KINDS`; None means the table's, that of `init`, or the network's.
        size: of the crops, such as "64x64"; None means the table's, that of `init`, or the
            network's.
        start_share: share of the start's weights that is mixed into the trained ones at the end, 0
            to 1; None means the one of `weight_averaging.SHARES` with the least validation loss.
        devices: ``one``, or ``all`` GPUs, which share every batch.
        precision: ``float32`` or ``mixed`` (float16 where that does not harm); None means mixed
            where the GPUs have units for it.
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
    devices: str | None = None
    precision: str | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings without gaps; stored in ``last/`` and in the bundle."""

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
    devices: str = "one"
    precision: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def resolve(settings: TrainSettings, arch: str, init: str) -> Resolved:
    """Fill the gaps from the network's recipe.

    Args:
        settings: as given.
        arch: the network; a name in `architectures.ARCHITECTURES`.
        init: what to start from; see `TrainSettings`.

    Raises:
        UsageError: an unknown network or a number out of range.
    """
    recipe = architecture(arch).recipe
    tuning = init != NONE
    resolved = Resolved(
        arch=arch,
        epochs=_given(settings.epochs, recipe.tuning_epochs if tuning else recipe.epochs),
        batch_size=_given(settings.batch_size, recipe.batch_size),
        lr=_given(settings.lr, recipe.tuning_lr if tuning else recipe.lr),
        patience=_given(settings.patience, recipe.patience),
        seed=secrets.randbelow(2**31) if settings.seed is None else settings.seed,
        augment=_given(settings.augment, recipe.augment),
        init=init,
        schedule=_given(settings.schedule, recipe.schedule),
        weight_decay=_given(settings.weight_decay, recipe.weight_decay),
        label_smoothing=_given(settings.label_smoothing, recipe.label_smoothing),
        mixup=_given(settings.mixup, 0.0),
        crop=settings.crop,
        size=settings.size,
        degrade=_given(settings.degrade, True),
        start_share=settings.start_share,
        devices=_given(settings.devices, "one"),
        precision=settings.precision,
    )
    for name, known in (("devices", DEVICES), ("precision", (None, *PRECISIONS))):
        if getattr(resolved, name) not in known:
            raise UsageError(
                f"unknown --{name} {getattr(resolved, name)!r}",
                f"Choose one of {', '.join(filter(None, known))}.",
            )
    for name in ("epochs", "batch_size", "patience"):
        if getattr(resolved, name) < 1:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is {getattr(resolved, name)}", "It must be at least 1.")
    if not 0 < resolved.lr < math.inf:
        raise UsageError(f"--lr is {resolved.lr}", "It must be above 0.")
    _check_regularisation(resolved, decays=recipe.weight_decay > 0)
    if not 0 <= resolved.seed < 2**31:
        raise UsageError(f"--seed is {resolved.seed}", f"It must be 0 to {2**31 - 1}.")
    return resolved


def _check_regularisation(resolved: Resolved, *, decays: bool) -> None:
    if resolved.schedule not in SCHEDULES:
        raise UsageError(
            f"unknown --schedule {resolved.schedule!r}", f"Choose one of {', '.join(SCHEDULES)}."
        )
    for name, most in (("weight_decay", 1.0), ("label_smoothing", 0.9), ("mixup", 10.0)):
        value = getattr(resolved, name)
        if not 0 <= value <= most:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is {value}", f"It must be 0 to {most:g}.")
    if resolved.start_share is not None and not 0 <= resolved.start_share <= 1:
        raise UsageError(f"--start-share is {resolved.start_share}", "It must be 0 to 1.")
    if resolved.start_share and resolved.init == NONE:
        raise UsageError(
            "--start-share mixes in weights that training starts from, and this one starts from "
            "random ones",
            "Leave --start-share out, or give --init.",
        )
    if resolved.weight_decay and not decays:
        raise UsageError(
            f"the optimizer of {resolved.arch} has no weight decay", "Leave --weight-decay out."
        )


def check_same(stored: Resolved, wanted: TrainSettings) -> None:
    """Refuse to resume with options that differ from those that the run began with.

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
