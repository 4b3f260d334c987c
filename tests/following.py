"""What the tests of all journals do with one: fill it, and read what a follower gets."""

from collections.abc import AsyncIterator

from rawasgi.formats.sse import Event
from rawasgi.journal import Entry, Gap, Journal


def said(item: Entry | Gap) -> object:
    return item.event.data if isinstance(item, Entry) else (item.reason, item.count)


async def taken(stream: AsyncIterator[Entry | Gap], count: int) -> list[object]:
    return [said(await anext(stream)) for _ in range(count)]


async def rest(stream: AsyncIterator[Entry | Gap]) -> list[object]:
    return [said(item) async for item in stream]


async def filled(journal: Journal, *texts: str) -> list[str]:
    return [await journal.append(Event(text)) for text in texts]
