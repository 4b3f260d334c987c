"""A journal in the memory of one process: a ring, bounded by count, bytes and age."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rawasgi.formats.sse import Event
from rawasgi.journal.base import Ended, Entry, Follower, Gap, Journal, Slow, latest
from rawasgi.streams import Stream

_BATCH = 256  # entries that a reader takes at once; what is behind it may be thrown away meanwhile


@dataclass(frozen=True, slots=True)
class Counters:
    """What a journal has seen: events *appended*, *trimmed* for its bounds, and *dropped* for slow followers."""

    appended: int
    trimmed: int
    dropped: int
    kept: int
    kept_bytes: int
    followers: int


class MemoryJournal(Journal):
    """The events of one topic, as long as the process lives and the bounds allow.

    *max_items*, *max_bytes* (encoded), *max_age* (seconds; None for any): what goes past is thrown away, oldest first;
    the last event always stays.
    """

    def __init__(
        self,
        topic: str = "",
        owner: str = "",
        *,
        max_items: int = 10_000,
        max_bytes: int = 16 * 1024 * 1024,
        max_age: float | None = None,
    ) -> None:
        super().__init__(topic, owner, secrets.token_hex(4))
        for name, value in {"max_items": max_items, "max_bytes": max_bytes, "max_age": max_age}.items():
            if value is not None and not value > 0:
                raise ValueError(f"MemoryJournal.{name} must be more than 0, not {value!r}")
        self._max_items, self._max_bytes, self._max_age = max_items, max_bytes, max_age
        self._entries: deque[Entry] = deque()
        self._times: deque[float] = deque()
        self._bytes = 0
        self._last = 0  # the number of the last event ever
        self._dropped = 0
        self._ended = False
        self._followers: set[Follower] = set()
        self._room: asyncio.Future[None] | None = None  # an append waits for a follower

    @property
    def counters(self) -> Counters:
        trimmed = self._last - len(self._entries)
        return Counters(self._last, trimmed, self._dropped, len(self._entries), self._bytes, len(self._followers))

    async def append(self, event: Event, key: str | None = None) -> str:
        entry = self.entry(self._last + 1, event, key)  # first: what cannot be encoded waits for nobody
        while not self._ended and any(self._waits_for(follower) for follower in self._followers):
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)
            entry = self.entry(self._last + 1, event, key)
        if self._ended:
            raise Ended(f"nothing can follow the end of {self.topic!r}: take another topic")
        self._last += 1
        self._entries.append(entry)
        self._times.append(asyncio.get_running_loop().time())
        self._bytes += len(entry.encoded)
        self._trim()
        self._wake()
        assert entry.event.id is not None
        return entry.event.id

    async def end(self) -> None:
        self._ended = True
        self._wake()
        self._let_append()

    def follow(
        self, after: str | None = None, *, slow: Slow = "drop_oldest", backlog: int = 1000
    ) -> Stream[Entry | Gap]:
        if backlog < 1:
            raise ValueError(f"a follower's backlog must be 1 or more, not {backlog!r}")
        return Stream(self._follow(after, slow, backlog))

    async def _follow(self, after: str | None, slow: Slow, backlog: int) -> AsyncIterator[Entry | Gap]:
        self._trim()
        place = self.position(after, self._first, self._last)
        follower = Follower(place.number, slow, backlog)
        self._followers.add(follower)
        try:
            if place.gap is not None:
                yield place.gap
            live = False  # a replay is as long as it is: only who has caught up can fall behind
            while True:
                items = self._late(follower) if live else None
                for item in self._next(follower) if items is None else items:
                    if isinstance(item, Entry):
                        follower.number = max(follower.number, item.number)
                        self._let_append()
                    yield item
                    if isinstance(item, Gap) and item.reason == "slow" and slow == "disconnect":
                        return
                if follower.number >= self._last:
                    live = True
                    if self._ended:
                        return
                    await follower.woken()
        finally:
            self._followers.discard(follower)
            self._let_append()

    def _next(self, follower: Follower, count: int = _BATCH) -> Sequence[Entry | Gap]:
        """Return the next *count* entries for *follower*; before them, a Gap if some were thrown away."""
        lost = self._first - 1 - follower.number
        if lost <= 0:
            return self._after(follower.number, count)
        gap = Gap("trimmed", self.id_of(follower.number), lost)
        follower.number += lost
        return [gap, *self._after(follower.number, count)]

    def _late(self, follower: Follower) -> Sequence[Entry | Gap] | None:
        """Return what a *follower* gets that has fallen too far behind; None for one that has not, or is waited for."""
        behind = self._last - follower.number
        if behind <= follower.backlog or follower.slow == "wait":
            return None
        had = self.id_of(follower.number)
        if follower.slow == "disconnect":
            return [Gap("slow", had, behind)]
        if follower.slow == "latest":
            items = self._next(follower, behind)
            follower.number = self._last
            gaps = [item for item in items if isinstance(item, Gap)]
            return [*gaps, *latest([item for item in items if isinstance(item, Entry)])]
        if follower.slow == "drop_oldest":
            lost = behind - follower.backlog
            self._dropped += lost
            follower.number += lost
            return [Gap("slow", had, lost), *self._next(follower, follower.backlog)]
        items = self._next(follower, follower.backlog)
        lost = max(self._last - follower.number - follower.backlog, 0)
        self._dropped += lost
        follower.number = self._last
        return [*items, Gap("slow", self.id_of(self._last - lost), lost)] if lost else items

    @property
    def _first(self) -> int:
        return self._last - len(self._entries) + 1

    def _after(self, number: int, count: int) -> list[Entry]:
        begin = max(number + 1 - self._first, 0)
        if begin == len(self._entries) - 1:
            return [self._entries[-1]]  # what nearly every follower reads, nearly always
        return list(islice(self._entries, begin, begin + count))

    def _trim(self) -> None:
        oldest = None if self._max_age is None else asyncio.get_running_loop().time() - self._max_age
        while len(self._entries) > 1 and (
            len(self._entries) > self._max_items
            or self._bytes > self._max_bytes
            or (oldest is not None and self._times[0] < oldest)
        ):
            self._times.popleft()
            self._bytes -= len(self._entries.popleft().encoded)

    def _wake(self) -> None:
        for follower in self._followers:
            follower.wake()

    def _waits_for(self, follower: Follower) -> bool:
        return follower.slow == "wait" and self._last - follower.number >= follower.backlog

    def _let_append(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
