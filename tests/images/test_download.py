import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from facegender.errors import PhotoError
from facegender.images.download import DownloadLimits, _is_public, fetch, is_url


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        if path.startswith("/redirect/"):
            left = int(path.rsplit("/", 1)[1])
            self.send_response(302)
            self.send_header("Location", f"/redirect/{left - 1}" if left > 1 else "/photo")
            self.end_headers()
            return
        if path == "/elsewhere":
            self.send_response(301)
            self.send_header("Location", self.path.partition("?to=")[2])
            self.end_headers()
            return
        if path == "/headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            with contextlib.suppress(OSError):
                for number in range(600):
                    self.wfile.write(f"X-{number}: 1\r\n".encode())
                    self.wfile.flush()
                    time.sleep(0.05)
            return
        if path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if path == "/page" else "image/jpeg")
        self.end_headers()
        if path == "/slow":
            with contextlib.suppress(OSError):
                for _ in range(600):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
        else:
            self.wfile.write(b"photo" * (100_000 if path == "/large" else 1))

    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module")
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


NEAR = DownloadLimits(private=True, seconds=20)


def test_a_photo_is_fetched_through_a_few_redirects(site):
    assert fetch(f"{site}/photo", NEAR) == b"photo"
    assert fetch(f"{site}/redirect/3", NEAR) == b"photo"
    assert fetch(f"{site}/photo?name=ü b", NEAR) == b"photo"


@pytest.mark.parametrize(
    ("path", "limits", "reason", "words"),
    [
        ("/redirect/4", NEAR, "unreachable", "more than 3 redirects"),
        ("/missing", NEAR, "unreachable", "404"),
        ("/page", NEAR, "not a photo", "text/html"),
        ("/large", DownloadLimits(private=True, size=1000), "too large", "1,000 bytes"),
        ("/slow", DownloadLimits(private=True, seconds=0.4), "unreachable", "0.4 s"),
        ("/headers", DownloadLimits(private=True, seconds=0.4), "unreachable", "0.4 s"),
        ("/elsewhere?to=file:///etc/passwd", NEAR, "unreachable", "not an http"),
        ("/elsewhere?to=", NEAR, "unreachable", "redirects"),
    ],
)
def test_what_goes_wrong_is_a_reason(site, path, limits, reason, words):
    start = time.monotonic()
    with pytest.raises(PhotoError) as caught:
        fetch(site + path, limits)
    assert caught.value.reason == reason
    assert words in caught.value.message
    assert time.monotonic() - start < 20, "half a minute passes until the slow ones have sent all"


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "http://a b/", "http://x:99999/", "ftp://x/a"]
)
def test_nonsense_is_a_reason_too(url):
    with pytest.raises(PhotoError):
        fetch(url, NEAR)


def test_the_local_network_is_refused_unless_allowed(site):
    with pytest.raises(PhotoError, match="this machine or its network"):
        fetch(f"{site}/photo")
    with pytest.raises(PhotoError, match="this machine or its network"):
        fetch("http://localhost:1/")


def test_a_redirect_does_not_lead_into_the_local_network(site, monkeypatch):
    """The first address is taken for a public one; the one behind the redirect is not."""
    seen = []

    def public(address):
        seen.append(address)
        return len(seen) == 1

    monkeypatch.setattr("facegender.images.download._is_public", public)
    with pytest.raises(PhotoError, match="this machine or its network"):
        fetch(f"{site}/elsewhere?to={site}/photo")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_addresses(address, public):
    assert _is_public(address) is public


def test_urls_are_known_by_their_scheme():
    assert is_url("https://a/b.jpg")
    assert is_url("HTTP://a")
    assert not is_url("http.jpg")
    assert not is_url("c:/a.jpg")
    assert not is_url("file:///a.jpg")
