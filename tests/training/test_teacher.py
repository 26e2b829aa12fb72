"""Teachers: what they say of a crop, and which may teach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegender.choices import CropKind
from facegender.errors import BundleError, UsageError
from facegender.faces.geometry import Geometry
from facegender.models.bundle import load_bundle
from facegender.models.inference import load_network
from facegender.training.teacher import Teacher, check_crops, load_teacher, open_teachers

CROPS = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3)).astype(np.uint8)


def test_several_teachers_answer_with_the_mean_of_their_log_odds(toy_model: Path) -> None:
    bundle = load_bundle(toy_model)
    says = ([0.9, 0.1], [0.6, 0.4])
    networks = [lambda crops, p=p: np.tile(np.float32(p), (len(crops), 1)) for p in says]
    odds = (np.log(0.1 / 0.9) + np.log(0.4 / 0.6)) / 2
    answers = Teacher([bundle, bundle], networks)(CROPS)
    np.testing.assert_allclose(answers[:, 1], 1 / (1 + np.exp(-odds)), rtol=1e-6)
    np.testing.assert_allclose(answers.sum(1), 1, rtol=1e-6)


def test_a_teacher_sees_crops_in_its_own_size(toy_model: Path) -> None:
    bundle = load_bundle(toy_model)
    own = np.random.default_rng(1).integers(0, 256, (2, *bundle.geometry.shape)).astype(np.uint8)
    teacher = load_teacher([bundle])
    np.testing.assert_allclose(teacher(own), load_network(bundle)(own), atol=1e-5)
    assert teacher(CROPS).shape == (3, 2)


def test_a_teacher_of_other_crops_is_refused(toy_model: Path) -> None:
    bundle = load_bundle(toy_model)
    check_crops([bundle], Geometry(CropKind.PHOTO, 96, 96))
    with pytest.raises(UsageError, match="crops of kind photo"):
        check_crops([bundle], Geometry(CropKind.BOX, 64, 64))


def test_what_is_no_model_cannot_teach(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        open_teachers([str(tmp_path / "missing")])
    with pytest.raises(BundleError):
        open_teachers([str(tmp_path)])
