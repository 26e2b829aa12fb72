"""What a training run was asked to do, with every default filled in."""

from __future__ import annotations

import math
import secrets
from dataclasses import asdict, dataclass
from typing import Any, Final

from facegender.errors import UsageError
from facegender.model import DEFAULT, architecture

NONE: Final = "none"
BUNDLED: Final = "bundled"


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Options of `train`; None means the network's recipe, or for `seed` a drawn one.

    Attributes:
        arch: a name in `model.ARCHITECTURES`.
        epochs: most epochs.
        batch_size: photos a step.
        lr: learning rate, the peak where it is scheduled.
        patience: epochs without a better validation loss before stopping.
        seed: of weights, shuffling, augmentation and dropout.
        augment: whether training crops are varied.
        init: what to start from: `NONE` for random weights, `BUNDLED` for the bundled model's, or
            a model folder; None means the bundled model's where network and crop are the same.
        crop: one of `face.KINDS`; None means the table's, that of `init`, or the network's.
    """

    arch: str = DEFAULT
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    patience: int | None = None
    seed: int | None = None
    augment: bool | None = None
    init: str | None = None
    crop: str | None = None


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
    crop: str | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def resolve(settings: TrainSettings, init: str) -> Resolved:
    """Fill the gaps from the network's recipe.

    Args:
        settings: as given.
        init: what to start from; see `TrainSettings`.

    Raises:
        UsageError: an unknown network or a number out of range.
    """
    recipe = architecture(settings.arch).recipe
    tuning = init != NONE
    resolved = Resolved(
        arch=settings.arch,
        epochs=_given(settings.epochs, recipe.tuning_epochs if tuning else recipe.epochs),
        batch_size=_given(settings.batch_size, recipe.batch_size),
        lr=_given(settings.lr, recipe.tuning_lr if tuning else recipe.lr),
        patience=_given(settings.patience, recipe.patience),
        seed=secrets.randbelow(2**31) if settings.seed is None else settings.seed,
        augment=_given(settings.augment, recipe.augment),
        init=init,
        crop=settings.crop,
    )
    for name in ("epochs", "batch_size", "patience"):
        if getattr(resolved, name) < 1:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is {getattr(resolved, name)}", "It must be at least 1.")
    if not 0 < resolved.lr < math.inf:
        raise UsageError(f"--lr is {resolved.lr}", "It must be above 0.")
    if not 0 <= resolved.seed < 2**31:
        raise UsageError(f"--seed is {resolved.seed}", f"It must be 0 to {2**31 - 1}.")
    return resolved


def check_same(stored: Resolved, wanted: TrainSettings) -> None:
    """Refuse to resume with options that differ from those that the run began with.

    Raises:
        UsageError: an option that was given differs.
    """
    for name in ("epochs", "batch_size", "lr", "patience", "seed", "augment", "init", "crop"):
        value, kept = getattr(wanted, name), getattr(stored, name)
        if value is not None and value != kept:
            raise UsageError(
                f"--resume goes on with {name.replace('_', '-')} {kept}, not {value}",
                "Leave the option out, or train anew with --force.",
            )
    if wanted.arch not in (stored.arch, DEFAULT):
        raise UsageError(
            f"--resume goes on with {stored.arch}, not {wanted.arch}", "Leave --arch out."
        )


def _given(value: Any, default: Any) -> Any:
    return default if value is None else value
