"""Photos from the web, within limits. Nothing else in the package reaches the network."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from facegender.errors import PhotoError

SCHEMES: Final = ("http", "https")
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What a download may cost.

    Attributes:
        size: most bytes.
        seconds: most time, from the first name looked up to the last byte.
        redirects: most redirects followed.
        private: whether addresses of the local machine and network may be reached.
    """

    size: int = 50 << 20
    seconds: float = 20.0
    redirects: int = 3
    private: bool = False


def is_url(name: str) -> bool:
    """Tell whether a name is an http or https address."""
    return name.partition("://")[0].lower() in SCHEMES and "://" in name


def fetch(url: str, limits: Limits | None = None) -> bytes:
    """Download a photo.

    Every address is checked after its name was looked up, and that very address is connected to,
    so that neither a redirect nor a name server leads into the local network. Proxies are not
    used.

    Raises:
        PhotoError: unreachable, refused, too large, too slow, or not an image.
    """
    limits = limits or Limits()
    deadline = time.monotonic() + limits.seconds
    try:
        for _ in range(limits.redirects + 1):
            answer = _get(url, limits, deadline)
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer)
        raise PhotoError("unreachable", f"more than {limits.redirects} redirects")
    except TimeoutError:
        raise PhotoError("unreachable", f"no answer within {limits.seconds:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise PhotoError(
            "unreachable", f"cannot be fetched: {error or type(error).__name__}"
        ) from None


def _get(url: str, limits: Limits, deadline: float) -> bytes | str:
    """Return the body, or the place that a redirect names."""
    parts = urlsplit(url)
    if parts.scheme.lower() not in SCHEMES or not parts.hostname:
        raise PhotoError("unreachable", f"not an http or https address: {url}")
    connection = _connection(parts.scheme.lower(), parts.hostname, parts.port, limits, deadline)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Accept": "image/*", "User-Agent": "facegender"})
        response = connection.getresponse()
        if response.status in _REDIRECTS:
            return response.headers.get("Location", "")
        if response.status != 200:
            raise PhotoError("unreachable", f"the server answered {response.status}")
        kind = response.headers.get_content_type()
        if not (kind.startswith("image/") or kind == "application/octet-stream"):
            raise PhotoError("not a photo", f"not a photo: the server sends {kind}")
        return _body(response, connection, limits, deadline)
    finally:
        connection.close()


def _body(
    response: http.client.HTTPResponse,
    connection: http.client.HTTPConnection,
    limits: Limits,
    deadline: float,
) -> bytes:
    parts, size = [], 0
    while True:
        if connection.sock is not None:
            connection.sock.settimeout(_left(deadline))
        chunk = response.read1(_CHUNK)
        if not chunk:
            break
        size += len(chunk)
        if size > limits.size:
            raise PhotoError("too large", f"too large: more than {limits.size:,} bytes")
        parts.append(chunk)
        _left(deadline)
    return b"".join(parts)


def _connection(
    scheme: str, host: str, port: int | None, limits: Limits, deadline: float
) -> http.client.HTTPConnection:
    """Connect to a checked address of a host."""
    port = port or (443 if scheme == "https" else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [entry for entry in found if limits.private or _is_public(str(entry[4][0]))]
    if not allowed:
        raise PhotoError("refused", f"{host} is an address of this machine or its network")
    family, _, _, _, address = allowed[0]
    raw = socket.socket(family, socket.SOCK_STREAM)
    try:
        raw.settimeout(_left(deadline))
        raw.connect(address)
        if scheme == "https":
            raw = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
    except BaseException:
        raw.close()
        raise
    connection = http.client.HTTPConnection(host, port)  # only for its requests: it is connected
    connection.sock = raw
    return connection


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_global and not parsed.is_multicast


def _left(deadline: float) -> float:
    """Seconds left, raising once there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
