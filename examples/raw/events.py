"""What the sources yield, as events; and a failure, as the last of them."""

import json
import logging
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

from examples.sources.items import Item
from rawasgi import respond, streams
from rawasgi.formats.sse import Event
from rawasgi.respond import Fields
from rawasgi.response import Response
from rawasgi.streams import Stream, owned

T = TypeVar("T")
U = TypeVar("U")
log = logging.getLogger("examples.raw")


def event(item: object) -> object:
    """An Item as an Event; anything else as it is: respond.sse makes an event of it."""
    if not isinstance(item, Item):
        return item
    return Event(item.data if isinstance(item.data, str) else json.dumps(item.data), item.name, item.id)


def sse(source: AsyncIterable[object], headers: Fields = None) -> Response:
    return respond.sse(streams.map(source, event), headers=headers)


def rescue(source: AsyncIterable[T], kind: type[Exception], say: Callable[[Exception], U]) -> Stream[T | U]:
    """Yield from *source*; an error of *kind* ends the stream well, with say(error) as its last item. Closes: source.

    What is not told ends it badly, and should: a body that ends well is taken for all there was.
    """

    async def items() -> AsyncIterator[T | U]:
        try:
            async with owned(source) as found:
                async for item in found:
                    yield item
        except kind as error:
            yield say(error)

    return Stream(items(), source)


def failure(error: Exception) -> Item:
    """A failure that is ours: the client gets an id, and the log has the traceback under it."""
    error_id = secrets.token_hex(8)
    log.error("stream failed, id %s", error_id, exc_info=error)
    return Item({"error": "系统错误", "code": "SYSTEM_ERROR", "recoverable": False, "id": error_id}, "error")


def told(source: AsyncIterable[T]) -> Stream[T | Item]:
    """Yield from *source*; a failure becomes the last event. Closes: source."""
    return rescue(source, Exception, failure)
