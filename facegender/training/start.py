"""What a training starts from: the weights of a model, or random ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from facegender.choices import Start
from facegender.errors import FaceGenderError, UsageError
from facegender.faces.geometry import Geometry, parse_size
from facegender.models.architectures import DEFAULT, architecture
from facegender.models.bundle import MANIFEST, Bundle, load_bundle
from facegender.models.default_model import BUNDLED as BUNDLED_FOLDER
from facegender.training.rows import Rows
from facegender.training.settings import TrainSettings


@dataclass(frozen=True)
class TrainingStart:
    """A start, whose model folder is read and checked once.

    Attributes:
        init: what was asked for, as `TrainSettings` has it.
        arch: the network to train, a name in `architectures.ARCHITECTURES`.
        bundle: the model whose weights are taken, None for random ones.
    """

    init: str
    arch: str
    bundle: Bundle | None

    @property
    def geometry(self) -> Geometry | None:
        """The crops that its model takes, None for random weights."""
        return None if self.bundle is None else self.bundle.geometry

    @cached_property
    def weights(self) -> list[Any] | None:
        """Its float32 arrays in the order of Keras, None for random weights; loads TensorFlow."""
        return None if self.bundle is None else list(self.bundle.load_keras().get_weights())

    @property
    def origin(self) -> dict[str, Any] | None:
        """What its model cost and came from; None for random weights."""
        if self.bundle is None:
            return None
        training = self.bundle.manifest.get("training", {})
        facts = ("epochs_done", "best_epoch", "seconds", "started_from", "credit")
        known = {**training, "credit": self.bundle.manifest.get("credit")}
        return {
            "fingerprint": self.bundle.fingerprint,
            "crop": self.bundle.geometry.to_json(),
            **{name: known[name] for name in facts if known.get(name) is not None},
        }


def open_start(init: str, arch: str | None = None) -> TrainingStart:
    """Read the model that `init` means.

    Args:
        init: see `TrainSettings`.
        arch: the network that is wanted; None means the model's own, and
            `architectures.DEFAULT` for random weights.

    Raises:
        BundleError: there is no such model.
        FaceGenderError: it holds another network.
    """
    if init == Start.NONE:
        return TrainingStart(init, arch or DEFAULT, None)
    return _started(
        init, arch, load_bundle(BUNDLED_FOLDER if init == Start.BUNDLED else Path(init))
    )


def check_start(settings: TrainSettings) -> TrainingStart | None:
    """Open the start that was asked for, before the table is read.

    Returns:
        the start; None where none was asked for, so that the table chooses it.

    Raises:
        UsageError: neither a word nor a folder, or a size that the network does not take.
        BundleError, FaceGenderError: see `open_start`.
    """
    start = None
    if settings.init is not None:
        known = settings.init in list(Start)
        if not known and not (settings.init and Path(settings.init).exists()):
            raise UsageError(
                f"--init {settings.init}: there is no such folder",
                f"Give a model folder, or one of {', '.join(Start)}.",
            )
        start = open_start(settings.init, settings.arch)
    if settings.size is not None:
        arch = settings.arch or (DEFAULT if start is None else start.arch)
        architecture(arch).check_size(parse_size(settings.size))
    return start


def choose_start(
    rows: Rows, settings: TrainSettings, asked: TrainingStart | None = None
) -> TrainingStart:
    """Say which network to train and what from: what was asked for, else what suits the rows.

    Args:
        rows: of the table.
        settings: as given.
        asked: what `check_start` opened, so that its folder is read once.

    Raises:
        BundleError, FaceGenderError: see `open_start`.
    """
    if asked is not None or settings.init:
        return asked or open_start(settings.init or "", settings.arch)
    if not (BUNDLED_FOLDER / MANIFEST).exists():
        return open_start(Start.NONE, settings.arch)
    bundle = load_bundle(BUNDLED_FOLDER)
    if not _suits(bundle, rows, settings):
        return open_start(Start.NONE, settings.arch)
    return _started(Start.BUNDLED, settings.arch, bundle)


def _started(init: str, arch: str | None, bundle: Bundle) -> TrainingStart:
    if arch not in (None, bundle.arch):
        raise FaceGenderError(
            f"{init} holds the network {bundle.arch!r}, not {arch!r}",
            "Leave --arch or --init out.",
        )
    return TrainingStart(init, bundle.arch, bundle)


def _suits(bundle: Bundle, rows: Rows, settings: TrainSettings) -> bool:
    """Tell whether a model has the network and the crop that are wanted."""
    own = bundle.geometry.to_json()
    fits = settings.arch in (None, bundle.arch) and settings.crop in (None, bundle.geometry.kind)
    same = rows.crop is None or {**rows.crop, "size": own["size"]} == own  # any size will do
    return fits and same
