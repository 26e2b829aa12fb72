import numpy as np
import pytest

from facegender.choices import Arch
from facegender.errors import UsageError
from facegender.models.architectures import (
    Tuning,
    architecture,
    build,
    compile_for_training,
)


@pytest.fixture(scope="module")
def classic():
    return build("classic", seed=1)


def test_classic_has_the_articles_shapes(classic):
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in classic.layers}
    assert shapes == {
        "crops": (165, 141, 3),
        "scale": (165, 141, 3),
        "border1": (187, 163, 3),
        "conv1": (176, 152, 32),
        "pool1": (88, 76, 32),
        "dropout1": (88, 76, 32),
        "conv2": (84, 72, 48),
        "pool2": (42, 36, 48),
        "dropout2": (42, 36, 48),
        "border3": (46, 40, 48),
        "conv3": (44, 38, 64),
        "pool3": (22, 19, 64),
        "dropout3": (22, 19, 64),
        "conv4": (20, 17, 80),
        "pool4": (10, 8, 80),
        "dropout4": (10, 8, 80),
        "flatten": (6400,),
        "dense5": (1000,),
        "norm5": (1000,),
        "dropout5": (1000,),
        "dense6": (1000,),
        "norm6": (1000,),
        "dropout6": (1000,),
        "logits": (2,),
        "probabilities": (2,),
    }


def test_classic_has_the_articles_numbers(classic):
    assert classic.count_params() == 7_538_178
    assert sum(int(np.prod(w.shape)) for w in classic.non_trainable_weights) == 4_000
    rates = [layer.rate for layer in classic.layers if layer.name.startswith("dropout")]
    assert rates == [0.25] * 4 + [0.5] * 2
    for name in ("norm5", "norm6"):
        norm = classic.get_layer(name)
        assert (norm.momentum, norm.epsilon) == (0.9, 1e-6)
    for name in ("conv1", "conv2", "conv3", "conv4", "dense5", "dense6"):
        layer = classic.get_layer(name)
        assert layer.activation.__name__ == "relu"
        assert type(layer.kernel_initializer).__name__ == "GlorotUniform"
    assert classic.get_layer("scale").scale == 1 / 255


def test_classic_trains_as_the_article_did(classic):
    recipe = architecture("classic").recipe
    assert (recipe.batch_size, recipe.epochs, recipe.patience, recipe.lr) == (128, 100, 20, 1.0)
    assert (recipe.augment, recipe.class_weights) == (False, False)
    compile_for_training(classic, recipe, Tuning(recipe.lr, 10))
    optimizer = classic.optimizer.get_config()
    assert type(classic.optimizer).__name__ == "Adadelta"
    assert optimizer["learning_rate"] == 1.0
    assert optimizer["rho"] == 0.95
    assert optimizer["epsilon"] == 1e-6
    assert not optimizer["weight_decay"]
    assert classic.loss.get_config()["label_smoothing"] == 0


def test_compact_has_its_golden_numbers():
    model = build("compact", seed=0)
    assert model.count_params() == 888_930
    assert architecture("compact").geometry.shape == (64, 64, 3)
    assert model.get_layer("features").output.shape == (None, 192)


def test_lite_has_the_shapes_of_the_first_blocks_of_efficientnet_lite0():
    model = build("lite", seed=0)
    assert model.count_params() == 944_546
    assert architecture("lite").geometry.shape == (96, 96, 3)
    assert model.get_layer("features").output.shape == (None, 192)
    # Table 1 of Tan and Le, 2019, at 96 pixels: what follows every Add or change of channels.
    blocks = [layer for layer in model.layers if isinstance(layer.output.shape[1], int)]
    depthwise = [x for x in blocks if type(x).__name__ == "DepthwiseConv2D"]
    assert [(x.output.shape[1], x.output.shape[3], x.kernel_size[0]) for x in depthwise] == [
        (48, 32, 3),
        (24, 96, 3),
        (24, 144, 3),
        (12, 144, 5),
        (12, 240, 5),
        (6, 240, 3),
        (6, 480, 3),
        (6, 480, 3),
        (6, 480, 5),
        (6, 672, 5),
        (6, 672, 5),
        (3, 672, 5),
    ]
    assert sum(type(x).__name__ == "Add" for x in model.layers) == 6


def test_lite_stays_below_what_a_crop_may_cost():
    model, operations = build("lite", seed=0), 0
    for layer in model.layers:
        if "Conv2D" in type(layer).__name__:
            _, height, width, _ = layer.output.shape
            operations += height * width * layer.kernel.shape.num_elements()
    assert 2 * operations < 150e6  # a crop and its mirror image


def test_compact_decays_kernels_only_and_ends_at_rate_zero():
    model, recipe = build("compact"), architecture("compact").recipe
    compile_for_training(model, recipe, Tuning(0.003, 150, recipe.schedule, recipe.weight_decay))
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    decayed = {
        v.path.split("/")[-1] for v in model.trainable_variables if optimizer._use_weight_decay(v)
    }
    assert decayed == {"kernel"}
    schedule = optimizer._learning_rate
    assert float(schedule(10)) == pytest.approx(0.003)
    assert float(schedule(0)) == pytest.approx(0.00015)
    assert float(schedule(150)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", list(Arch))
def test_every_network_takes_bytes_and_gives_probabilities(name):
    model = build(name, seed=3)
    shape = architecture(name).geometry.shape
    assert model.input.dtype == "uint8"
    assert model.input_shape == (None, *shape)
    crops = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    answers = np.asarray(model.predict_on_batch(crops))
    assert answers.shape == (3, 2)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-6)


def test_equal_seeds_give_equal_weights():
    one, two, other = build("compact", seed=1), build("compact", seed=1), build("compact", seed=2)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


def test_compact_takes_other_sizes_with_the_same_weights():
    usual, other = build("compact", seed=4), build("compact", seed=4, size=(40, 48))
    assert other.input_shape == (None, 48, 40, 3)
    for a, b in zip(usual.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_sizes_that_a_network_does_not_take_are_refused():
    with pytest.raises(UsageError, match="30x64") as caught:
        build("compact", size=(30, 64))
    assert "from 32" in caught.value.hint
    with pytest.raises(UsageError, match="64x64") as caught:
        build("classic", size=(64, 64))
    assert "141x165" in caught.value.hint


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="resnet") as caught:
        build("resnet")
    assert "classic, compact, lite" in caught.value.hint


def test_lite15_adds_three_blocks_to_lite_and_answers_from_one_view():
    lite, model = build("lite", size=(32, 32)), build("lite15", size=(32, 32))
    own, more = ([w.shape for w in m.get_weights()] for m in (lite, model))
    assert more[: len(own) - 2] == own[:-2]
    assert model.count_params() == 2_388_002
    assert not architecture("lite15").recipe.mirrored
    assert architecture("lite15").geometry.shape == (112, 112, 3)


def test_lite2_is_wider_and_deeper_than_lite():
    model = build("lite2", size=(32, 32))
    assert model.count_params() == 3_692_402
    assert sum(type(layer).__name__ == "DepthwiseConv2D" for layer in model.layers) == 20
