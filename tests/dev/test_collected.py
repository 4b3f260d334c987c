"""What is left to the garbage collector is found, with its remedy: generators in generators."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import pytest
from starlette.responses import StreamingResponse

from rawasgi import Request, Response, Router, handler, respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.dev.checking import check
from rawasgi.dev.findings import Finding, Limits, Target

LIMITS = Limits(whole=0.2, grace=0.06, blocked=0.1)


async def inner() -> AsyncGenerator[str, None]:
    try:
        while True:
            yield "row\n"
            await asyncio.sleep(0.01)
    finally:
        await asyncio.sleep(0.01)


async def nested() -> AsyncGenerator[str, None]:
    async for row in inner():
        yield row
        await asyncio.sleep(0)  # it may be left here, too


async def in_a_list() -> AsyncGenerator[str, None]:
    """That it alone reads it, nobody can see: the list may belong to somebody else."""
    sources = [inner()]
    async for row in sources[0]:
        yield row
        await asyncio.sleep(0)


async def careful() -> AsyncGenerator[str, None]:
    sources = [inner()]
    async with aclosing(sources[0]) as rows:
        async for row in rows:
            yield row


def found(app: App) -> list[Finding]:
    """What is found. The loop is our own: what is left is what these tests are about, and not the suite's business."""

    async def collected() -> list[Finding]:
        findings = [finding async for finding in check(app, Target("/"), limits=LIMITS)]
        return [finding for finding in findings if finding.id.startswith("source-")]

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(collected())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def streaming(make: Callable[[], AsyncIterator[str]]) -> App:
    async def endpoint(request: Request) -> Response:
        return respond.stream(make())

    return handler(endpoint)


@pytest.mark.parametrize("make", [nested, careful])
def test_what_a_response_closes_is_no_finding(make: Callable[[], AsyncIterator[str]]) -> None:
    assert found(streaming(make)) == []


def test_what_it_cannot_close_is_found_with_the_remedy() -> None:
    [finding] = found(streaming(in_a_list))
    assert finding.id == "source-collected"
    assert "in inner was left to the garbage collector" in finding.what
    assert "contextlib.aclosing" in finding.what


def test_so_it_is_in_a_handler_that_is_cancelled() -> None:
    router = Router()

    @router.get("/")
    async def endpoint(request: Request) -> str:
        async for _ in inner():
            await asyncio.sleep(60)
        return "never"

    assert "source-collected" in {finding.id for finding in found(router)}


def test_starlette_leaves_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(nested())(scope, receive, send)  # type: ignore[arg-type]

    assert "source-collected" in {finding.id for finding in found(app)}
