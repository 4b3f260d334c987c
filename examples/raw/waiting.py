"""Answers that take a while to begin: the client may leave meanwhile, and a failure may still have a status."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import TypeVar

from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.streams import Stream, close

T = TypeVar("T")


def while_there(work: Callable[[], Awaitable[App]]) -> App:
    """The answer that *work* makes; a client that leaves before it is made cancels *work*.

    A handler that awaits is not told that its client left, and a stream is. So this reads ``receive`` meanwhile, whose
    body the handler must have read.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        working = asyncio.ensure_future(work())
        leaving = asyncio.ensure_future(left(receive))
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not working.done():
                working.cancel()
            await asyncio.wait({working, leaving})
        if not working.cancelled():
            await working.result()(scope, receive, send)

    return app


async def left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def soon(source: AsyncIterable[T], seconds: float) -> Stream[T]:
    """The stream that begins with the first item of *source*, or that waits for it still after *seconds*.

    So a failure at the beginning has a status of its own, and a slow beginning has heartbeats. Closes: source, also
    before it raises. Raises: what *source* raises until then. Compare ``streams.begun``, which waits without a bound.
    """
    items = aiter(source)
    first = asyncio.ensure_future(_first(items))
    try:
        await asyncio.wait({first}, timeout=seconds)
        if first.done():
            first.result()
    except BaseException:
        await _stop(first, source)
        raise
    return Stream(_going_on(first, items, source), _First(first, source))


async def _first(items: AsyncIterator[T]) -> list[T]:
    try:
        return [await anext(items)]
    except StopAsyncIteration:
        return []


async def _going_on(first: "asyncio.Future[list[T]]", items: AsyncIterator[T], source: object) -> AsyncIterator[T]:
    try:
        begun = await first
        for item in begun:
            yield item
        if begun:
            async for item in items:
                yield item
    finally:
        await _stop(first, source)


async def _stop(first: "asyncio.Future[list[T]]", source: object) -> None:
    first.cancel()
    await asyncio.wait({first})
    await close(source)


class _First:
    """Closes what was begun of a stream that was never started."""

    def __init__(self, first: "asyncio.Future[list[T]]", source: object) -> None:
        self._first = first
        self._source = source

    async def aclose(self) -> None:
        await _stop(self._first, self._source)
