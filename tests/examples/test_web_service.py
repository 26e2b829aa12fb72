"""The guide's service, run: a photo, what is no photo, and what is too large."""

import importlib.util
import sys

import pytest

from tests.conftest import encoded

pytest.importorskip("fastapi")
pytest.importorskip("httpx")


@pytest.fixture(scope="module")
def service(repo):
    spec = importlib.util.spec_from_file_location(
        "web_service", repo / "examples" / "web_service.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["web_service"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def client(service):
    from fastapi.testclient import TestClient

    return TestClient(service.app)


def test_a_photo_is_answered_as_predict_answers_it(client, service, astronaut):
    data = encoded(astronaut)
    answer = client.post("/faces", content=data)
    assert answer.status_code == 200
    assert answer.json() == service.predictor.predict(data)[0].to_json()
    assert len(answer.json()["faces"]) == 1


def test_what_cannot_be_answered_has_a_status_and_a_reason(client, service, monkeypatch):
    refused = client.post("/faces", content=b"no photo")
    assert refused.status_code == 422
    assert "not a photo" in refused.json()["detail"]
    monkeypatch.setattr(service, "MAX_BYTES", 100)
    assert client.post("/faces", content=b"x" * 101).status_code == 413
