"""Wait for the first item before a response starts."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

from rawasgi.streams.base import CloseOnce, Stream, fastest
from rawasgi.streams.reading import Pull

T = TypeVar("T")


async def begun(source: AsyncIterable[T], max_wait: float | None = None) -> Stream[T]:
    """Wait for the first item of *source*, at most *max_wait* seconds, and return the stream that begins with it.

    ``respond.sse(await begun(timeout(rows, 5, first=60)))`` starts no response before there is an item, so what goes
    wrong until then has a status of its own: 504 for the timeout. When *max_wait* has passed, the stream that is
    returned still waits for the first item; the same task must read it. A handler that waits here is cancelled when its
    client disconnects, unless it has ``cancel_on_disconnect=False``.
    Order: the source's. Reads ahead: the first item. Loses: nothing. Closes: source, also before it raises.
    Raises: what *source* raises, unchanged.
    """
    once = CloseOnce(source)
    pull = Pull(once)
    try:
        if not pull.advance():
            await pull.wait(None if max_wait is None else asyncio.get_running_loop().time() + max_wait)
    except BaseException:
        await pull.aclose()
        raise
    return Stream(_begun(pull), once, pull)


async def _begun(pull: Pull[T]) -> AsyncIterator[T]:
    async with pull:
        if pull.is_waiting:
            await pull.wait()
        if pull.over:
            return
        head = [pull.item]
        del pull.item  # it would stay as long as the stream does
        yield head.pop()
        async for item in fastest(pull.items):
            yield item
