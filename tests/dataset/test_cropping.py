import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegender.dataset.cropping import CropSettings
from facegender.dataset.prepare import prepare
from facegender.dataset.settings import PrepareSettings
from facegender.dataset.sidecar import read_sidecar
from facegender.dataset.table import read_table
from facegender.errors import DataError, FaceGenderError, UsageError
from facegender.evaluation.evaluate import evaluate
from facegender.faces.backends import default_backend
from facegender.faces.detection import FaceDetector
from facegender.faces.geometry import EYES, Geometry
from facegender.models.bundle import load_bundle
from facegender.prediction.predictor import Predictor
from facegender.training.settings import TrainSettings
from facegender.training.train import train
from tests.conftest import encoded
from tests.tiny_network import TINY

ARTICLE = Geometry("eyes", 141, 165)


@pytest.fixture
def tree(astronaut, in_tmp):
    """Photos of one face at several sizes and turns, of two faces, and of none."""
    image = Image.fromarray(astronaut)
    for label, name in enumerate(("female", "male")):
        folder = in_tmp / "photos" / name
        folder.mkdir(parents=True)
        for i in range(6):
            turned = image.rotate(5 * i - 12, resample=Image.Resampling.BICUBIC)
            photo = turned.resize((400 + 40 * i + label, 400 + 40 * i))
            (folder / f"{i}.jpg").write_bytes(encoded(np.asarray(photo), quality=92))
    two = np.concatenate([astronaut, astronaut], 1)
    (in_tmp / "photos/male/two.jpg").write_bytes(encoded(two))
    nobody = np.full((90, 90, 3), 90, np.uint8)
    (in_tmp / "photos/male/none.png").write_bytes(encoded(nobody, "PNG"))
    (in_tmp / "photos/male/0.png").write_bytes(encoded(astronaut, "PNG"))
    return in_tmp / "photos"


def run(tree, **options):
    crop = CropSettings(**{"folder": "crops", "geometry": ARTICLE} | options)
    settings = PrepareSettings(val=0.2, test=0.2, crop=crop)
    return prepare(tree, Path("faces.csv"), settings, workers=1)


def test_crops_lie_in_the_same_folders_aligned_and_of_one_size(tree):
    before = {p: p.read_bytes() for p in tree.rglob("*.*")}
    result = run(tree)
    assert {p: p.read_bytes() for p in tree.rglob("*.*")} == before
    samples = read_table(Path("faces.csv"))
    assert len(samples) == 14
    names = {Path(path).relative_to("crops").as_posix() for path in samples.paths}
    assert {"female/0.png", "male/1.png", "male/0.jpg.png", "male/0.png.png"} <= names
    assert dict(result.rejected) == {"no face": 1}
    assert read_sidecar(Path("faces.csv")).crop == ARTICLE.to_json()
    detector = FaceDetector(default_backend())
    for path in samples.paths:
        pixels = np.asarray(Image.open(path))
        assert pixels.shape == (165, 141, 3)
        (face,) = detector(pixels)
        eyes = np.array(sorted(face.landmarks[:2])) / (141, 165)
        assert np.abs(eyes - EYES).max() < 0.08  # the detector itself errs by a few pixels


def test_what_is_left_out_is_listed_with_the_photo(tree):
    result = run(tree, faces="single")
    assert dict(result.rejected) == {"no face": 1, "several faces": 1}
    rows = list(csv.DictReader(open("faces.rejected.csv")))
    assert {row["path"]: row["reason"] for row in rows} == {
        "photos/male/none.png": "no face",
        "photos/male/two.jpg": "several faces",
    }


def test_a_second_run_writes_over_its_own_crops_but_not_over_others(tree):
    run(tree)
    run(tree, format="png")
    with pytest.raises(FaceGenderError, match="in the way"):
        run(tree, geometry=Geometry("box", 64, 64))  # another table may list the other crops
    Path("crops/female/1.png").write_bytes(b"somebody's own")
    with pytest.raises(FaceGenderError, match="in the way"):
        run(tree)
    assert Path("crops/female/1.png").read_bytes() == b"somebody's own"


def test_jpeg_and_unknown_words(tree):
    run(tree, format="jpeg", geometry=Geometry("box", 64, 64))
    with Image.open("crops/female/0.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (64, 64))
    for options in ({"format": "bmp"}, {"faces": "all"}):
        with pytest.raises(UsageError):
            run(tree, **options)


def test_a_cropped_table_trains_and_is_judged_as_it_is(tree):
    """The model gets the table's geometry; on whole photos predict then crops alike."""
    run(tree, geometry=Geometry("box", 64, 64))
    train(
        Path("faces.csv"),
        "m",
        TrainSettings(arch=TINY, epochs=1, batch_size=8, seed=0, init="none"),
        workers=1,
    )
    assert load_bundle(Path("m")).geometry == Geometry("box", 64, 64)
    predictor = Predictor("m")
    result = evaluate("faces.csv", predictor, split="all")
    assert result.no_face == 0
    on_crops = dict(zip(result.samples.paths, result.answers.p_male, strict=True))
    for path, p_male in on_crops.items():
        if path.endswith("two.png"):
            continue
        photo = tree / Path(path).relative_to("crops").with_suffix(".jpg")
        if photo.exists():
            (whole,) = predictor.predict(photo)
            assert whole.faces[0].probabilities[1] == pytest.approx(p_male, abs=1e-6)


def test_an_edited_table_remembers_its_crops(tree, finding_model):
    run(tree, geometry=Geometry("eyes", 64, 64))
    table = Path("faces.csv")
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    settings = TrainSettings(arch=TINY, epochs=1, batch_size=8, seed=0, init="none")
    bundle = train(table, "m", settings, workers=1)
    assert bundle.geometry == Geometry("eyes", 64, 64)
    with pytest.raises(DataError, match="were cropped to"):
        evaluate(table, Predictor(finding_model))


def test_a_damaged_sidecar_is_refused_not_forgotten(tree, finding_model):
    run(tree, geometry=Geometry("eyes", 64, 64))
    Path("faces.json").write_text("cut")
    with pytest.raises(DataError, match="cannot read"):
        evaluate("faces.csv", Predictor(finding_model))


def test_a_crop_of_another_size_is_not_taken_for_one(tree, finding_model):
    run(tree, geometry=load_bundle(finding_model).geometry)
    path = Path(read_table(Path("faces.csv")).paths[0])
    with Image.open(path) as image:
        larger = image.resize((141, 165))
    larger.save(path)
    result = evaluate("faces.csv", Predictor(finding_model), split="all")
    assert result.unreadable == 1


def test_crops_inside_the_photos_are_not_read_again(tree):
    first = run(tree, folder="photos/male/crops", faces="single")
    second = run(tree, folder="photos/male/crops", faces="single")
    assert len(first.samples) == len(second.samples) == 13
    for folder in ("photos", ".", "photos/female/.."):
        with pytest.raises(UsageError, match="is the folder of the photos"):
            run(tree, folder=folder)


def test_no_two_photos_share_a_crop(tree):
    for name in ("0.jpg.jpg", "0.webp"):
        (tree / "male" / name).write_bytes((tree / "male/0.jpg").read_bytes())
    samples = run(tree).samples
    assert len(set(samples.paths)) == len(samples) == 16
    settings = TrainSettings(arch=TINY, epochs=1, batch_size=8, seed=0, init="none")
    train(Path("faces.csv"), "m", settings, workers=1)  # and each crop is as prepare left it


def test_crops_of_another_geometry_are_refused(tree, finding_model):
    run(tree)
    with pytest.raises(DataError, match="were cropped to"):
        evaluate("faces.csv", Predictor(finding_model))
    run(tree, geometry=Geometry("box", 64, 64), folder="others")
    with pytest.raises(UsageError, match="--crop-kind eyes"):
        train(Path("faces.csv"), "m", TrainSettings(epochs=1, crop="eyes"))
    with pytest.raises(DataError, match="cropped to 64x64, which classic does not take"):
        train(Path("faces.csv"), "m", TrainSettings(epochs=1, arch="classic", init="none"))
    with pytest.raises(UsageError, match="--size 96x96"):
        train(Path("faces.csv"), "m", TrainSettings(epochs=1, init="none", size="96x96"))


def test_photos_without_a_face_are_left_out_of_training_and_errors_in_eval(tree):
    from facegender.training.events import Warn

    crop_free = PrepareSettings(val=0.25, test=0.25, seed=3)
    prepare(tree, Path("faces.csv"), crop_free, workers=1)
    seen = []
    settings = TrainSettings(arch=TINY, epochs=1, batch_size=8, seed=0, crop="eyes", init="none")
    bundle = train(Path("faces.csv"), "m", settings, workers=1, on_event=seen.append)
    in_training = sum(bundle.manifest["data"]["no_face"].values())
    warned = any(isinstance(event, Warn) and "no face" in event.message for event in seen)
    assert warned == (in_training > 0)
    result = evaluate("faces.csv", Predictor("m"), split="all")
    assert result.no_face == 1
    assert result.metrics["accuracy"].value < result.of_faces_found["accuracy"].value
