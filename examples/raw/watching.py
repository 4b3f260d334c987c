"""One reader for many who watch: row 42."""

from collections.abc import AsyncIterator, Coroutine

from examples.raw.events import event, told
from examples.sources import monitor
from examples.sources.shared import WhileWatched
from rawasgi import streams
from rawasgi.formats import sse
from rawasgi.journal import Entry, MemoryJournal
from rawasgi.streams import owned


class Watching:
    """The machine's metrics, read while somebody watches: a journal of the newest, which all follow."""

    def __init__(self) -> None:
        self._reader = WhileWatched(self._begin)

    def _begin(self) -> Coroutine[object, object, None]:
        self._journal = MemoryJournal(max_items=1)  # a new one: nobody who comes later is shown what was
        return self._read(self._journal)

    async def _read(self, journal: MemoryJournal) -> None:
        counted = streams.map(monitor.changes(), lambda metrics: {**metrics, "watchers": self._reader.watchers})
        async with owned(streams.map(told(counted), event)) as found:
            async for item in found:
                await journal.append(sse.event_of(item), "metrics")
        await journal.end()

    async def watch(self, count: int | None) -> AsyncIterator[Entry]:
        """The metrics now, and then each time they change, *count* times; for who is slow, the newest only."""
        async with self._reader, owned(self._journal.follow(slow="latest", backlog=1)) as entries:
            async for entry in entries:
                if isinstance(entry, Entry):
                    yield entry
                    count = count and count - 1
                    if count == 0:
                        return
