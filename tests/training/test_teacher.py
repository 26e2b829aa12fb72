"""Teachers: what they say of a crop, and which may teach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegender.choices import CropKind
from facegender.dataset.samples import Samples
from facegender.errors import BundleError, UsageError
from facegender.faces.geometry import Geometry
from facegender.models.bundle import load_bundle
from facegender.models.inference import load_network
from facegender.training.teacher import (
    Teacher,
    check_crops,
    load_teacher,
    mean_answer,
    open_teachers,
)

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
    (answers,) = teacher.ask_once(crops, np.arange(1, 150), lambda *some: done.append(some))
    assert np.isnan(answers[0])  # not asked for
    both = [lefts(view)[:, 1] for view in (crops, crops[:, :, ::-1])]
    odds = np.mean([np.log(p / (1 - p)) for p in both], axis=0)
    np.testing.assert_allclose(answers[1:], odds[1:], rtol=1e-4, atol=1e-6)
    assert done[-1] == (149, 149)


def test_a_network_that_averages_both_views_itself_is_asked_for_one(toy_model: Path) -> None:
    bundle, asked = load_bundle(toy_model), []

    def network(crops: np.ndarray) -> np.ndarray:
        asked.append(len(crops))
        return np.full((len(crops), 2), 0.5, np.float32)

    crops = np.zeros((5, *bundle.geometry.shape), np.uint8)
    Teacher([bundle], [network]).ask_once(crops, np.arange(5), lambda *_: None)
    assert asked == [5]


def test_only_teachers_that_answer_count() -> None:
    odds = np.array([[2.0, np.nan, np.nan], [0.0, -1.0, np.nan]])
    male = mean_answer(odds)
    np.testing.assert_allclose(male[:2], [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], rtol=1e-6)
    assert male.dtype == np.float32
    assert np.isnan(male[2])
    assert np.isnan(mean_answer(odds[:0])).all()


def test_models_and_files_teach_in_any_order(toy_model: Path, in_tmp: Path) -> None:
    Path("said.CSV").write_text("path,p_male\na.jpg,.25\nb.jpg,\n")
    teachers = open_teachers(["said.CSV", str(toy_model)])
    assert [bundle.folder for bundle in teachers.bundles] == [toy_model]
    assert teachers.fingerprints[1] == teachers.bundles[0].fingerprint
    samples = Samples(["b.jpg", "a.jpg"], np.zeros(2, np.int8), [""] * 2, [""] * 2)
    (odds,) = teachers.read_files(samples, np.arange(2))
    np.testing.assert_allclose(odds, [np.nan, np.log(1 / 3)], rtol=1e-6)
    Path("said.CSV").write_text("path,p_male\na.jpg,.5\n")
    assert open_teachers(["said.CSV"]).fingerprints != teachers.fingerprints[:1]


def test_a_teacher_of_other_crops_is_refused(toy_model: Path) -> None:
    bundle = load_bundle(toy_model)
    check_crops([bundle], Geometry(CropKind.PHOTO, 96, 96))
    with pytest.raises(UsageError, match="crops of kind photo"):
        check_crops([bundle], Geometry(CropKind.BOX, 64, 64))


def test_what_is_no_model_cannot_teach(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        open_teachers([str(tmp_path / "missing")])
    with pytest.raises(UsageError, match="no such file"):
        open_teachers([str(tmp_path / "missing.csv")])
    with pytest.raises(BundleError):
        open_teachers([str(tmp_path)])
