import json

import numpy as np
import pytest

from facegender.dataset.sidecar import sidecar_path
from facegender.errors import DataError
from facegender.exporting.samples import Sample, made_crops, split_sample, take_crops
from facegender.faces.extraction import find_faces
from facegender.faces.geometry import Geometry
from facegender.models.bundle import load_bundle
from tests.conftest import encoded, pattern


@pytest.fixture
def bundle(toy_model):
    return load_bundle(toy_model)


def test_crops_are_those_that_predict_sees(bundle, toy_photos):
    sample = take_crops(toy_photos, bundle, 5, workers=1)
    seen = {find_faces(path, bundle.geometry).crops[0].tobytes() for path in toy_photos}
    assert len(sample.crops) == sample.photos == 5
    assert all(crop.tobytes() in seen for crop in sample.crops)


def test_the_same_photos_give_the_same_crops_and_a_table_those_of_its_rows(
    bundle, toy_photos, toy_csv
):
    first = take_crops(toy_photos, bundle, 30, workers=1).crops
    np.testing.assert_array_equal(first, take_crops(toy_photos, bundle, 30, workers=1).crops)
    assert len(take_crops(toy_csv, bundle, 200, workers=1).crops) == 80


def test_copies_and_crops_to_leave_out_are_not_taken(bundle, toy_photos):
    few = toy_photos[:10]
    assert len(take_crops(few * 3, bundle, 200, workers=1).crops) == 10
    without = take_crops(few, bundle, 200, workers=1).crops
    assert len(take_crops(toy_photos, bundle, 200, without=without, workers=1).crops) == 70


def test_photos_that_cannot_be_used_are_counted(bundle):
    good, bad = encoded(pattern(0, 1)), b"no photo"
    sample = take_crops([bad, good, bad], bundle, 9, workers=1)
    assert (sample.photos, sample.unreadable, len(sample.crops)) == (3, 2, 1)
    with pytest.raises(DataError, match="no face in 2 photos"):
        take_crops([bad, bad], bundle, 9, workers=1)


def test_photos_without_a_face_are_counted(finding_model):
    plain = np.full((80, 80, 3), 90, np.uint8)
    with pytest.raises(DataError, match="no face in 1 photos"):
        take_crops([plain], load_bundle(finding_model), 9, workers=1)


def test_crops_of_another_geometry_are_refused(bundle, toy_csv, tmp_path):
    table = tmp_path / "faces.csv"
    table.write_text(toy_csv.read_text())
    sidecar = json.loads(sidecar_path(toy_csv).read_text())
    sidecar["crop"] = {"kind": "box", "size": "64x64", "margin": 0.2}
    sidecar_path(table).write_text(json.dumps(sidecar))
    with pytest.raises(DataError, match="were cropped to"):
        take_crops(table, bundle, 9, workers=1)


@pytest.mark.parametrize("geometry", [Geometry("box", 64, 64), Geometry("photo", 141, 165)])
def test_made_pictures_are_always_the_same_and_all_different(geometry):
    first, again = made_crops(geometry, 50).crops, made_crops(geometry, 50).crops
    np.testing.assert_array_equal(first, again)
    assert first.shape == (50, *geometry.shape)
    assert len({crop.tobytes() for crop in first}) == 50
    assert first.min() == 0
    assert first.max() > 200


@pytest.mark.parametrize(
    ("crops", "compared", "calibrating"), [(21, 1, 20), (40, 20, 20), (80, 40, 40), (900, 200, 200)]
)
def test_no_crop_both_calibrates_and_compares(crops, compared, calibrating):
    numbers = np.arange(crops * 3).reshape(crops, 1, 1, 3)
    sample, rest = split_sample(Sample(numbers, photos=crops))
    assert (len(sample.crops), len(rest)) == (compared, calibrating)
    assert not set(sample.crops[:, 0, 0, 0]) & set(rest[:, 0, 0, 0])


def test_too_few_to_part_are_refused():
    with pytest.raises(DataError, match="needs 21"):
        split_sample(Sample(np.zeros((20, 1, 1, 3), np.uint8), photos=20))
