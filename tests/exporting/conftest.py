"""Models to export."""

import pytest

from facegender.models.bundle import KERAS, save_bundle


@pytest.fixture(scope="session")
def toy_photos(toy_tree):
    """The made photos, as paths."""
    return sorted(str(path) for path in toy_tree.rglob("*.jpg"))


@pytest.fixture(scope="session")
def classic_model(tmp_path_factory):
    """A classic model with fresh weights, which has no twin."""
    from facegender.models.architectures import architecture, build
    from facegender.training.finish import keras_bytes

    facts = {
        "arch": "classic",
        "fingerprint": "0" * 16,
        "crop": architecture("classic").geometry.to_json(),
        "threshold": 0.8,
        "temperature": 1.0,
    }
    folder = tmp_path_factory.mktemp("classic") / "model"
    save_bundle(folder, {KERAS: keras_bytes(build("classic", seed=3))}, facts)
    return folder
