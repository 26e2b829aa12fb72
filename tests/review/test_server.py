"""The server: what it answers, and everything that it refuses."""

import json
import re
import socket
import threading

import httpx
import pytest

from facegender.dataset.review_labels import PHOTOS, read_review_labels
from facegender.errors import FaceGenderError
from facegender.review import server, serving
from facegender.review.guard import POLICY
from facegender.review.labels_file import Photo, Session
from tests.review.conftest import items_of, make_photos

ELSEWHERE = httpx.Client(verify=False, timeout=20)
"""Without certificates to load, which would take longer than all the rest."""


class Served:
    """A session that is served, and a browser's own headers."""

    def __init__(self, session, settings=None):
        ready = threading.Event()
        self.session = session

        def announce(address):
            self.address = address
            ready.set()

        self.thread = threading.Thread(
            target=serving.serve,
            args=(session, settings or server.PageSettings(), 0, announce),
            daemon=True,
        )
        self.thread.start()
        assert ready.wait(20)
        self.url = self.address.url
        self.port = int(re.search(r":(\d+)/", self.url).group(1))
        self.origin = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=20, verify=False)

    def post(self, path, body=None, **headers):
        headers = {"origin": self.origin, "content-type": "application/json"} | headers
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return self.client.post(path, content=content, headers=headers)

    def stop(self):
        self.post("stop")
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def served(session):
    made = Served(session)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def refusing(tmp_path_factory):
    """A server that is only asked what it must refuse, the same for all these tests."""
    folder = tmp_path_factory.mktemp("refusing")
    session = Session(folder / "labels.csv", items_of(make_photos(folder)), "ada")
    made = Served(session)
    yield made
    made.stop()
    session.close()


def test_the_page_and_its_files_come_with_the_policy(served):
    page = served.client.get("")
    assert page.status_code == 200
    assert "How is the framed face perceived?" in page.text
    assert not re.search(r"<style|style=|<script>|onclick|https?://", page.text)
    for name in re.findall(r'"(static/[^"]+)"', page.text):
        found = served.client.get(name)
        assert found.status_code == 200, name
        assert found.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"


def test_an_answer_is_on_disk_before_it_is_confirmed(served):
    assert served.post("answer", {"face": 3, "label": "female"}).json()["answered"] == 1
    (row,) = read_review_labels(served.session.file)
    assert row.label == "female"
    assert served.post("undo").json()["face"] == 3
    assert served.client.get("state").json()["labels"] == [""] * 8


def test_pictures_are_served_by_number(served):
    for path in ("face/0", "thumb/7"):
        found = served.client.get(path)
        assert found.headers["content-type"] == "image/jpeg"
        assert found.content.startswith(b"\xff\xd8")


def test_the_names_and_paths_of_photos_are_not_told(served):
    for path in ("", "state"):
        assert "photos" not in served.client.get(path).text.replace('"photos":[]', "")


def test_the_models_answers_are_hidden_unless_wanted(served):
    assert "answers" not in served.client.get("state").json()
    shown = Served(served.session, server.PageSettings(show_answers=True))
    assert shown.client.get("state").json()["answers"][0] == "male, 90 %"
    shown.stop()


def test_agreement_is_told_every_so_many_answers(served):
    told = [
        served.post("answer", {"face": n % 8, "label": "male"}).json()["agreement"]
        for n in range(8)
    ]
    assert told == [None] * 8


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", ""]
)
def test_another_host_is_refused(refusing, host):
    found = refusing.client.get("state", headers={"host": host})
    assert found.status_code in (400, 403)
    assert "labels" not in found.text


def test_localhost_is_a_name_of_the_loopback(refusing):
    assert refusing.client.get("state", headers={"host": f"localhost:{refusing.port}"}).is_success


def test_two_hosts_are_refused(refusing):
    request = (
        f"GET {refusing.client.base_url.path}state HTTP/1.1\r\nHost: 127.0.0.1:{refusing.port}\r\n"
        "Host: evil.example\r\nConnection: close\r\n\r\n"
    )
    assert b" 200 " not in raw(refusing.port, request.encode())


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"]
)
def test_another_origin_is_refused(refusing, origin):
    found = refusing.post("answer", {"face": 0, "label": "male"}, origin=origin)
    assert found.status_code == 403
    assert refusing.client.get("state", headers={"origin": origin}).status_code == 403
    assert read_review_labels(refusing.session.file) == []


def test_a_change_without_an_origin_is_refused(refusing):
    found = refusing.client.post("answer", json={"face": 0, "label": "male"})
    assert found.status_code == 403
    assert refusing.session.labels[0] == ""


def test_pictures_in_foreign_pages_are_refused(refusing):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert refusing.client.get("face/0", headers=headers).status_code == 403
    assert refusing.client.get("face/0", headers={"sec-fetch-site": "same-origin"}).is_success


@pytest.mark.parametrize("path", ["/", "/state", "/x/state", "/face/0", "//state"])
def test_nothing_is_refusing_without_the_token(refusing, path):
    found = ELSEWHERE.get(refusing.origin + path)
    assert found.status_code == 403
    assert found.headers["content-security-policy"] == POLICY


def test_every_other_token_is_refused(refusing):
    token = refusing.url.split("/")[3]
    assert len(token) >= 43, "256 bits"
    for wrong in (token[:-1], token + "x", token.swapcase(), "é" * 43):
        assert ELSEWHERE.get(f"{refusing.origin}/{wrong}/state").status_code == 403


def test_the_address_for_the_browser_works_once(refusing):
    first = ELSEWHERE.get(refusing.address.once)
    assert first.status_code == 303
    assert refusing.origin + first.headers["location"] == refusing.url
    assert ELSEWHERE.get(refusing.address.once).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "face/8",
        "face/-1",
        "face/1.5",
        "thumb/99999999999999999999",
        "photo/0",
        "face/..%2f..%2fetc%2fpasswd",
        "static/..%2freview.html",
        "static/review.html",
        "static/__init__.py",
        "static/../server.py",
        "etc/passwd",
    ],
)
def test_only_what_is_listed_is_refusing(refusing, path):
    assert refusing.client.get(path).status_code in (403, 404)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"face": 8, "label": "male"}, 400),
        ({"face": -1, "label": "male"}, 400),
        ({"face": True, "label": "male"}, 400),
        ({"face": "0", "label": "male"}, 400),
        ({"face": 0, "label": "=cmd"}, 400),
        ({"face": 0, "label": ["male"]}, 400),
        ({"face": 0}, 400),
        ([1], 400),
        (b"{", 400),
        (b"[" * 4000, 400),
        (b"\xff\xfe", 400),
        (b" " * 4097, 413),
        (b"x" * 1_000_000, 413),
    ],
)
def test_bad_bodies_are_refused(refusing, body, code):
    assert refusing.post("answer", body).status_code == code
    assert read_review_labels(refusing.session.file) == []


def test_forms_are_refused(refusing):
    found = refusing.post("answer", b"face=0", **{"content-type": "text/plain"})
    assert found.status_code == 415


def test_methods_that_are_not_meant_are_refused(refusing):
    headers = {"origin": refusing.origin}
    assert refusing.client.delete("answer", headers=headers).status_code == 405
    assert refusing.client.get("answer").status_code == 405
    assert refusing.client.request("PUT", "state", headers=headers).status_code == 405


def test_long_heads_are_refused(refusing):
    request = b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"
    assert b" 200 " not in raw(refusing.port, request)
    assert refusing.client.get("state").is_success, "it goes on"


def test_a_body_that_never_ends_is_dropped(served, monkeypatch):
    monkeypatch.setattr(server, "BODY_SECONDS", 0.2)
    path = httpx.URL(served.url).path
    request = (
        f"POST {path}answer HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"Origin: {served.origin}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{{"
    )
    assert b" 408 " in raw(served.port, request.encode())


def test_many_connections_are_bounded(served):
    held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(80)]
    try:
        found = ELSEWHERE.get(served.url)
        assert found.status_code == 503
    finally:
        for connection in held:
            connection.close()
    for _ in range(100):
        if ELSEWHERE.get(served.url).is_success:
            return
    pytest.fail("it does not recover")


def test_it_listens_on_the_loopback_only(session):
    listener = serving._listener(0)
    assert listener.getsockname()[0] == "127.0.0.1"
    with pytest.raises(FaceGenderError, match="cannot listen on port"):
        serving._listener(listener.getsockname()[1])
    listener.close()


def test_a_lost_photo_is_said_to_be_lost(served, photos):
    photos[5].unlink()
    assert served.client.get("thumb/5").status_code == 410
    assert served.client.get("thumb/6").is_success


def test_a_full_disk_is_said_and_changes_nothing(served, monkeypatch):
    def full(_label):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(served.session._writer, "append", full)
    found = served.post("answer", {"face": 0, "label": "male"})
    assert found.status_code == 500
    assert "No space" in found.text
    assert served.session.labels[0] == ""


@pytest.fixture
def served_photos(photos, tmp_path):
    items = items_of(photos[:1], PHOTOS)
    entries = [Photo(str(path), [0] if n == 0 else [], n == 0, 0.5, "") for n, path in
               enumerate(photos[:2])]  # fmt: skip
    session = Session(tmp_path / "photos.csv", items, "ada", entries)
    made = Served(session)
    yield made
    made.stop()
    session.close()


def test_faces_are_drawn_within_the_photo_only(served_photos):
    facts = served_photos.client.get("photo/0/faces").json()
    assert facts["size"] == [160, 120]
    assert facts["faces"] == [{"number": 0, "box": [20, 10, 60, 70], "label": ""}]
    for box in ([0, 0, 161, 10], [-1, 0, 5, 5], [0, 0, 0, 5], [0, 0, 1.5, 5], [0, 0, 5], "0 0 5 5"):
        body = {"photo": 0, "box": box, "label": "male"}
        assert served_photos.post("add", body).status_code == 400, box
    good = {"photo": 0, "box": [100, 50, 60, 70], "label": "male"}
    assert served_photos.post("add", good).json()["face"] == 1
    assert served_photos.client.get("photo/0/faces").json()["faces"][1]["label"] == "male"
    assert served_photos.client.get("photo/0").content.startswith(b"\xff\xd8")


def test_a_photo_with_open_faces_cannot_be_closed(served_photos):
    assert served_photos.post("close", {"photo": 0}).status_code == 409
    assert served_photos.post("close", {"photo": 1}).is_success
    assert served_photos.client.get("state").json()["photos"] == [False, True]


def raw(port, request):
    """Send bytes and return the answer, which may be cut."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
                if b"\r\n\r\n" in answer:
                    break
        except ConnectionError:
            pass
        return answer
