import numpy as np
import pytest

from facegender.errors import DataError
from facegender.models.architectures import build
from facegender.models.bundle import load_bundle
from facegender.models.inference import KerasNetwork, LiteRtNetwork
from facegender.training.pretrained import save_start
from facegender.training.settings import TrainSettings
from facegender.training.train import train
from tests.tiny_network import TINY


@pytest.fixture(scope="module")
def given():
    """Weights of a network as others might have made them."""
    return build(TINY, seed=5).get_weights()[:-2]


def test_a_start_holds_the_weights_that_were_given(given, tmp_path):
    bundle = save_start(tmp_path / "start", TINY, given, "Somebody's, CC0.")
    assert (bundle.arch, bundle.manifest["credit"]) == (TINY, "Somebody's, CC0.")
    model = bundle.load_keras()
    for ours, theirs in zip(model.get_weights(), given, strict=False):
        np.testing.assert_array_equal(ours, theirs)
    crops = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    twin = LiteRtNetwork(bundle.files["model.tflite"].read_bytes())
    np.testing.assert_allclose(twin(crops), KerasNetwork(model)(crops), atol=1e-5)


def test_a_start_with_all_weights_answers_as_they_do(tmp_path):
    model = build(TINY, seed=5)
    bundle = save_start(tmp_path / "start", TINY, model.get_weights(), "Somebody's, CC0.")
    for ours, theirs in zip(bundle.load_keras().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_training_goes_on_from_a_start_and_its_card_says_whose_it_was(given, toy_csv, tmp_path):
    start = save_start(tmp_path / "start", TINY, given, "Somebody's, CC0.")
    settings = TrainSettings(epochs=1, batch_size=16, seed=1, crop="photo", init=str(start.folder))
    bundle = train(toy_csv, tmp_path / "m", settings, workers=1)
    origin = bundle.manifest["training"]["started_from"]
    assert origin["fingerprint"] == start.fingerprint
    card = load_bundle(tmp_path / "m").files["README.md"].read_text()
    assert "weights that others made: Somebody's, CC0." in card


def test_weights_of_another_network_are_refused(given, tmp_path):
    with pytest.raises(DataError, match="do not fit the .* of lite, from number 1 on"):
        save_start(tmp_path / "start", "lite", given, "")
    with pytest.raises(DataError, match="from number 8 on"):
        save_start(tmp_path / "start", TINY, given[:7], "")
    assert not (tmp_path / "start").exists()
