"""Where a training starts: the weights, network and crops of another model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from facegender.dataset.prepare import prepare
from facegender.dataset.settings import PrepareSettings
from facegender.errors import FaceGenderError
from facegender.faces.geometry import Geometry
from facegender.models.bundle import load_bundle
from facegender.models.default_model import BUNDLED
from facegender.models.inference import KerasNetwork, run_network
from facegender.training.rows import read_rows
from facegender.training.settings import TrainSettings
from facegender.training.start import choose_start
from facegender.training.train import train
from tests.conftest import make_tree
from tests.tiny_network import TINY
from tests.training.runs import weights


def test_init_starts_from_a_models_weights(quick, toy_csv, tmp_path):
    settings = TrainSettings(
        crop="photo", epochs=1, batch_size=16, seed=9, lr=1e-12, init=str(quick)
    )
    train(toy_csv, tmp_path / "m", settings, workers=1)
    crops = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3)).astype(np.uint8)
    kernels = [[w for w in weights(folder) if w.ndim == 4] for folder in (quick, tmp_path / "m")]
    for a, b in zip(*kernels, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert run_network(KerasNetwork(load_bundle(tmp_path / "m").load_keras()), crops).shape == (
        8,
        2,
    )
    with pytest.raises(FaceGenderError, match="holds the network 'tiny'"):
        other = TrainSettings(arch="classic", epochs=1, init=str(quick), crop="photo")
        train(toy_csv, tmp_path / "n", other, workers=1)


def test_a_start_that_holds_another_version_of_its_network_is_refused_and_leaves_no_folder(
    quick, toy_csv, tmp_path
):
    start = tmp_path / "start"
    shutil.copytree(quick, start)
    manifest = json.loads((start / "facegender.json").read_text())
    (start / "facegender.json").write_text(json.dumps(manifest | {"arch": "compact"}))
    settings = TrainSettings(epochs=1, init=str(start))
    for there in (False, True):
        with pytest.raises(FaceGenderError, match="another version of the network 'compact'"):
            train(toy_csv, tmp_path / "m", settings, workers=1)
        assert (tmp_path / "m").exists() == there
        (tmp_path / "m").mkdir(exist_ok=True)


def test_the_network_is_that_of_the_start_unless_another_is_asked_for(quick, toy_csv):
    rows, _ = read_rows(toy_csv)
    bundled = load_bundle(BUNDLED).arch
    start = str(quick)

    def chosen(**settings):
        start = choose_start(rows, TrainSettings(**settings))
        return start.arch, start.init

    assert chosen() == (bundled, "bundled")
    assert chosen(arch=bundled) == (bundled, "bundled")
    assert chosen(init="bundled") == (bundled, "bundled")
    assert chosen(init="none") == ("compact", "none")
    assert chosen(init=start) == (TINY, start)
    assert chosen(arch="classic") == ("classic", "none")
    assert chosen(arch=bundled, init="none") == (bundled, "none")
    assert chosen(crop="photo") == ("compact", "none")


def test_training_grows_to_larger_crops_from_a_models_weights(quick, toy_csv, tmp_path):
    settings = TrainSettings(epochs=1, batch_size=16, seed=9, init=str(quick), size="80x72")
    bundle = train(toy_csv, tmp_path / "m", settings, workers=1)
    assert bundle.geometry == Geometry("photo", 80, 72)
    assert run_network(
        KerasNetwork(bundle.load_keras()), np.zeros((2, 72, 80, 3), np.uint8)
    ).shape == (2, 2)
    assert load_bundle(tmp_path / "m").manifest["training"]["started_from"]["crop"] == {
        "kind": "photo",
        "size": "64x64",
    }


@pytest.mark.slow
def test_with_the_articles_split_only_a_share_that_is_given_is_mixed_in(quick, in_tmp):
    make_tree(in_tmp / "photos")
    prepare(Path("photos"), Path("faces.csv"), PrepareSettings(split="article"))
    for given, share in ((None, 0), (1.0, 1)):
        settings = TrainSettings(
            epochs=1, batch_size=16, seed=0, init=str(quick), start_share=given
        )
        bundle = train(Path("faces.csv"), Path("m"), settings, workers=1, force=True)
        assert bundle.manifest["training"]["share_of_start"] == share
        same = np.array_equal(weights(Path("m"))[0], weights(quick)[0])
        assert same == (share == 1)
