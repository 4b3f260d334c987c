"""Generators in generators as the source of a response: its client disconnects, and all of them are closed at once.

``conftest.watch`` fails a test that leaves one to the garbage collector.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import clock
import pytest
from known_server import both

from rawasgi import Request, Response, familiar, handler, respond, streams
from rawasgi.asgi import App
from rawasgi.dev.client import connect
from rawasgi.familiar import fastapi as for_fastapi
from rawasgi.shutdown import Drain

Make = Callable[[Callable[[], AsyncIterator[str]]], AsyncIterator[str]]
log: list[object] = []


@pytest.fixture(autouse=True)
def nothing_is_logged() -> None:
    log.clear()


async def cleanup(name: str) -> None:
    await asyncio.sleep(0.5)
    log.append((name, clock.now()))


async def ready() -> AsyncGenerator[str, None]:
    try:
        while True:
            yield "row" * 1000
    finally:
        await cleanup("inner")


async def paced() -> AsyncGenerator[str, None]:
    try:
        while True:
            await asyncio.sleep(1)
            yield "row"
    finally:
        await cleanup("inner")


async def nesting(source: Callable[[], AsyncIterator[str]]) -> AsyncGenerator[str, None]:
    try:
        async for item in source():
            yield item
    finally:
        await cleanup("mid")


async def nesting_twice(source: Callable[[], AsyncIterator[str]]) -> AsyncGenerator[str, None]:
    try:
        async for item in nesting(source):
            yield item
    finally:
        await cleanup("outer")


async def pausing(source: Callable[[], AsyncIterator[str]]) -> AsyncGenerator[str, None]:
    try:
        async for item in nesting(source):
            yield item
            await asyncio.sleep(60)
    finally:
        await cleanup("outer")


async def pausing_with_a_name(source: Callable[[], AsyncIterator[str]]) -> AsyncGenerator[str, None]:
    rows = nesting(source)
    try:
        async for item in rows:
            yield item
            await asyncio.sleep(60)
    finally:
        await cleanup("outer")


def left(app: App, after: float = 2.5) -> None:
    """A client that reads nothing disconnects *after* seconds."""

    async def script() -> None:
        async with connect(app) as client:
            client.stall()
            await asyncio.sleep(after)
            await client.leave()
            await client.finished()

    clock.run(script())


INNER_FIRST = [("inner", 3.0), ("mid", 3.5), ("outer", 4.0)]
OUTER_FIRST = [("outer", 3.0), ("inner", 3.5), ("mid", 4.0)]


NESTED = pytest.mark.parametrize(
    ("make", "source", "order"),
    [
        (nesting_twice, ready, INNER_FIRST),  # at its yield: the client does not read
        (nesting_twice, paced, INNER_FIRST),  # in the wait of the innermost
        (pausing, ready, OUTER_FIRST),  # in a wait of its own, between two items
        (pausing_with_a_name, ready, OUTER_FIRST),
    ],
)


@both
@NESTED
@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: streams.map(items, str)], ids=["bare", "mapped"])
def test_all_are_closed_before_the_app_returns(
    make: Make,
    source: Callable[[], AsyncIterator[str]],
    order: object,
    wrap: Callable[[AsyncIterator[str]], AsyncIterator[str]],
    by: Callable[[App], App],
) -> None:
    async def endpoint(request: Request) -> Response:
        return respond.stream(wrap(make(source)))

    left(by(handler(endpoint)))
    assert log == order


@both
@NESTED
@pytest.mark.parametrize("classes", [familiar, for_fastapi], ids=["familiar", "fastapi"])
def test_so_they_are_by_the_responses_of_other_names(
    make: Make, source: Callable[[], AsyncIterator[str]], order: object, classes: Any, by: Callable[[App], App]
) -> None:
    left(by(classes.StreamingResponse(make(source))))
    assert log == order


@both
def test_so_they_are_while_a_wrapper_waits_for_something_else(by: Callable[[App], App]) -> None:
    async def slow(item: str) -> str:
        await asyncio.sleep(60)
        return item

    left(by(respond.stream(streams.map(nesting_twice(ready), slow))))
    assert log == INNER_FIRST


@both
def test_so_are_those_of_a_generator_handler(by: Callable[[App], App]) -> None:
    async def endpoint(request: Request) -> AsyncIterator[str]:
        async for item in nesting_twice(ready):
            yield item

    left(by(handler(endpoint, respond.sse)))
    assert log == INNER_FIRST


def test_a_drained_stream_closes_them_too() -> None:
    async def endpoint(request: Request) -> AsyncIterator[str]:
        async for item in pausing(ready):
            yield item

    async def script() -> None:
        drain = Drain()
        async with connect(drain(handler(endpoint, respond.sse))) as client:
            await asyncio.sleep(2.5)
            drain.begin()
            await client.finished()

    clock.run(script())
    assert log == OUTER_FIRST


def test_clean_up_that_fails_does_not_keep_the_others_from_theirs() -> None:
    async def failing() -> AsyncGenerator[str, None]:
        try:
            while True:
                yield "row" * 1000
        finally:
            await cleanup("inner")
            raise LookupError("mine")

    async def script() -> None:
        async with connect(respond.stream(nesting_twice(failing))) as client:
            client.stall()
            await asyncio.sleep(2.5)
            await client.leave()
            with pytest.raises(LookupError):
                await client.finished()

    clock.run(script())
    assert log == INNER_FIRST


def test_their_clean_up_has_no_more_time_than_that_of_one() -> None:
    async def stuck() -> AsyncGenerator[str, None]:
        try:
            while True:
                yield "row" * 1000
        finally:
            try:
                await asyncio.sleep(60)
            finally:
                log.append(("inner", clock.now()))

    async def script() -> None:
        async with connect(respond.stream(nesting_twice(stuck), cleanup=3)) as client:
            client.stall()
            await asyncio.sleep(1)
            await client.leave()
            with pytest.raises(TimeoutError, match=r"not closed within 3 s"):
                await client.finished()

    clock.run(script())
    assert log[0] == ("inner", 4.0)


# Generators that block, in a thread


def rows() -> Iterator[str]:
    try:
        while True:
            yield "row" * 1000
    finally:
        log.append(("inner", threading.get_ident()))


def in_rows() -> Iterator[str]:
    try:
        yield from rows()
    finally:
        log.append(("mid", threading.get_ident()))


def in_in_rows() -> Iterator[str]:
    try:
        for row in in_rows():  # noqa: UP028  as one writes it
            yield row
    finally:
        log.append(("outer", threading.get_ident()))


def test_generators_in_a_thread_are_closed_there_inner_first() -> None:
    async def script() -> None:
        async with connect(respond.stream(streams.from_thread(in_in_rows()))) as client:
            with clock.outside():
                await client.chunk()
                await client.leave()
                await client.finished()

    clock.run(script())
    names, threads = zip(*log, strict=True)
    assert names == ("inner", "mid", "outer")
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()
