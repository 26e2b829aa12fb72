"""Addresses that lead, or try to lead, into the machine's own network."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from facegender.errors import PhotoError
from facegender.images.download import DownloadLimits, _is_public, fetch

PUBLIC = "93.184.215.14"


class Server(BaseHTTPRequestHandler):
    hits: list[str]

    def do_GET(self):
        self.server.hits.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        if self.path.startswith("/states/"):
            self.send_header("Content-Length", self.path[8:])
        self.end_headers()
        if self.path == "/endless":
            try:
                while True:
                    self.wfile.write(bytes(1 << 16))
            except OSError:
                return
        self.wfile.write(b"photo")

    def log_message(self, *_args):
        pass


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.hits = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def names(monkeypatch, site):
    """A name server of our own: name -> the answers it gives, one after the other; and where a
    connection to `PUBLIC` goes (to the site) and what was connected to."""
    answers, reached = {}, []
    real = socket.getaddrinfo

    def lookup(host, port, *args, **options):
        if host not in answers:
            return real(host, port, *args, **options)
        given = answers[host]
        addresses = given.pop(0) if len(given) > 1 else given[0]
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        kind = socket.SOCK_STREAM
        return [(families[":" in a], kind, 6, "", (a, port)) for a in addresses]

    class Socket(socket.socket):
        def connect(self, address):
            reached.append(address[0])
            if address[0] != PUBLIC:
                raise ConnectionRefusedError(111, "refused")
            super().connect(site.server_address)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr("facegender.images.download.socket.socket", Socket)
    monkeypatch.setattr(
        "facegender.images.download._is_public", lambda a: a == "198.51.100.9" or _is_public(a)
    )
    return answers, reached


def test_what_was_checked_is_what_is_connected_to(names, site):
    """A name server that answers otherwise the second time (DNS rebinding) is not asked again."""
    answers, reached = names
    answers["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
    assert fetch(f"http://rebind.test:{site.server_port}/a") == b"photo"
    assert reached == [PUBLIC]


def test_a_redirect_to_the_same_name_is_looked_up_and_checked_anew(names, site):
    answers, reached = names
    answers["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
    with pytest.raises(PhotoError, match="this machine or its network"):
        fetch(f"http://rebind.test/to/http://rebind.test:{site.server_port}/secret")
    assert reached == [PUBLIC]
    assert "/secret" not in site.hits


def test_of_several_addresses_only_public_ones_are_tried_until_one_answers(names, site):
    answers, reached = names
    answers["many.test"] = [["127.0.0.1", "::1", "10.0.0.1", "198.51.100.9", PUBLIC]]
    assert fetch("http://many.test/a") == b"photo"
    assert reached == ["198.51.100.9", PUBLIC]
    answers["many.test"] = [["198.51.100.9"]]
    with pytest.raises(PhotoError, match="refused"):
        fetch("http://many.test/a")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.100.100.200", "192.0.0.192", "168.63.129.16", "255.255.255.255"),
        *("::1", "::", "fe80::1", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
        *("::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"),
        *("2002:7f00:1::", "2001:0:7f00:1::", "fec0::1", "ff02::1"),
    ],
)
def test_a_name_of_a_private_address_is_refused(names, address):
    answers, reached = names
    answers["inside.test"] = [[address]]
    with pytest.raises(PhotoError, match="this machine or its network") as caught:
        fetch("http://inside.test/latest/meta-data")
    assert caught.value.reason == "refused"
    assert reached == []


@pytest.mark.parametrize("address", ["64:ff9b::808:808", "::ffff:8.8.8.8", "2606:4700::1111"])
def test_public_addresses_in_other_clothes_are_public(address):
    assert _is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.1", "0", "localhost"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]"),
        *("8.8.8.8@127.0.0.1", "user:word@localhost", "LOCALHOST"),
        "\uff11\uff12\uff17.0.0.1",
    ],
)
def test_other_ways_to_write_this_machine_lead_nowhere(site, host):
    for url in (f"http://{host}:{site.server_port}/a", f"HTTP://{host}:{site.server_port}/a"):
        with pytest.raises(PhotoError) as caught:
            fetch(url, DownloadLimits(seconds=5))
        assert caught.value.reason in ("refused", "unreachable")
    assert site.hits == []


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/x", "//127.0.0.1/x", "file:///etc/passwd", "gopher://a/", "\\\\a"]
)
def test_redirects_lead_nowhere_private(names, site, target):
    answers, reached = names
    answers["out.test"] = [[PUBLIC]]
    with pytest.raises(PhotoError):
        fetch(f"http://out.test/to/{target}")
    assert set(reached) == {PUBLIC}


@pytest.mark.parametrize(
    ("path", "reason", "words"),
    [
        ("/endless", "too large", "more than 1,048,576 bytes"),
        ("/states/1099511627776", "too large", "more than 1,048,576 bytes"),
        ("/states/1000", "unreachable", "truncated after 5 of 1,000 bytes"),
    ],
)
def test_a_size_that_is_too_large_or_not_kept_to_is_a_reason(site, path, reason, words):
    limits = DownloadLimits(private=True, size=1 << 20, seconds=20)
    with pytest.raises(PhotoError, match=words) as caught:
        fetch(f"http://127.0.0.1:{site.server_port}{path}", limits)
    assert caught.value.reason == reason


def test_a_slow_name_server_is_left_and_nothing_is_fetched_later(names, site, monkeypatch):
    answers, reached = names
    answers["slow.test"] = [[PUBLIC]]
    inner, released = socket.getaddrinfo, threading.Event()

    def slow(*args, **options):
        released.wait(10)
        return inner(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    before = set(threading.enumerate())
    with pytest.raises(PhotoError, match=r"no answer within 0\.2 s"):
        fetch("http://slow.test/a", DownloadLimits(seconds=0.2))
    released.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert reached == []
    assert site.hits == []
