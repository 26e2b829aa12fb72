import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegender.dataset.samples import Samples
from facegender.evaluation.evaluate import evaluate
from facegender.evaluation.leakage import find_leakage
from facegender.prediction.predictor import Predictor
from tests.conftest import encoded


def rows(paths, persons=None, split="train"):
    count = len(paths)
    return Samples(
        [str(p) for p in paths], np.zeros(count, np.int8), persons or [""] * count, [split] * count
    )


@pytest.fixture
def photos(astronaut, tmp_path):
    """Parts of a photo that look different, as training photos."""
    paths = []
    for i in range(6):
        part = astronaut[60 * (i // 3) : 60 * (i // 3) + 300, 80 * (i % 3) : 80 * (i % 3) + 300]
        path = tmp_path / "train" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(np.ascontiguousarray(part), "PNG"))
        paths.append(path)
    return paths


def test_exact_and_near_copies_are_told_apart_from_other_photos(photos, tmp_path):
    copy = tmp_path / "copy.png"
    shutil.copy(photos[0], copy)
    near = []
    for name, change in (
        ("jpeg", lambda im: im),
        ("smaller", lambda im: im.resize((170, 170))),
        ("darker", lambda im: im.point(lambda v: v * 0.85)),
    ):
        with Image.open(photos[1]) as image:
            data = io.BytesIO()
            change(image).save(data, "JPEG", quality=70)
        near.append(tmp_path / f"{name}.jpg")
        near[-1].write_bytes(data.getvalue())
    other = tmp_path / "other.png"
    other.write_bytes(
        encoded(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8), "PNG")
    )
    found = find_leakage(rows([copy, *near, other]), rows(photos), workers=1)
    assert found.exact == [(str(copy), str(photos[0]))]
    assert found.near == [(str(path), str(photos[1])) for path in near]
    assert found.trained == 6


def test_persons_in_both_are_named_and_the_unknown_are_nobody(photos):
    judged = rows(photos[:3], ["ann", "", "bob"])
    trained = rows(photos[3:], ["bob", "", "cy"])
    assert find_leakage(judged, trained, workers=1).persons == ["bob"]


def test_unreadable_photos_leak_nothing(photos, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    found = find_leakage(rows([tmp_path / "bad.jpg", tmp_path / "gone.jpg"]), rows(photos))
    assert (found.exact, found.near) == ([], [])
    assert find_leakage(rows([]), rows(photos)).to_json()["exact"] == []


def test_evaluate_looks_in_the_same_table_or_in_another(toy_csv, toy_model, in_tmp):
    predictor = Predictor(toy_model)
    clean = evaluate(toy_csv, predictor)
    assert clean.leakage is not None
    assert clean.leakage.exact == []
    assert clean.leakage.persons == []
    text = toy_csv.read_text().splitlines()
    moved = [line.replace(",test", ",train") if i % 2 else line for i, line in enumerate(text)]
    other = toy_csv.with_name("other.csv")
    Path(other).write_text("\n".join(moved) + "\n")
    leaking = evaluate(toy_csv, predictor, against=other)
    assert leaking.leakage is not None
    assert leaking.leakage.exact
    assert leaking.leakage.persons
    assert evaluate(toy_csv, predictor, split="all").leakage is None
    assert evaluate(toy_csv, predictor, leaks=False).leakage is None
