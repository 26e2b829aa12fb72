"""On real faces: skipped where there are none."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from facegender import (
    Predictor,
    PrepareSettings,
    TrainSettings,
    evaluate,
    export,
    prepare,
    train,
)
from facegender.dataset.table import read_table
from facegender.faces.detection import detector_for
from facegender.faces.extraction import find_faces_in
from facegender.faces.geometry import Geometry
from facegender.models.bundle import MANIFEST
from facegender.models.default_model import BUNDLED
from facegender.prediction.explain import explain, hide, log_odds


@pytest.mark.slow  # tests/dataset/test_splits.py shows its sizes and rows on made ones
def test_the_articles_split_of_as_many_photos(real_data, in_tmp):
    result = prepare(real_data / "gender_pic", Path("faces.csv"), PrepareSettings(split="article"))
    splits = Counter(result.samples.splits)
    assert splits == {"train": 6399, "test": 1600}
    assert Counter(result.samples.labels.tolist()) == {0: 4309, 1: 3690}


@pytest.fixture(scope="module")
def persons(real_data, tmp_path_factory):
    """The table of gender_pic, with few to test on."""
    table = tmp_path_factory.mktemp("persons") / "faces.csv"
    return prepare(real_data / "gender_pic", table, PrepareSettings(test=0.05))


def test_persons_are_kept_apart(persons):
    result = persons
    assert result.to_json()["persons"] == 824
    assert result.persons_in_two_splits == 0
    assert result.copies == 1


def test_fairface_keeps_its_split_and_its_attributes(real_data, in_tmp):
    attributes = real_data / "fairface" / "attributes.csv"
    result = prepare(
        real_data / "fairface" / "val",
        Path("faces.csv"),
        PrepareSettings(attributes=str(attributes)),
    )
    assert result.without_attributes == 0
    samples = read_table(Path("faces.csv"))
    assert set(samples.attributes) == {"age", "race"}
    assert len(set(samples.attributes["race"])) == 7


@pytest.mark.slow
def test_compact_learns_real_faces_in_minutes(real_data, in_tmp):
    prepare(real_data / "gender_pic", Path("faces.csv"))
    train(Path("faces.csv"), Path("m"), TrainSettings(init="none", epochs=6, seed=0))
    result = evaluate(Path("faces.csv"), Predictor("m"))
    assert result.metrics["accuracy"].value > 0.916


@pytest.mark.skipif(not (BUNDLED / MANIFEST).exists(), reason="no bundled model")
def test_the_bundled_model_knows_faces_it_has_not_seen(persons):
    """gender_pic took no part in its training."""
    result = evaluate(persons.csv, Predictor(BUNDLED))
    assert len(result.samples) > 350
    assert result.metrics["accuracy"].value > 0.9
    assert json.dumps(result.to_json(), allow_nan=False)


def test_every_portraits_face_is_found_where_it_is(real_data):
    """Boxes by another detector (MTCNN), each looked at; 118 of 120 is the least, 120 the aim."""
    boxes = json.loads((Path(__file__).parent / "portraits.json").read_text())
    paths = [str(real_data / "photos" / name) for name in boxes]
    geometry = Geometry("box", 64, 64)
    found = list(find_faces_in(paths, geometry, detector=detector_for(geometry)))
    hits = [
        any(overlap(face.box, box) >= 0.4 for face in one.faces)
        for one, box in zip(found, boxes.values(), strict=True)
    ]
    assert sum(hits) >= 118
    assert sum(len(one.faces) for one in found) <= 122


def test_tight_crops_need_no_flag(real_data):
    paths = [str(path) for path in sorted((real_data / "fairface" / "val").rglob("*.jpg"))[::15]]
    geometry = Geometry("box", 64, 64)
    found = [one.faces for one in find_faces_in(paths, geometry, detector=detector_for(geometry))]
    assert sum(map(bool, found)) >= 0.99 * len(paths)


def overlap(one, other):
    """Intersection over union of two boxes (x, y, width, height)."""
    (x, y, w, h), (u, v, p, q) = one, other
    across = max(0, min(x + w, u + p) - max(x, u))
    down = max(0, min(y + h, v + q) - max(y, v))
    return across * down / (w * h + p * q - across * down)


@pytest.mark.slow
def test_hiding_what_is_marked_changes_the_answer_more_than_hiding_others(real_data):
    """The bundled model on portraits: the sixth with the most effect against random squares."""
    predictor, random = Predictor(BUNDLED), np.random.default_rng(0)
    falls = []
    for path in sorted((real_data / "photos").rglob("*.jpg"))[::3]:
        found = explain(predictor, path)
        marked = found.effect > np.quantile(found.effect, 5 / 6)
        hidden = [hide(found.crop, marked)]
        side = round(len(marked) / 6**0.5)  # a sixth of the pixels, in one piece
        for _ in range(10):
            square = np.zeros_like(marked)
            top, left = random.integers(0, len(marked) - side, 2)
            square[top : top + side, left : left + side] = True
            hidden.append(hide(found.crop, square))
        odds = log_odds(predictor.classify(np.stack([found.crop, *hidden])).astype(float))
        fall = (odds[0] - odds[1:]) * (1 if found.label else -1)
        falls.append((fall[0], fall[1:].mean()))
    marked_falls, other_falls = np.array(falls).T
    assert marked_falls.mean() > 1.5 * other_falls.mean()
    assert np.mean(marked_falls > other_falls) > 0.8


@pytest.mark.slow
@pytest.mark.skipif(not (BUNDLED / MANIFEST).exists(), reason="no bundled model")
def test_the_bundled_model_as_int8_answers_nearly_as_before(real_data, in_tmp):
    photos = [str(path) for path in (real_data / "fairface" / "val").rglob("*.jpg")]
    result = export("litert", "int8", model=BUNDLED, int8=True, calibrate=photos)
    assert result.facts["comparison"]["crops"] == result.facts["calibration"]["crops"] == 200
    assert 0 < result.agreement.mean < 0.02
