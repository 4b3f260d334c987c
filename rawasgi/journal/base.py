"""A journal: events of one topic that are kept, so that who was away for a while misses none.

Theory of operation
===================

**An id says where one stands.** ``append`` gives each event an id, ``topic-epoch-number``: a tag of the topic and its
owner, a word for this life of the journal, and where in it the event stands. So an id that comes back from a client
tells four things apart: it is ours and we go on after it; what came after it was thrown away since (*trimmed*); the
journal has begun anew (*restarted*); it is of another topic, of somebody else or forged (*foreign*).

**The seam.** ``follow`` is a cursor, not a queue: it reads what is there after its number, and when there is nothing,
waits to be woken and reads again. So replay and live are one thing, and nothing can fall between the two, nor come
twice. A reader that is slow costs a number; what it has not read is the journal's, which has a bound.

**Nothing is skipped in silence.** Where a cursor cannot go on without a hole, the reader gets a ``Gap`` first, which
says so and why.

**The end is kept, too.** ``end`` is as durable as an event: who comes back later finds it, and does not wait for ever.
"""

import asyncio
import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

from rawasgi.formats import sse
from rawasgi.formats.sse import Event
from rawasgi.streams import Stream

Reason: TypeAlias = Literal["trimmed", "restarted", "foreign", "slow"]
Slow: TypeAlias = Literal["wait", "drop_oldest", "drop_newest", "latest", "disconnect"]

_ID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{8})-(0|[1-9][0-9]{0,17})")


class Ended(Exception):
    """The journal is at its end: nothing can be appended any more."""


@dataclass(frozen=True)
class Entry:
    """An *event* as it stands in a journal, where its id is that of *number*; *key*: what ``latest`` goes by."""

    number: int
    event: Event
    key: str | None = None

    @cached_property
    def encoded(self) -> bytes:
        """Its bytes as a server-sent event: made once, however many followers there are."""
        return sse.encode(self.event)


@dataclass(frozen=True, slots=True)
class Gap:
    """Events are missing here, *after* the id that the reader had; *count* of them, where that is known.

    *reason*: trimmed, they were thrown away for the journal's bound; restarted, the journal has begun anew and starts
    over from its beginning; foreign, the id is not one of this topic and owner, and nothing is replayed; slow, the
    reader fell further behind than it may.
    """

    reason: Reason
    after: str | None = None
    count: int | None = None

    @property
    def event(self) -> Event:
        """What a client is told: an event ``gap`` without an id, so that it may come back with the one it has."""
        counted = "" if self.count is None else f', "count": {self.count}'
        return Event(f'{{"reason": "{self.reason}"{counted}}}', "gap")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader goes on: after *number*, and what it must be told before."""

    number: int
    gap: Gap | None = None


class Journal(ABC):
    """The events of one *topic* of one *owner*.

    ``append``, ``end`` and ``follow`` are what a producer and its readers need. *epoch*: 8 hex digits, another for each
    life of the journal.
    """

    def __init__(self, topic: str, owner: str, epoch: str) -> None:
        self.topic = topic
        self.owner = owner
        self.epoch = epoch
        self._tag = tag(topic, owner)

    @abstractmethod
    async def append(self, event: Event, key: str | None = None) -> str:
        """Keep *event*, give it to all followers, and return its id; an id that it has is replaced.

        *key*: for followers that take only the latest of each. Raises: Ended; ValueError and TypeError for an event
        that cannot be encoded, and then nothing is kept.
        """

    @abstractmethod
    async def end(self) -> None:
        """Say that nothing more will come: followers stop when they have read what is there. Again: does nothing."""

    @abstractmethod
    def follow(
        self, after: str | None = None, *, slow: Slow = "drop_oldest", backlog: int = 1000
    ) -> Stream[Entry | Gap]:
        """Yield what came after the id *after*, or, with None, all that is kept; then what comes, until the end.

        A reader that is more than *backlog* events behind is *slow*: ``wait``, append waits for it; ``drop_oldest`` and
        ``drop_newest``, it gets a Gap, and the latest events, or those that it was about to read; ``latest``, of each
        key only the latest event, without a Gap, as nothing that counts is missing; ``disconnect``, a Gap, and then its
        end. Order: as appended. Closes: nothing of the journal.
        """

    def id_of(self, number: int) -> str:
        return f"{self._tag}-{self.epoch}-{number}"

    def entry(self, number: int, event: Event, key: str | None) -> Entry:
        """Return *event* as number *number*, encoded. Raises: as ``sse.encode``."""
        entry = Entry(number, replace(event, id=self.id_of(number)), key)
        entry.encoded  # noqa: B018  # what cannot be sent is refused by who appends it, not by each who reads it
        return entry

    def position(self, after: str | None, first: int, last: int) -> Position:
        """Return where a reader with the id *after* goes on, when the numbers *first* to *last* are kept."""
        if after is None:
            return Position(first - 1)
        found = _ID.fullmatch(after)
        if found is None or found[1] != self._tag:
            return Position(last, Gap("foreign", after))
        if found[2] != self.epoch or int(found[3]) > last:
            return Position(first - 1, Gap("restarted", after))
        number = int(found[3])
        if number < first - 1:
            return Position(first - 1, Gap("trimmed", after, first - 1 - number))
        return Position(number)


def tag(topic: str, owner: str) -> str:
    """Return 8 hex digits that stand for *topic* of *owner*: who has an id of another learns nothing by it."""
    return hashlib.sha256(f"{len(topic)}:{topic}{owner}".encode()).hexdigest()[:8]


def latest(entries: list[Entry]) -> list[Entry]:
    """Return the last entry of each key, in order; what has no key is kept."""
    last = {entry.key: entry.number for entry in entries if entry.key is not None}
    return [entry for entry in entries if entry.key is None or last[entry.key] == entry.number]


class Follower:
    """One reader: how far it has come, and what becomes of it when it is slow."""

    def __init__(self, number: int, slow: Slow, backlog: int) -> None:
        self.number = number
        self.slow = slow
        self.backlog = backlog
        self._waiting: asyncio.Future[None] | None = None

    @property
    def waits(self) -> bool:
        return self._waiting is not None and not self._waiting.done()

    async def woken(self) -> None:
        # Of its own: who is cancelled while he waits for a shared one cancels it for all.
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
