"""The app that the tests of real servers are about: its sources count what they opened and what they released."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from rawasgi import HTTPError, Request, Response, Router, respond, streams
from rawasgi.asgi import Receive, Received, Scope, Send, Sent

opened: Counter[str] = Counter()
released: Counter[str] = Counter()
router = Router()


@asynccontextmanager
async def resource(name: str) -> AsyncIterator[None]:
    """Something whose release takes 10 ms of waiting, as giving a connection back to its pool does."""
    opened[name] += 1
    try:
        yield
    finally:
        await asyncio.sleep(0.01)
        released[name] += 1


@router.get("/counts")
async def counts(request: Request) -> dict[str, object]:
    return {"opened": opened, "released": released, "threads": threading.active_count()}


@router.get("/ping")
async def ping(request: Request) -> str:
    return "pong"


@router.get("/own-await")
async def own_await(request: Request) -> AsyncIterator[str]:
    async with resource("own-await"):
        yield "first\n"
        await asyncio.Event().wait()


@router.get("/at-yield")
async def at_yield(request: Request) -> AsyncIterator[bytes]:
    async with resource("at-yield"):
        while True:
            yield bytes(65536)


class Claimed:
    """A source that holds its resource from the beginning, and is told of its end only by aclose()."""

    def __init__(self) -> None:
        opened["never-started"] += 1

    def __aiter__(self) -> "Claimed":
        return self

    async def __anext__(self) -> str:
        await asyncio.sleep(3600)
        return ""

    async def aclose(self) -> None:
        await asyncio.sleep(0.01)
        released["never-started"] += 1


@router.get("/never-started")
async def never_started(request: Request) -> Response:
    source = Claimed()
    while not await request.is_disconnected():
        await asyncio.sleep(0.001)
    return respond.stream(source)


@router.get("/thread")
async def thread(request: Request) -> Response:
    def lines() -> Iterator[str]:
        home = threading.get_ident()
        opened["thread"] += 1
        try:
            while True:
                yield "line\n"
                time.sleep(0.01)
        finally:
            if threading.get_ident() == home:
                released["thread"] += 1

    return respond.stream(streams.from_thread(lines()))


@router.get("/idle")
async def idle(request: Request) -> Response:
    async def silence() -> AsyncIterator[str]:
        async with resource("idle"):
            yield "first"
            await asyncio.Event().wait()

    return respond.sse(silence(), heartbeat=0.5)


@router.get("/hot")
async def hot(request: Request) -> AsyncIterator[str]:
    async with resource("hot"):
        while True:
            yield "x" * 1000


@router.get("/stuck")
async def stuck(request: Request) -> Response:
    async def blocks() -> AsyncIterator[bytes]:
        async with resource("stuck"):
            while True:
                yield bytes(65536)

    return respond.stream(blocks(), send=0.5)


@router.post("/posted")
async def posted(request: Request) -> AsyncIterator[str]:
    async with resource("posted"):
        yield "first\n"
        await asyncio.Event().wait()


@router.get("/error/{when}")
async def error(request: Request) -> AsyncIterator[str]:
    when = request.param("when")
    if when == "known":
        raise HTTPError(409, "taken")
    if when == "before":
        raise LookupError("a secret")
    yield "first\n"
    await asyncio.sleep(0.01)
    raise LookupError("a secret")


@router.get("/few")
async def few(request: Request) -> AsyncIterator[str]:
    for number in range(3):
        yield f"{number}\n"
        await asyncio.sleep(0.05)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The router; below /2.4 as a server of spec 2.4 would call it, whose send raises OSError once the client left."""
    if scope["type"] != "http" or not scope["path"].startswith("/2.4/"):
        await router(scope, receive, send)
        return
    scope = scope.copy()
    scope["path"] = scope["path"][len("/2.4") :]
    scope["asgi"] = {"version": "3.0", "spec_version": "2.4"}
    left = False

    async def receive_2_4() -> Received:
        nonlocal left
        message = await receive()
        left = left or message["type"] == "http.disconnect"
        return message

    async def send_2_4(message: Sent) -> None:
        if left:
            raise BrokenPipeError("the client left")
        await send(message)

    await router(scope, receive_2_4, send_2_4)
