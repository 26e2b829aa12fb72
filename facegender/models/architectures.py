"""The registry of networks: a name gives a Keras model and its training recipe.

Every network takes uint8 RGB crops (batch, height, width, 3) with values 0 to 255, scales them
itself, and returns float32 probabilities (batch, 2) in the order of `labels.LABELS`. Its last two
layers are named ``logits`` (dense) and ``probabilities`` (softmax).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from facegender.choices import Arch, CropKind, Schedule
from facegender.errors import UsageError
from facegender.faces.geometry import Geometry
from facegender.labels import LABELS
from facegender.models import layouts
from facegender.options import check_choice


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of an optimizer.

    Attributes:
        lr: learning rate, the peak where it is scheduled.
        steps: steps in all.
        schedule: one of `choices.Schedule`.
        weight_decay: decoupled weight decay, multiplied by the learning rate at each step.
        label_smoothing: see `Recipe`.
    """

    lr: float
    steps: int
    schedule: str = Schedule.CONSTANT
    weight_decay: float = 0.0
    label_smoothing: float = 0.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Default training settings of a network.

    Attributes:
        epochs: maximum number of epochs.
        batch_size: photos per step.
        lr: learning rate, the peak where it is scheduled.
        patience: epochs without a better validation loss before stopping.
        augment: whether training crops are augmented.
        class_weights: whether the rarer gender has a larger weight.
        optimizer: (`Tuning`) -> Keras optimizer.
        schedule: one of `choices.Schedule`.
        weight_decay: of AdamW, on kernels.
        label_smoothing: share of the target distributed equally over both genders, because
            some labels are wrong (Szegedy et al., "Rethinking the inception architecture",
            2016).
        mirrored: whether the final model averages a crop and its mirror image.
        tuning_epochs, tuning_lr: epochs and learning rate for fine-tuning a trained model.
    """

    epochs: int
    batch_size: int
    lr: float
    patience: int
    augment: bool
    class_weights: bool
    optimizer: Callable[[Tuning], Any]
    schedule: str = Schedule.CONSTANT
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    mirrored: bool = False
    tuning_epochs: int = 10
    tuning_lr: float = 3e-4


@dataclass(frozen=True, slots=True)
class Architecture:
    """An entry of the registry: a network, its input and its recipe."""

    name: str
    geometry: Geometry
    recipe: Recipe
    build: Callable[[Any, Any, int], Any]
    """(keras, crops, seed) -> features: the layers between the input and the last dense layer."""
    min_side: int | None = None
    """Minimum side of the crops it accepts, in pixels; None means only the size of `geometry`."""

    def check_size(self, size: tuple[int, int]) -> None:
        """Check that the network accepts crops of a size.

        Raises:
            UsageError: it does not; the hint says which sizes it accepts.
        """
        if size == self.geometry.size or (self.min_side and min(size) >= self.min_side):
            return
        own = "x".join(map(str, self.geometry.size))
        takes = own if self.min_side is None else f"any size from {self.min_side} pixels on"
        raise UsageError(
            f"{self.name} does not take crops of {size[0]}x{size[1]}", f"It takes {takes}."
        )


ARCHITECTURES: dict[str, Architecture] = {}
"""Every network by name; `register` adds to it."""

DEFAULT: Final = Arch.COMPACT.value


def register(
    geometry: Geometry, recipe: Recipe, min_side: int | None = None
) -> Callable[[Callable[[Any, Any, int], Any]], Callable[[Any, Any, int], Any]]:
    """Register a function ``features(keras, crops, seed)`` under its own name."""

    def enter(features: Callable[[Any, Any, int], Any]) -> Callable[[Any, Any, int], Any]:
        name = features.__name__
        ARCHITECTURES[name] = Architecture(name, geometry, recipe, features, min_side)
        return features

    return enter


def architecture(name: str) -> Architecture:
    """Return a registered network.

    Raises:
        UsageError: no such name.
    """
    check_choice("--arch", name, ARCHITECTURES)
    return ARCHITECTURES[name]


def build(name: str, *, seed: int = 0, size: tuple[int, int] | None = None) -> Any:
    """Build a network with fresh weights.

    Args:
        name: a key of `ARCHITECTURES`.
        seed: of the weights and of dropout; equal seeds give equal networks.
        size: width and height of the crops in pixels; None means the network's own. The weights
            of a network that takes any size do not depend on it.

    Raises:
        UsageError: no such network, or a size that it does not take.

    Returns:
        an uncompiled ``keras.Model``: uint8 (batch, height, width, 3) -> float32 (batch, 2).
    """
    from facegender.models.keras_backend import import_keras

    keras = import_keras()
    chosen = architecture(name)
    keras.utils.set_random_seed(seed % 2**32)
    width, height = size or chosen.geometry.size
    chosen.check_size((width, height))
    crops = keras.Input((height, width, 3), dtype="uint8", name="crops")
    features = chosen.build(keras, crops, seed)
    logits = keras.layers.Dense(len(LABELS), name="logits", dtype="float32")(features)
    probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(logits)
    return keras.Model(crops, probabilities, name=str(name))


def compile_for_training(
    model: Any, recipe: Recipe, tuning: Tuning, also_weight: float = 0.0
) -> None:
    """Compile with the recipe's optimizer and categorical cross-entropy on one-hot labels.

    Args:
        model: its first output is the gender; labels of further ones are not smoothed.
        recipe, tuning: see there.
        also_weight: weight of the loss of each further output.
    """
    from facegender.models.keras_backend import import_keras

    keras = import_keras()
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=tuning.label_smoothing)
    further = len(model.outputs) - 1
    model.compile(
        optimizer=recipe.optimizer(tuning),
        loss=[loss, *["categorical_crossentropy"] * further] if further else loss,
        loss_weights=[1.0, *[also_weight] * further] if further else None,
        metrics=[["accuracy"], *[[]] * further] if further else ["accuracy"],
        jit_compile=False,  # XLA was measured to be slower than oneDNN on CPUs
    )


def mirrored(model: Any) -> Any:
    """Return a network that averages a crop and its mirror image, with the same weights.

    The features of both are averaged before the last dense layer, which is equivalent to averaging
    the logits. The order of the weights is that of `model`.
    """
    from facegender.models.keras_backend import import_keras

    keras = import_keras()
    crops = keras.Input(model.input_shape[1:], dtype="uint8", name="crops")
    logits = model.get_layer("logits")
    features = keras.Model(model.inputs, logits.input, name="features")
    both = [features(crops), features(keras.ops.flip(crops, axis=2))]
    averaged = keras.layers.Average(name="both")(both)
    probabilities = model.get_layer("probabilities")(logits(averaged))
    return keras.Model(crops, probabilities, name=model.name)


def _adadelta(tuning: Tuning) -> Any:
    """Return Adadelta with the defaults of Keras in 2015."""
    from facegender.models.keras_backend import import_keras

    return import_keras().optimizers.Adadelta(
        learning_rate=learning_rate(tuning), rho=0.95, epsilon=1e-6
    )


def learning_rate(tuning: Tuning) -> Any:
    """Return the learning rate, or its schedule."""
    from facegender.models.keras_backend import import_keras

    if tuning.schedule == Schedule.CONSTANT:
        return tuning.lr
    warmup = max(1, tuning.steps // 15)
    return import_keras().optimizers.schedules.CosineDecay(
        tuning.lr / 20,
        max(1, tuning.steps - warmup),
        warmup_target=tuning.lr,
        warmup_steps=warmup,
    )


def _adamw(tuning: Tuning) -> Any:
    """AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019)."""
    from facegender.models.keras_backend import import_keras

    optimizer = import_keras().optimizers.AdamW(
        learning_rate(tuning), weight_decay=tuning.weight_decay
    )
    # Decay applies to kernels only, not to biases and the parameters of batch norm.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


register(
    Geometry(CropKind.PHOTO, 141, 165),
    Recipe(
        epochs=100,
        batch_size=128,
        lr=1.0,
        patience=20,
        augment=False,
        class_weights=False,
        optimizer=_adadelta,
    ),
)(layouts.classic)

_COMPACT: Final = Recipe(
    epochs=30,
    batch_size=64,
    lr=3e-3,
    patience=10,
    augment=True,
    class_weights=True,
    optimizer=_adamw,
    schedule=Schedule.COSINE,
    weight_decay=0.05,
    label_smoothing=0.1,
    mirrored=True,
)

register(Geometry(CropKind.BOX, 64, 64), _COMPACT, min_side=32)(layouts.compact)

# The learning rate is for ImageNet weights; for the bundled model's weights, see `tuning_lr`.
register(Geometry(CropKind.BOX, 96, 96), replace(_COMPACT, lr=1e-3), min_side=32)(layouts.lite)

# It learns what the mean of a crop and its mirror image says, and answers from one view.
register(Geometry(CropKind.BOX, 112, 112), replace(_COMPACT, lr=1e-3, mirrored=False), min_side=32)(
    layouts.lite15
)

# To teach smaller ones.
register(Geometry(CropKind.BOX, 112, 112), replace(_COMPACT, lr=1e-3), min_side=32)(layouts.lite2)
