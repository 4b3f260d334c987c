"""A source that yields inside a scope (TaskGroup, timeout), which its client leaves there: nothing is logged.

It is bad practice (PEP 789), and seen everywhere. At ``yield`` it is closed by GeneratorExit, which a TaskGroup raises
again inside of a group; while it waits it is cancelled.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from typing import cast

import anyio
import clock
import pytest
from known_server import KnownServer
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp
from wrapping import WRAPPERS, flat

from rawasgi import respond, streams
from rawasgi.app_types import App
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.dev.client import connect, fetch

Log = list[object]


async def child(log: Log) -> None:
    try:
        await asyncio.sleep(1000)
    finally:  # without an await, which anyio would cancel as well
        log.append("child ended")


def task() -> str:
    current = asyncio.current_task()
    assert current is not None
    return current.get_name()


async def in_group(log: Log, pause: float) -> AsyncGenerator[bytes, None]:
    begun = task()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(child(log))
            while True:
                yield bytes(1000)
                await asyncio.sleep(pause)
    finally:
        await asyncio.sleep(0.1)
        log.append(task() == begun)


async def in_anyio_group(log: Log, pause: float) -> AsyncGenerator[bytes, None]:
    begun = task()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(child, log)
            while True:
                yield bytes(1000)
                await anyio.sleep(pause)
    finally:
        await asyncio.sleep(0.1)
        log.append(task() == begun)


async def in_timeout(log: Log, pause: float) -> AsyncGenerator[bytes, None]:
    begun = task()
    try:
        async with asyncio.timeout(1000):
            while True:
                yield bytes(1000)
                await asyncio.sleep(pause)
    finally:
        await asyncio.sleep(0.1)
        log.extend(["child ended", task() == begun])


async def in_anyio_limit(log: Log, pause: float) -> AsyncGenerator[bytes, None]:
    begun = task()
    try:
        with anyio.fail_after(1000):
            while True:
                yield bytes(1000)
                await anyio.sleep(pause)
    finally:
        await asyncio.sleep(0.1)
        log.extend(["child ended", task() == begun])


async def in_all(log: Log, pause: float) -> AsyncGenerator[bytes, None]:
    begun = task()
    try:
        async with asyncio.timeout(1000), asyncio.TaskGroup() as outer, anyio.create_task_group() as inner:
            inner.start_soon(asyncio.sleep, 1000)
            outer.create_task(child(log))
            while True:
                yield bytes(1000)
                await asyncio.sleep(pause)
    finally:
        await asyncio.sleep(0.1)
        log.append(task() == begun)


Make = Callable[[Log, float], AsyncGenerator[bytes, None]]
sources = pytest.mark.parametrize("make", [in_group, in_anyio_group, in_timeout, in_anyio_limit, in_all])
NAMES = [(name, pause) for name in ("none", *WRAPPERS) for pause in (0.0, 1.0) if pause or "without" not in name]


def joined(item: object) -> bytes:
    return b"".join(part for part in flat(item) if isinstance(part, bytes))


@sources
@pytest.mark.parametrize("known", [True, False], ids=["server", "foreign"])
@pytest.mark.parametrize(
    ("name", "pause"), NAMES, ids=lambda value: {0.0: "at yield", 1.0: "waiting"}.get(value, value)
)
def test_a_disconnect_closes_it_in_its_task_and_logs_nothing(
    name: str, known: bool, pause: float, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    log: Log = []
    source: AsyncIterable[bytes] = make(log, pause)
    if name != "none":
        source = streams.map(WRAPPERS[name][0](source), joined)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if known:
            server = KnownServer(receive, send)
            receive, send = server.receive, server.send
        await respond.stream(source)(scope, receive, send)

    async def main() -> None:
        async with connect(app) as client:
            await client.chunk()
            if not pause:
                client.stall()
            await asyncio.sleep(2.5)
            await client.leave()
            await client.finished()

    with caplog.at_level(logging.INFO):
        clock.run(main())
    assert log == ["child ended", True]
    assert caplog.records == []


@sources
@pytest.mark.parametrize("pause", [0.0, 1.0], ids=["at yield", "waiting"])
def test_a_disconnect_behind_a_middleware_closes_it_as_well(
    pause: float, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    log: Log = []

    async def through(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    async def main() -> None:
        app = BaseHTTPMiddleware(cast(ASGIApp, respond.stream(make(log, pause))), through)
        async with connect(cast(App, app)) as client:
            await client.chunk()
            if not pause:
                client.stall()
            await asyncio.sleep(2.5)
            await client.leave()
            await client.finished()

    with caplog.at_level(logging.INFO):
        clock.run(main())
    assert log == ["child ended", True]
    assert caplog.records == []


@sources
def test_a_reader_that_closes_it_gets_no_error(make: Make) -> None:
    log: Log = []

    async def main() -> None:
        async with streams.owned(make(log, 0)) as items:
            assert await anext(items)
            await asyncio.sleep(1)

    clock.run(main())
    assert log == ["child ended", True]


def test_an_error_of_its_clean_up_is_raised_without_the_exit() -> None:
    async def failing() -> AsyncIterator[str]:
        async def fail() -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                raise LookupError("the child's")

        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            yield "first"
            await asyncio.sleep(1)
            yield "second"

    async def main() -> None:
        items = failing()
        await anext(items)
        await asyncio.sleep(0)
        await streams.close(items)

    with pytest.raises(ExceptionGroup) as caught:
        clock.run(main())
    assert [repr(error) for error in caught.value.exceptions] == ['LookupError("the child\'s")']


def test_a_group_of_errors_that_a_source_raises_is_raised() -> None:
    async def failing() -> AsyncIterator[str]:
        async with asyncio.TaskGroup():
            yield "first"
            raise LookupError("its own")

    with pytest.raises(ExceptionGroup) as caught:
        clock.run(fetch(respond.stream(failing())))
    assert [repr(error) for error in caught.value.exceptions] == ["LookupError('its own')"]
