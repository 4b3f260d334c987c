"""What was seen of the calls of one run of the page, kept for the page to follow: replay and live are one."""

import json
import re
from collections.abc import AsyncGenerator
from time import perf_counter

from rawasgi.formats.sse import Event
from rawasgi.journal import Gap, MemoryJournal
from rawasgi.streams import owned

ID = re.compile(r"[A-Za-z0-9-]{8,40}")
MOST = 32  # runs that are kept, the latest; one that is thrown away ends for who still follows it
MOST_ITEMS, MOST_BYTES, MOST_AGE = 6000, 2 * 1024 * 1024, 600.0


class Topics:
    """A journal a run. Whoever comes first, the page or a call, makes it, so that neither need wait for the other."""

    def __init__(self) -> None:
        self.begun = perf_counter()  # of all times that are told
        self._journals: dict[str, MemoryJournal] = {}

    async def open(self, name: str) -> MemoryJournal:
        """Return the journal of the run *name*, and make it the latest."""
        journal = self._journals.pop(name, None)
        if journal is None:
            while len(self._journals) >= MOST:
                await self._journals.pop(next(iter(self._journals))).end()
            journal = MemoryJournal(name, max_items=MOST_ITEMS, max_bytes=MOST_BYTES, max_age=MOST_AGE)
        self._journals[name] = journal
        return journal

    async def close(self) -> None:
        """End all runs: their followers end, too."""
        while self._journals:
            await self._journals.popitem()[1].end()

    async def follow(self, name: str, after: str | None, calls: int) -> AsyncGenerator[object, None]:
        """Yield what was and is told in the run *name*, until *calls* calls are over; then an event ``end``."""
        journal = await self.open(name)
        async with owned(journal.follow(after, backlog=MOST_ITEMS)) as entries:
            async for entry in entries:
                yield entry
                if not isinstance(entry, Gap):
                    calls -= entry.event.event == "over"
                if calls <= 0:
                    break
        yield Event("{}", "end")


def told(kind: str, **what: object) -> Event:
    """One thing that was seen, as an event; what ends a call is named, so that nobody must read it to know."""
    return Event(json.dumps({"kind": kind, **what}, ensure_ascii=False), "over" if kind == "over" else None)
