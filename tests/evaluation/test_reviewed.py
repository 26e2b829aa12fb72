"""Judging on single faces that people framed."""

import json

import numpy as np
import pytest
from PIL import Image

from facegender.dataset.cropping import CropSettings
from facegender.dataset.prepare import prepare
from facegender.dataset.settings import PrepareSettings
from facegender.dataset.table import read_table
from facegender.errors import UsageError
from facegender.evaluation.evaluate import evaluate
from facegender.models.default_model import BUNDLED
from facegender.prediction.predictor import Predictor
from facegender.report.report import render_report

HEAD = "path,box,label,annotator,sample,probability,stratum\n"


@pytest.fixture(scope="module")
def predictor():
    return Predictor(BUNDLED, workers=1)


@pytest.fixture
def pair(tmp_path, astronaut, predictor):
    """A photo with two faces, the larger on the left; returns their boxes."""
    small = np.asarray(Image.fromarray(astronaut).resize((340, 340)))
    wide = np.full((512, 512 + 340, 3), 128, np.uint8)
    wide[:, :512] = astronaut
    wide[100:440, 512:] = small
    Image.fromarray(wide).save(tmp_path / "pair.png")
    (found,) = predictor.predict(str(tmp_path / "pair.png"))
    assert len(found.faces) == 2
    return [" ".join(str(round(side)) for side in face.face.box) for face in found.faces]


def test_each_box_is_judged_by_its_own_face(tmp_path, pair, predictor):
    (found,) = predictor.predict(str(tmp_path / "pair.png"))
    file = tmp_path / "labels.csv"
    file.write_text(
        HEAD
        + f"pair.png,{pair[1]},female,ada,faces,.5,\n"
        + f"pair.png,{pair[0]},male,ada,faces,.5,\n"
        + "pair.png,1 1 20 20,female,ada,photos,.5,\n"
        + "pair.png,700 5 40 40,not_face,ada,faces,.5,\n"
        + "gone.png,1 1 20 20,untellable,ada,faces,.5,\n"
    )
    result = evaluate(file, predictor, leaks=False)
    wanted = [found.faces[1].probabilities[1], found.faces[0].probabilities[1], np.nan]
    assert result.answers.p_male == pytest.approx(wanted, nan_ok=True)
    assert (result.no_face, result.unreadable) == (1, 0)
    data = result.to_json()["data"]
    assert data["persons"] is None
    assert data["reviewed"] == {
        "photos": 1,
        "not_face": 1,
        "taken_for_faces": 0,
        "untellable": 1,
        "disagreed": 0,
        "left_out": 0,
    }
    json.dumps(result.to_json(), allow_nan=False)
    page = render_report(result, predictor, shown=3, command="")
    assert "things taken for faces" in page


def test_a_face_called_no_face_counts_against_the_detector(tmp_path, pair, predictor):
    file = tmp_path / "labels.csv"
    file.write_text(f"path,box,label\npair.png,{pair[0]},female\npair.png,{pair[1]},not_face\n")
    reviewed = evaluate(file, predictor, leaks=False).reviewed
    assert (reviewed["not_face"], reviewed["taken_for_faces"]) == (1, 1)


def test_how_faces_were_chosen_is_said(tmp_path, pair, predictor):
    file = tmp_path / "labels.csv"
    rows = [
        f"pair.png,{pair[0]},female,ada,faces,.5,a\n",
        f"pair.png,{pair[1]},male,ada,faces,.1,b\n",
        "pair.png,1 1 20 20,male,ada,uncertain,,\n",
    ]
    file.write_text(HEAD + "".join(rows))
    result = evaluate(file, predictor, leaks=False, by=["stratum"])
    assert len(result.samples) == 2
    assert set(result.groups["stratum"]) == {"a", "b"}
    text = " ".join(result.warnings)
    assert "1 faces that were chosen" in text
    assert "different probabilities" in text
    file.write_text(HEAD + f"pair.png,{pair[0]},female,ada,uncertain,,\n")
    assert "not on the archive" in " ".join(evaluate(file, predictor, leaks=False).warnings)


def test_what_needs_a_table_of_photos_is_refused(tmp_path, pair, predictor):
    file = tmp_path / "labels.csv"
    file.write_text(f"path,box,label\npair.png,{pair[0]},female\n")
    with pytest.raises(UsageError, match="has no splits"):
        evaluate(file, predictor, split="val")
    with pytest.raises(UsageError, match="--stress"):
        evaluate(file, predictor, stress=True)


def test_prepare_crops_the_framed_faces_and_keeps_a_photo_together(tmp_path, pair, predictor):
    lines = ["path,box,label\n"]
    for n in range(6):
        name = f"{n}.png"
        photo = np.asarray(Image.open(tmp_path / "pair.png")).copy()
        photo[:8, :8] = 40 * n
        Image.fromarray(photo).save(tmp_path / name)
        label = ("female", "male")[n % 2]
        lines += [f"{name},{pair[1]},{label}\n", f"{name},{pair[0]},{label}\n"]
    lines.append("0.png,1 1 30 30,female\n")
    labels = tmp_path / "labels.csv"
    labels.write_text("".join(lines))
    out = tmp_path / "faces.csv"
    crop = CropSettings(str(tmp_path / "crops"), predictor.bundle.geometry)
    settings = PrepareSettings(labels=str(labels), val=0.3, test=0.3, crop=crop)
    result = prepare(None, out, settings, workers=1)
    assert result.rejected == {"no face": 1}
    assert result.content_conflicts == 0
    assert result.near_copies, "they all look alike, and yet there are three splits"
    table = read_table(out)
    assert len(table) == 12
    by_photo: dict[str, set[str]] = {}
    for photo, split in zip(table.attributes["photo"], table.splits, strict=True):
        by_photo.setdefault(photo, set()).add(split)
    assert set(by_photo) == {f"{n}.png" for n in range(6)}
    assert all(len(splits) == 1 for splits in by_photo.values())
    first, second = (np.asarray(Image.open(table.paths[row])) for row in (0, 1))
    assert np.abs(first.astype(int) - second).mean() > 1, "another face"
    judged = evaluate(out, predictor, split="all", leaks=False)
    direct = evaluate(labels, predictor, leaks=False)
    assert sorted(judged.answers.p_male) == pytest.approx(
        sorted(direct.answers.p_male[direct.answers.answered]), abs=1e-5
    )
    with pytest.raises(UsageError, match="frames single faces"):
        prepare(None, out, PrepareSettings(labels=str(labels)), workers=1)
