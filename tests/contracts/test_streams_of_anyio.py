"""A source may be written with anyio, as httpx is and what stands on it: it knows its cancellations by their text."""

import asyncio
from collections.abc import AsyncIterator

import anyio
import clock
from wrapping import WRAPPERS, collect, flat, wrapped

from rawasgi import respond, streams
from rawasgi.dev.client import fetch
from rawasgi.dev.exchange import Personality

COUNT = 3


async def late() -> AsyncIterator[object]:
    """Before each item a limit comes."""
    for number in range(COUNT):
        with anyio.move_on_after(0.5) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        yield number


async def raced() -> AsyncIterator[object]:
    """Before each item the first of two tasks ends both, as anyio.connect_tcp has it."""
    for number in range(COUNT):
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            group.start_soon(ended, group)
        yield number


async def ended(group: "anyio.abc.TaskGroup") -> None:
    await anyio.sleep(0.5)
    group.cancel_scope.cancel()


async def at_once() -> AsyncIterator[object]:
    """Before each item it cancels itself, and gives way."""
    for number in range(COUNT):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await asyncio.sleep(0)
        yield number


SOURCES = (late, raced, at_once)


@wrapped
def test_it_works_under_a_wrapper(name: str) -> None:
    for source in SOURCES:
        assert clock.run(collect(WRAPPERS[name][0](source()))) == list(range(COUNT))


@wrapped
def test_it_works_as_a_body(name: str) -> None:
    for source in SOURCES:
        for gives_way in (False, True):
            body = streams.map(WRAPPERS[name][0](source()), lambda item: "".join(map(str, flat(item))))
            answer = clock.run(fetch(respond.stream(body), personality=Personality(gives_way=gives_way)))
            assert answer.text == "012"


def test_a_response_within_a_scope_is_cancelled_with_it() -> None:
    """What is around us may be anyio's as well, as Starlette's middleware is."""

    async def main() -> None:
        with anyio.move_on_after(0.2) as scope:
            await fetch(respond.stream(streams.map(late(), str)))
        assert scope.cancelled_caught

    clock.run(main())
