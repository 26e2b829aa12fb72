"""The page and what it asks for: state, pictures by number, answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import anyio
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from facegender.dataset.review_labels import ANSWERS, Box
from facegender.errors import FaceGenderError, PhotoError
from facegender.review.cutting import Picture
from facegender.review.labels_file import Session
from facegender.review.pictures import Moments, Pictures, ahead

AHEAD: Final = 16
"""Pictures made ahead: some seconds of the fastest annotator."""
MAX_BODY: Final = 4096
BODY_SECONDS: Final = 5.0
BLIND_STEP: Final = 10
"""While the model's answers are hidden, agreement is told after every so many answers only: told
after each, it would say what the model thinks of the face."""
STATIC: Final = {
    "review.css": "text/css",
    "faces.js": "text/javascript",
    "photos.js": "text/javascript",
    "common.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class PageSettings:
    """What the page shows.

    Attributes:
        show_answers: show the model's answer beside each face.
        title: what is being done.
        moments: of the faces of videos.
    """

    show_answers: bool = False
    title: str = "Review of faces"
    moments: Moments | None = None


class ReviewApp:
    """The application of one session.

    Args:
        session: what was answered.
        settings: see `PageSettings`.
        on_stop: called when the annotator ends the session from the page.
    """

    def __init__(
        self, session: Session, settings: PageSettings, on_stop: Callable[[], None]
    ) -> None:
        self._session, self._settings, self._on_stop = session, settings, on_stop
        self.pictures = Pictures(settings.moments)
        self._page = _page(session, settings)
        routes: list[tuple[str, Endpoint, str]] = [
            ("/", self._index, "GET"),
            ("/state", self._state, "GET"),
            ("/static/{name}", self._static, "GET"),
            ("/face/{number:int}", self._face, "GET"),
            ("/thumb/{number:int}", self._thumb, "GET"),
            ("/photo/{number:int}", self._photo, "GET"),
            ("/photo/{number:int}/faces", self._photo_faces, "GET"),
            ("/answer", self._answer, "POST"),
            ("/undo", self._undo, "POST"),
            ("/add", self._add, "POST"),
            ("/close", self._close, "POST"),
            ("/stop", self._stop, "POST"),
        ]
        self.app = Starlette(
            routes=[Route(path, end, methods=[method]) for path, end, method in routes],
            exception_handlers={FaceGenderError: _failed, OSError: _failed},
        )
        self._prepare(-1)

    async def _index(self, _request: Request) -> Response:
        return Response(self._page, media_type="text/html")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise HTTPException(404)
        return Response(_read(name), media_type=STATIC[name])

    async def _state(self, _request: Request) -> Response:
        session = self._session
        state: dict[str, Any] = {
            "labels": session.labels,
            "boxes": [item.box[2:] for item in session.items],
            "photos": [photo.closed for photo in session.photos],
            **self._progress(),
        }
        if self._settings.show_answers:
            state["answers"] = [_described(item.p_male) for item in session.items]
        return JSONResponse(state)

    async def _face(self, request: Request) -> Response:
        number = self._number(request, len(self._session.items))
        response = await self._picture(self.pictures.face(*self._place(number)))
        response.background = BackgroundTask(self._prepare, number)
        return response

    async def _thumb(self, request: Request) -> Response:
        number = self._number(request, len(self._session.items))
        return await self._picture(self.pictures.thumb(*self._place(number)))

    async def _photo(self, request: Request) -> Response:
        number = self._number(request, len(self._session.photos))
        for later in self._session.photos[number + 1 : number + 4]:
            self.pictures.photo(later.path)
        return await self._picture(self.pictures.photo(self._session.photos[number].path))

    async def _photo_faces(self, request: Request) -> Response:
        number = self._number(request, len(self._session.photos))
        photo = self._session.photos[number]
        size = (await self._made(self.pictures.photo(photo.path))).size
        faces = [
            {"number": n, "box": self._session.items[n].box, "label": self._session.labels[n]}
            for place, n in enumerate(photo.items)
            if place < photo.found or self._session.labels[n]  # drawn ones may be taken back
        ]
        return JSONResponse(
            {"size": size, "faces": faces, "found": photo.found, "closed": photo.closed}
        )

    async def _answer(self, request: Request) -> Response:
        body = await _body(request)
        number = _whole(body, "face", len(self._session.items))
        label = _label(body)
        await anyio.to_thread.run_sync(self._session.answer, number, label)
        # The page waits for this: pictures that it will want later are made afterwards.
        return JSONResponse(self._progress(), background=BackgroundTask(self._prepare, number))

    async def _undo(self, request: Request) -> Response:
        await _body(request)
        number = await anyio.to_thread.run_sync(self._session.undo)
        if number is None:
            return JSONResponse({"face": None, **self._progress()})
        label, photo = self._session.labels[number], self._session.photo_of(number)
        return JSONResponse({"face": number, "label": label, "photo": photo, **self._progress()})

    async def _add(self, request: Request) -> Response:
        body = await _body(request)
        photo = _whole(body, "photo", len(self._session.photos))
        label = _label(body)
        path = self._session.photos[photo].path
        box = _box(body, (await self._made(self.pictures.photo(path))).size)
        number = await anyio.to_thread.run_sync(self._session.add, photo, box, label)
        return JSONResponse({"face": number, **self._progress()})

    async def _close(self, request: Request) -> Response:
        photo = _whole(await _body(request), "photo", len(self._session.photos))
        try:
            await anyio.to_thread.run_sync(self._session.close_photo, photo)
        except ValueError as error:
            raise HTTPException(409, str(error)) from None
        return JSONResponse(self._progress())

    async def _stop(self, request: Request) -> Response:
        await _body(request)
        self._on_stop()
        return JSONResponse({})

    def _progress(self) -> dict[str, Any]:
        right, both = self._session.agreement()
        shown = self._settings.show_answers or both % BLIND_STEP == 0
        return {
            "answered": self._session.answered,
            "total": len(self._session.items),
            "agreement": [right, both] if shown and both else None,
        }

    def _prepare(self, number: int) -> None:
        """Make the pictures that will be wanted next."""
        if not self._session.photos:
            for later in ahead(self._session.labels, number, AHEAD):
                self.pictures.face(*self._place(later))

    def _place(self, number: int) -> tuple[str, Box]:
        item = self._session.items[number]
        return item.path, item.box

    @staticmethod
    def _number(request: Request, count: int) -> int:
        number = int(request.path_params["number"])
        if number >= count:
            raise HTTPException(404)
        return number

    @staticmethod
    async def _made(future: Future[Picture]) -> Picture:
        try:
            return await asyncio.wrap_future(future)
        except PhotoError as error:
            raise HTTPException(410, error.message) from None

    async def _picture(self, future: Future[Picture]) -> Response:
        return Response((await self._made(future)).data, media_type="image/jpeg")


def _page(session: Session, settings: PageSettings) -> str:
    """Render the page; everything in it is escaped."""
    environment = Environment(
        loader=PackageLoader("facegender.review", "page"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("review.html").render(
        title=settings.title,
        photos=bool(session.photos),
        annotator=session.annotator,
        blind=not settings.show_answers,
    )


def _read(name: str) -> bytes:
    return (files("facegender.review") / "page" / name).read_bytes()


async def _body(request: Request) -> dict[str, Any]:
    """Read a small JSON object, within seconds."""
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise HTTPException(415)
    data = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                data += part
                if len(data) > MAX_BODY:
                    raise HTTPException(413)
    except TimeoutError:
        raise HTTPException(408) from None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise HTTPException(400, "not JSON") from None
    if not isinstance(content, dict):
        raise HTTPException(400, "not a JSON object")
    return content


def _whole(body: dict[str, Any], name: str, count: int) -> int:
    """Return a number of the body, 0 to `count` - 1."""
    value = body.get(name)
    if type(value) is not int or not 0 <= value < count:
        raise HTTPException(400, f"no such {name}")
    return value


def _label(body: dict[str, Any]) -> str:
    label = body.get("label")
    if label not in ANSWERS:
        raise HTTPException(400, "no such label")
    return str(label)


def _box(body: dict[str, Any], size: tuple[int, int]) -> Box:
    """Return a box of whole pixels that lies in a photo of (width, height)."""
    sides = body.get("box")
    if not isinstance(sides, list) or len(sides) != 4 or any(type(s) is not int for s in sides):
        raise HTTPException(400, "no such box")
    x, y, width, height = sides
    if not (0 <= x < x + width <= size[0] and 0 <= y < y + height <= size[1]):
        raise HTTPException(400, "the box does not lie in the photo")
    return float(x), float(y), float(width), float(height)


def _described(p_male: float | None) -> str:
    if p_male is None:
        return ""
    name, sure = ("male", p_male) if p_male >= 0.5 else ("female", 1 - p_male)
    return f"{name}, {100 * sure:.0f} %"


async def _failed(_request: Request, error: Exception) -> Response:
    """Say why an answer could not be written."""
    why = error.message if isinstance(error, FaceGenderError) else str(error)
    return JSONResponse({"error": why}, 500)
