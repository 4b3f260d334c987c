"""Know how it begins before saying so."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

from rawasgi.streams.base import CloseOnce, Stream, close

T = TypeVar("T")


async def begun(source: AsyncIterable[T]) -> Stream[T]:
    """Wait for the first item of *source*, and return the stream that begins with it.

    ``respond.sse(await begun(timeout(rows, 5, first=60)))`` begins no response before there is an item, so whatever
    goes wrong until then has a status of its own: 504 for the timeout. That a client left is not seen meanwhile.
    Order: the source's. Reads ahead: the first item. Loses: nothing. Closes: source, also before it raises.
    Raises: what *source* raises, unchanged.
    """
    source = CloseOnce(source)
    items = aiter(source)
    head: list[T] = []
    try:
        async for item in items:
            head.append(item)
            break
    except BaseException:
        await close(source, items)
        raise
    return Stream(_begun(head, items, source), source)


async def _begun(head: list[T], items: AsyncIterator[T], source: AsyncIterable[T]) -> AsyncIterator[T]:
    try:
        while head:
            yield head.pop()
        async for item in items:
            yield item
    finally:
        await close(source, items)
