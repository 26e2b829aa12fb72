"""Downloading photos within limits. No other module uses the network."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from facegender.errors import PhotoError

SCHEMES: Final = ("http", "https")
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_NEVER: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "168.63.129.16/32", "2001::/23", "2002::/16", "3fff::/20"),
        *("64:ff9b:1::/48", "fec0::/10"),
    )
)
"""Not public although `ipaddress` may say so: cloud services, tunnels, documentation."""
_CARRIES_IPV4: Final = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b::/96")))
_SAFE: Final = "%/:?#[]@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Limits of a download.

    Attributes:
        size: maximum number of bytes.
        seconds: maximum time, from the first name lookup to the last byte.
        redirects: maximum number of redirects.
        private: whether addresses of the local machine and network may be reached.
    """

    size: int = 50 << 20
    seconds: float = 20.0
    redirects: int = 3
    private: bool = False


def is_url(name: str) -> bool:
    """Tell whether a name is an http or https address."""
    return name.partition("://")[0].lower() in SCHEMES and "://" in name


def fetch(url: str, limits: DownloadLimits | None = None) -> bytes:
    """Download a photo.

    Every address is checked after its name lookup, and the connection is made to that checked
    address, so that neither a redirect nor a name server can lead into the local network. Proxies
    are not used.

    Raises:
        PhotoError: unreachable, refused, too large, too slow, or not an image.
    """
    download = _Download(url, limits or DownloadLimits())
    # A thread, because a slow name server or server cannot be interrupted, only abandoned.
    download.start()
    download.join(download.limits.seconds)
    if download.is_alive():
        download.abandon()
        raise PhotoError("unreachable", f"no answer within {download.limits.seconds:g} s")
    if isinstance(download.result, PhotoError):
        raise download.result
    return download.result


class _Download(threading.Thread):
    """A download that can be abandoned."""

    def __init__(self, url: str, limits: DownloadLimits) -> None:
        super().__init__(daemon=True)
        self.limits = limits
        self.result: bytes | PhotoError = PhotoError("unreachable", "cannot be fetched")
        self._url = url
        self._socket: socket.socket | None = None
        self._abandoned = False

    def run(self) -> None:
        """Follow redirects to a photo; store it, or the reason for the failure."""
        url = self._url
        try:
            for _ in range(self.limits.redirects + 1):
                answer = self._get(url)
                if isinstance(answer, bytes):
                    self.result = answer
                    return
                url = urljoin(url, answer)
            self.result = PhotoError("unreachable", f"more than {self.limits.redirects} redirects")
        except PhotoError as error:
            self.result = error
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = str(error) or type(error).__name__
            self.result = PhotoError("unreachable", f"cannot be fetched: {why}")

    def abandon(self) -> None:
        """Close the connection, so that the thread ends at its next step."""
        self._abandoned = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _get(self, url: str) -> bytes | str:
        """Return the body, or the location of a redirect."""
        parts = urlsplit(url)
        if parts.scheme.lower() not in SCHEMES or not parts.hostname:
            raise PhotoError("unreachable", f"not an http or https address: {url}")
        connection = self._connection(parts.scheme.lower(), parts.hostname, parts.port)
        try:
            # Pasted addresses contain spaces and non-ASCII letters; escapes are kept.
            target = quote(parts.path or "/", safe=_SAFE)
            target += f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
            headers = {"Accept": "image/*", "User-Agent": "facegender"}
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            if response.status in _REDIRECTS:
                return response.headers.get("Location", "")
            if response.status != 200:
                raise PhotoError("unreachable", f"the server answered {response.status}")
            kind = response.headers.get_content_type()
            if not (kind.startswith("image/") or kind == "application/octet-stream"):
                raise PhotoError("not a photo", f"not a photo: the server sends {kind}")
            stated = response.length or 0
            body = b"" if stated > self.limits.size else response.read(self.limits.size + 1)
            if max(stated, len(body)) > self.limits.size:
                raise PhotoError("too large", f"too large: more than {self.limits.size:,} bytes")
            if response.length:
                raise PhotoError(
                    "unreachable", f"truncated after {len(body):,} of {stated:,} bytes"
                )
            return body
        finally:
            connection.close()

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        """Connect to a permitted address of a host."""
        port = port or (443 if scheme == "https" else 80)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        allowed = [e for e in found if self.limits.private or _is_public(str(e[4][0]))]
        if not allowed:
            raise PhotoError("refused", f"{host} is an address of this machine or its network")
        raw = self._connected(allowed)
        try:
            if scheme == "https":
                raw = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
                self._socket = raw
        except BaseException:
            raw.close()
            raise
        # Used for its requests only; the socket is already connected.
        connection = http.client.HTTPConnection(host, port)
        connection.sock = raw
        return connection

    def _connected(self, found: list[Any]) -> socket.socket:
        """Connect to the first address that answers."""
        failure = OSError("no address")
        for family, _, _, _, address in found:
            if self._abandoned:  # during the name lookup or the previous attempt
                break
            raw = self._socket = socket.socket(family, socket.SOCK_STREAM)
            try:
                raw.settimeout(self.limits.seconds)
                raw.connect(address)
            except OSError as error:
                raw.close()
                failure = error
            else:
                return raw
        raise failure


def _is_public(address: str) -> bool:
    """Whether an address, and the IPv4 address that it may embed, is on the public internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if any(parsed in network for network in _NEVER):
        return False
    inner = _embedded(parsed) if isinstance(parsed, ipaddress.IPv6Address) else None
    if inner is not None:
        return _is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address embedded in a mapped, compatible or NAT64 address, else None."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if any(address in network for network in _CARRIES_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
