"""Photos for archives, and a store to keep them in."""

from pathlib import Path

import pytest

from facegender.prediction.predictor import Predictor
from tests.archive.fake_s3 import FakeS3, serving
from tests.conftest import encoded, pattern


@pytest.fixture(scope="session")
def whole() -> Predictor:
    """The bundled model, each photo taken as one face: what it says is not what is tested."""
    from facegender.models.default_model import BUNDLED

    return Predictor(BUNDLED, detect=False, workers=1)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 60 small photos, the last of them broken, and the name of one odd."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(58):
        (folder / f"{i:03}.jpg").write_bytes(encoded(pattern(i % 2, i)))
    (folder / "058 é\n.jpg").write_bytes(encoded(pattern(0, 58)))
    (folder / "059.jpg").write_bytes(b"nonsense")
    return folder


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch):
    """A store at which Arrow finds ``s3://photos``."""
    pytest.importorskip("pyarrow")
    from facegender.archive import buckets

    with serving() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        buckets._connected.cache_clear()
        yield store
        buckets._connected.cache_clear()


__all__ = ["FakeS3"]
