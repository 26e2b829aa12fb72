"""Teachers: what they say of a crop, and which may teach."""

from __future__ import annotations

from dataclasses import replace
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


def test_a_teacher_asked_once_answers_for_a_crop_and_its_mirror_image(toy_model: Path) -> None:
    def lefts(crops: np.ndarray) -> np.ndarray:
        left = crops[:, :, 0].mean((1, 2)) / 256
        return np.stack([left, 1 - left], 1).astype(np.float32)

    bundle = load_bundle(toy_model)
    one_view = replace(bundle, arch="lite15")
    size = bundle.geometry.shape[:2]
    crops = np.random.default_rng(2).integers(0, 256, (150, *size, 3)).astype(np.uint8)
    done = []
    teacher = Teacher([one_view], [lefts])
    answers = teacher.ask_once(crops, np.arange(1, 150), lambda *some: done.append(some))
    assert answers[0].tolist() == [0.5, 0.5]  # not asked for
    both = [lefts(view)[:, 1] for view in (crops, crops[:, :, ::-1])]
    odds = np.mean([np.log(p / (1 - p)) for p in both], axis=0)
    np.testing.assert_allclose(answers[1:, 1], (1 / (1 + np.exp(-odds)))[1:], rtol=1e-4)
    assert done[-1] == (149, 149)


def test_a_network_that_averages_both_views_itself_is_asked_for_one(toy_model: Path) -> None:
    bundle, asked = load_bundle(toy_model), []

    def network(crops: np.ndarray) -> np.ndarray:
        asked.append(len(crops))
        return np.full((len(crops), 2), 0.5, np.float32)

    crops = np.zeros((5, *bundle.geometry.shape), np.uint8)
    Teacher([bundle], [network]).ask_once(crops, np.arange(5), lambda *_: None)
    assert asked == [5]


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
