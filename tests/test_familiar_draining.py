"""sse-starlette's shutdown_event and shutdown_grace_period, kept by a Drain around the app."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from clock import now, run
from fastapi import FastAPI

from rawasgi import familiar
from rawasgi.dev.client import connect
from rawasgi.familiar import fastapi as ours
from rawasgi.shutdown import Drain


def alone(response: Any) -> Any:
    return response


def in_fastapi(response: Any) -> Any:
    app = FastAPI()

    @app.get("/")
    async def events() -> Any:
        return response

    return app


PLACES = [(familiar.EventSourceResponse, alone), (ours.EventSourceResponse, in_fastapi)]
places = pytest.mark.parametrize(("response_class", "place"), PLACES, ids=["familiar", "fastapi"])


def drained(app: Any) -> tuple[bytes, float]:
    """Drain *app* a second after its first event; return the rest of the body, and the seconds until its end."""
    drain = Drain()

    async def main() -> tuple[bytes, float]:
        async with connect(drain(app)) as client:
            assert await client.chunk() == b"data: first\r\n\r\n"
            await asyncio.sleep(1)
            drain.begin()
            rest = b""
            while chunk := await client.chunk():
                rest += chunk
            await client.finished()
            return rest, now() - 1

    return run(main())


@places
def test_a_source_that_watches_the_event_ends_by_itself(response_class: Callable[..., Any], place: Any) -> None:
    shutting_down = asyncio.Event()

    async def source() -> AsyncIterator[str]:
        yield "first"
        await shutting_down.wait()
        await asyncio.sleep(2)
        yield "good-bye"

    response = response_class(source(), shutdown_event=shutting_down, shutdown_grace_period=5)
    assert drained(place(response)) == (b"data: good-bye\r\n\r\n", 2)


@places
def test_a_source_that_does_not_is_closed_after_the_grace_period(
    response_class: Callable[..., Any], place: Any
) -> None:
    closed: list[str] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "first"
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.5)
            closed.append("source")

    response = response_class(source(), shutdown_event=asyncio.Event(), shutdown_grace_period=5)
    rest, seconds = drained(place(response))
    assert (b"event: close\n" in rest, seconds, closed) == (True, 5.5, ["source"])


@places
def test_without_a_grace_period_the_event_is_set_and_the_source_is_closed_at_once(
    response_class: Callable[..., Any], place: Any
) -> None:
    shutting_down, seen = asyncio.Event(), list[bool]()

    async def source() -> AsyncIterator[str]:
        try:
            yield "first"
            await asyncio.sleep(3600)
        finally:
            seen.append(shutting_down.is_set())

    rest, seconds = drained(place(response_class(source(), shutdown_event=shutting_down)))
    assert (b"event: close\n" in rest, seconds, seen) == (True, 0, [True])


@places
def test_without_an_event_and_a_grace_period_a_source_is_closed_at_once(
    response_class: Callable[..., Any], place: Any
) -> None:
    closed: list[float] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "first"
            await asyncio.sleep(3600)
        finally:
            closed.append(now())

    _, seconds = drained(place(response_class(source())))
    assert (closed, seconds) == ([1], 0)
