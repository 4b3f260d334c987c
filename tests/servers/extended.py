"""The app that the tests of extensions on real servers are about."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict

from rawasgi import HTTPError, Request, Response, Router, respond
from rawasgi.extensions import early_hints, push, tls
from rawasgi.handling import handler
from rawasgi.trailers import content_digest, server_timing, trailers
from rawasgi.websocket import WebSocket

router = Router()
app = router


@router.get("/style.css")
async def style(request: Request) -> Response:
    return respond.whole(b"p { color: red }", "text/css")


async def page(request: Request) -> Response:
    return respond.html("<p>hello")


async def lines(request: Request) -> AsyncIterator[str]:
    for number in range(3):
        yield f"line {number}\n"
        await asyncio.sleep(0.01)


async def failing(request: Request) -> AsyncIterator[str]:
    yield "line 0\n"
    await asyncio.sleep(0.01)
    raise LookupError("a secret")


HINTS = ["</style.css>; rel=preload; as=style", "<https://example.com>; rel=preconnect"]
router.route("GET", "/hinted", early_hints(handler(page), HINTS))
router.route("GET", "/pushed", push(handler(page), "/style.css", destination="style"))
router.route("GET", "/lines", trailers(handler(lines), content_digest, server_timing))
router.route("GET", "/whole", trailers(handler(page), content_digest))
router.route("GET", "/failing", trailers(handler(failing), content_digest))
router.route("GET", "/all", early_hints(push(trailers(handler(lines), content_digest), "/style.css"), HINTS))


@router.get("/tls")
async def facts(request: Request) -> dict[str, object] | str:
    found = tls(request.scope)
    return "no word of it" if found is None else asdict(found)


@router.websocket("/denied")
async def denied(websocket: WebSocket) -> None:
    raise HTTPError(401, "who are you?", headers=((b"www-authenticate", b"Basic"),))
