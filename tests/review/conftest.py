"""Made photos with known boxes: what is shown need not be a face to be reviewed."""

import json
from importlib.util import find_spec

import pytest

from facegender.dataset.review_labels import FACES
from facegender.review.labels_file import Item, Session
from tests.conftest import encoded, pattern

if any(find_spec(name) is None for name in ("starlette", "uvicorn", "jinja2", "httpx")):
    collect_ignore = ["test_server.py", "test_page.py"]  # they need the extra review


def make_photos(folder):
    """Write eight photos of 160x120 pixels."""
    (folder / "photos").mkdir()
    paths = [folder / "photos" / f"{n}.jpg" for n in range(8)]
    for n, path in enumerate(paths):
        path.write_bytes(encoded(pattern(n % 2, n, (160, 120))))
    return paths


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path)


@pytest.fixture
def answers(photos, tmp_path):
    """What predict would write about them: two faces in the first, none in the last."""
    lines = []
    for n, path in enumerate(photos):
        faces = [face(20, 10, 60, 70, 0.05 + 0.1 * n), face(90, 20, 40, 50, 0.6)]
        lines.append({"path": str(path), "error": None, "faces": faces[: 2 if n == 0 else n < 7]})
    lines.append({"path": "broken.jpg", "error": "no such file", "faces": []})
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def face(x, y, width, height, male):
    return {
        "box": [x, y, width, height],
        "landmarks": None,
        "score": 0.9,
        "label": "male" if male >= 0.5 else "female",
        "probabilities": {"female": round(1 - male, 6), "male": male},
        "uncertain": False,
    }


def items_of(photos, sample=FACES, probability=0.5):
    return [
        Item(str(path), (20.0, 10.0, 60.0, 70.0), 0.9, sample, probability, "", "model")
        for path in photos
    ]


@pytest.fixture
def session(photos, tmp_path):
    made = Session(tmp_path / "labels.csv", items_of(photos), "ada")
    yield made
    made.close()
