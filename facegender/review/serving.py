"""Serving the page on the loopback until it is stopped."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import uvicorn

from facegender.errors import FaceGenderError, Interrupted
from facegender.review.guard import Guard
from facegender.review.labels_file import Session
from facegender.review.server import PageSettings, ReviewApp
from facegender.runtime.signals import StopRequest

MAX_HEAD: Final = 16_384
MAX_CONNECTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class Address:
    """Where a session is served.

    Attributes:
        url: with the token that every request needs.
        once: for opening a browser; it works once.
    """

    url: str
    once: str


def serve(
    session: Session,
    settings: PageSettings,
    port: int,
    on_ready: Callable[[Address], None],
) -> None:
    """Serve a session on the loopback until it is ended from the page or by a signal.

    Args:
        session: what is reviewed.
        settings: see `PageSettings`.
        port: to listen on; 0 takes a free one.
        on_ready: told the address once connections are accepted.

    Raises:
        FaceGenderError: the port is taken.
    """
    listener = _listener(port)
    port = listener.getsockname()[1]
    token, once = secrets.token_urlsafe(32), secrets.token_urlsafe(32)

    def stop() -> None:
        server.should_exit = True

    review = ReviewApp(session, settings, stop)
    config = uvicorn.Config(
        Guard(review.app, token, port, once),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        http="h11",
        h11_max_incomplete_event_size=MAX_HEAD,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    base, ended = f"http://127.0.0.1:{port}", threading.Lock()

    def run() -> None:
        try:
            server.run(sockets=[listener])
        finally:
            ended.release()

    thread = threading.Thread(target=run, name="server")
    with _stopped_by_signals(stop):
        ended.acquire()
        try:
            thread.start()
            on_ready(Address(f"{base}/{token}/", f"{base}/{once}/"))
            ended.acquire()
        finally:
            stop()
            thread.join()
            listener.close()
            review.pictures.close()


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """End the server at the first signal, and raise what it means once all is closed.

    Raised at once, within an import or a lock that the threads of the pictures need too, it would
    let them wait for ever.

    Raises:
        Interrupted: a signal came.
    """
    if threading.current_thread() is not threading.main_thread():  # no signal comes here
        yield
        return
    going_on = "The same command goes on."
    request = StopRequest(stop, going_on)
    with request.installed(), request.held():
        yield
    if request.signal_number is not None:
        raise Interrupted("stopped; every answer is saved", going_on, request.signal_number)


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let another program take the port over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(MAX_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise FaceGenderError(
            f"cannot listen on port {port}: {error.strerror or error}",
            "Choose another --port, or leave it out.",
        ) from None
    return listener
