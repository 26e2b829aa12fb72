"""What every request must pass: the loopback's names, our own pages, and the token."""

from __future__ import annotations

import secrets
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""Sent with every response: no script or style but our own files, no frame around the page, no
address that leaks, and no face that stays in a cache on disk."""
SAFE: Final = ("GET", "HEAD")


class Guard:
    """Lets through only requests of our own page.

    A page elsewhere can send requests to this port, and a name of its own can be made to resolve
    to 127.0.0.1 (DNS rebinding); other users of this machine can connect too. So `Host` must be
    the loopback's, `Origin` our own where the browser sends it and wherever something is
    changed, and the path must begin with a token that only the annotator was told.

    Args:
        app: what lies behind; its paths are without the token.
        token: secret, of this session.
        port: that is listened on.
        once: a second secret for opening the browser. It works once, since the command line of a
            browser can be read by other users.
    """

    def __init__(self, app: ASGIApp, token: str, port: int, once: str) -> None:
        self._app, self._token, self._once = app, token, once
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on without the token in its path."""
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            await send(message)

        answer = self._answer(scope)
        if isinstance(answer, Response):
            await answer(scope, receive, with_headers)
            return
        await self._app({**scope, "path": answer, "raw_path": None}, receive, with_headers)

    def _answer(self, scope: Scope) -> Response | str:
        """Return a refusal, or the path behind the token."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _refused("this is not the address of this page")
        own = {f"http://{host}" for host in self._hosts}
        origins = headers.getlist("origin")
        if any(origin not in own for origin in origins):
            return _refused("the request comes from another page")
        if scope["method"] not in SAFE and len(origins) != 1:
            return _refused("the request does not say which page it comes from")
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none") and headers.get("sec-fetch-mode") != "navigate":
            return _refused("the request comes from another page")
        _, token, *rest = scope["path"].split("/", 2)
        if rest == [""] and self._once and _equal(token, self._once):
            self._once = ""
            return RedirectResponse(f"/{self._token}/", 303)
        if not rest or not _equal(token, self._token):
            return _refused("the address is not whole; copy it from the terminal")
        return f"/{rest[0]}"


def _equal(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _refused(why: str) -> Response:
    return PlainTextResponse(f"Refused: {why}.\n", 403)
