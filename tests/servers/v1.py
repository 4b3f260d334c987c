"""Both apps with a model that does what its prompt says, and upstreams that do what none should."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import ui

from examples import raw, twin
from examples.raw import chats, vendors
from examples.raw.routes import router
from examples.sources import tokens
from examples.sources.tokens import AS_IT_LIKES, Busy, End, Message, Model, Options, Refused
from rawasgi import Request, Response, Router, headers, respond
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.formats.sse import Event
from rawasgi.handling import handler

ROLE = '{"id":"x","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}'
counts: Counter[str] = Counter()
go = asyncio.Event()
vendors.BEGIN, vendors.BEAT = 0.3, 0.1
chats.BEGIN = 3600.0  # who waits for the model waits before there is a stream


class Scripted(Model):
    """The embedded model, but for some prompts; ``opened`` and ``released`` count its answers.

    It has no room for more while ``full`` is counted.
    """

    def admit(self) -> None:
        if counts["full"]:
            raise Busy("full", 5)

    async def reply(
        self, messages: Sequence[Message], options: Options = AS_IT_LIKES
    ) -> AsyncGenerator[str | End, None]:
        prompt = messages[-1].content
        self.admit()
        if prompt == "busy":
            raise Busy("too many", 7)
        if prompt == "long":
            raise Refused("too long")
        counts["opened"] += 1
        try:
            if prompt == "think":
                go.clear()
                await go.wait()
            if prompt in ("fail", "wait", "hot"):
                yield ""
                yield "a "
            if prompt == "fail":
                await asyncio.sleep(0)  # what came before is sent
                raise LookupError("a secret")
            if prompt == "wait":
                await asyncio.Event().wait()
            while prompt == "hot":
                counts["said"] += 1
                yield 1000 * "x"
            async for item in super().reply(messages, options):
                counts["said"] += 1
                yield item
        finally:
            counts["released"] += 1


ROUTES = (ui,)  # imported, it has them
model = Scripted(0.1)
tokens.model = lambda: model  # type: ignore[assignment]


@router.get("/seen")
async def seen(_: Request) -> dict[str, int]:
    return counts


@router.post("/go")
async def went(_: Request) -> None:
    go.set()


@router.post("/full/{count:int}")
async def fill(request: Request) -> None:
    counts["full"] = request.param("count", int)


async def broken(cut: bool) -> AsyncIterator[Event]:
    """It ends well-formed, or is cut, and is not whole."""
    yield Event(ROLE)
    await asyncio.sleep(0)
    if cut:
        raise LookupError("a secret")


async def early(_: Request) -> Response:
    return respond.sse(broken(cut=False))


async def cut(_: Request) -> Response:
    return respond.sse(broken(cut=True))


async def odd(_: Request) -> Response:
    return respond.html("<h1>Bad day</h1>", 500)


# A gateway passes this header on.
ODD = {function.__name__.encode(): handler(function) for function in (early, cut, odd)}


front = Router()
front.mount("/fastapi", twin.app)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The rows, those of the twin below /fastapi; but an upstream may be asked to be an odd one."""
    if scope["type"] != "lifespan" and scope["path"].startswith("/fastapi/"):
        return await front(scope, receive, send)
    name = b""
    if scope["type"] == "http" and "OPENAI_BASE_URL" not in os.environ:
        name = headers.get(scope["headers"], b"openai-organization") or b""
    await ODD.get(name, raw.app)(scope, receive, send)
