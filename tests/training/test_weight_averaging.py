import numpy as np
import pytest

from facegender.models.keras_backend import import_keras
from facegender.training.fit import ValidationSet
from facegender.training.weight_averaging import (
    SHARES,
    average_weights,
    calibrated_loss,
    keep_better,
)

keras = import_keras()


def network(weight):
    """A network that looks at one pixel's brightness; a negative weight is wrong."""
    crops = keras.Input((1, 1, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 127.5, offset=-1)(crops))
    logits = keras.layers.Dense(2, use_bias=False, name="logits")(x)
    model = keras.Model(crops, keras.layers.Softmax()(logits))
    model.get_layer("logits").set_weights([np.array([[-weight, weight]] * 3, np.float32)])
    return model


@pytest.fixture
def validation():
    labels = (np.arange(40) % 2).astype(np.int8)
    crops = np.where(labels[:, None, None, None] == 1, 200, 50).astype(np.uint8)
    return ValidationSet(np.repeat(crops, 3, axis=3), labels)


def test_a_training_that_helped_keeps_its_weights(validation):
    model = network(2.0)
    start = network(-2.0).get_weights()
    assert average_weights(model, start, validation) == 0
    np.testing.assert_allclose(model.get_weights()[0], network(2.0).get_weights()[0])


def test_a_training_that_harmed_gets_back_what_helps(validation):
    model = network(-0.1)
    start = network(2.0).get_weights()
    share = average_weights(model, start, validation)
    assert share in SHARES[1:]
    mixed = share * 2.0 + (1 - share) * -0.1
    assert mixed > 0
    np.testing.assert_allclose(model.get_weights()[0], network(mixed).get_weights()[0], rtol=1e-6)


def test_a_share_that_is_given_holds(validation):
    model = network(2.0)
    assert average_weights(model, network(-2.0).get_weights(), validation, 0.25) == 0.25
    np.testing.assert_allclose(model.get_weights()[0], network(1.0).get_weights()[0])


@pytest.mark.parametrize(("best", "ended", "last"), [(2.0, -2.0, False), (-2.0, 2.0, True)])
def test_the_better_of_the_best_and_the_last_epoch_is_kept(validation, best, ended, last):
    model = network(best)
    assert keep_better(model, network(ended).get_weights(), validation) is last
    np.testing.assert_allclose(model.get_weights()[0], network(2.0).get_weights()[0])


def test_a_last_epoch_that_is_only_too_sure_of_itself_is_no_worse(validation):
    """A network of twice the logits has the same loss once it is calibrated."""
    noisy = ValidationSet(validation.crops, validation.labels.copy())
    noisy.labels[:8] = 1 - noisy.labels[:8]
    losses = [calibrated_loss(network(weight), noisy) for weight in (1.0, 2.0)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert losses[0] == pytest.approx(-0.8 * np.log(0.8) - 0.2 * np.log(0.2), abs=3e-3)
