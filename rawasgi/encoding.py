"""The body of a stream in a format: its items encoded, and the end of the format after them."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, TypedDict, TypeVar, cast

from rawasgi import streams
from rawasgi.failures import Told
from rawasgi.formats import sse
from rawasgi.formats.endings import Done, Failure
from rawasgi.journal import Entry, Gap
from rawasgi.sending import Streaming

T = TypeVar("T")


class How(TypedDict, total=False):
    """How a stream is sent, as ``Streaming`` says it: the functions of ``respond`` that stream take these."""

    join: bool
    send: float
    cleanup: float
    max_start_delay: float | None


def body_of(
    source: AsyncIterable[Any], encode: Callable[[Any], bytes], how: How, end: Callable[[], bytes] | None = None
) -> Streaming:
    """Return the body that is *encode(item)* of each item of *source*, and *end()* after them.

    An item that cannot be encoded ends the body as an error of *source* does, and *source* is closed.
    """
    if isinstance(source, Told):
        return Streaming(source.encoded(encode, end or bytes), **how)
    if end is None:
        return Streaming(source, encode=encode, **how)
    return Streaming(_framed(source, encode, end), **how)


def _framed(source: AsyncIterable[T], encode: Callable[[T], bytes], end: Callable[[], bytes]) -> streams.Stream[bytes]:
    async def frames() -> AsyncIterator[bytes]:
        async with streams.owned(source) as items:
            async for item in items:
                yield encode(item)
        yield end()

    return streams.Stream(frames(), source)


def event(item: object, json_data: Callable[[object], bytes] = sse.json_data) -> bytes:
    """Return the bytes of one event: as ``sse.event_of``; a journal's Gap is an event ``gap``."""
    kind = type(item)
    if kind is dict or kind is list:  # most are: without an Event it takes a quarter
        return json_data(item)
    if kind is str:
        return sse.data(cast(str, item))
    if isinstance(item, Entry):
        return item.encoded
    if isinstance(item, Gap):
        return sse.encode(item.event)
    if isinstance(item, sse.Event | str | Failure | Done):
        return sse.encode(sse.event_of(item))
    return json_data(item)
