"""A journal in Redis (6.2 or later, or Valkey; not a cluster): it outlives the process, and many processes share it.

Theory of operation
===================

**One connection reads for all.** A hub blocks in XREAD, over every topic that has followers here, and puts what comes
into a window of the newest entries, decoded and encoded once. Followers are cursors, as in memory: they read from the
window, or, if they are further behind, pages from Redis (XRANGE). What the window does not join is read from Redis, and
what is not there either is a Gap. A new topic rings the hub's bell, a stream that it reads as well.

**Redis goes away.** The hub asks again and again for what comes after the last entry it has, followers wait, and that
is all. Only the hub says so in the log, once. When it is back with less than we have seen (no persistence, or a crash
before the last sync), the topic has restarted: a follower is told, and an append that knows of more than there is
begins a new life. ``appendonly yes`` with ``appendfsync always`` loses nothing. With ``everysec``, one second: an id of
that second may then come to stand for another event, if the next append is from a process that did not see the first.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, Self, TypeVar
from weakref import WeakValueDictionary

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError, ReadOnlyError
from redis.exceptions import ConnectionError as Gone
from redis.exceptions import TimeoutError as Late

from rawasgi.formats.sse import Event
from rawasgi.journal.base import Ended
from rawasgi.journal.mirror import PAGE, Closed, Mirror
from rawasgi.journal.retrying import in_time, retry_delays
from rawasgi.journal.script import SCRIPT
from rawasgi.journal.stored import Kept, State, write
from rawasgi.streams.base import end

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("rawasgi")

_CONNECTIONS = 8  # at most, beside the one that blocks
_NEVER = (2**64, 0)
_ANSWER = 5.0  # seconds that a command may take
_BLOCK = 5.0  # seconds; who has heard nothing for twice as long, has lost the connection


class RedisJournals:
    """The journals of one Redis: ``async with RedisJournals("redis://…") as journals``, once a process.

    *url*: as for redis.asyncio.Redis.from_url. *prefix* begins each key. *max_items*, *max_bytes*, *max_age* bound each
    topic, as in memory; *max_idle* is when it is forgotten; *patience*: so long an append waits for a Redis that is
    away; all in seconds, None for any age and for never. Closes: its connections, and its followers' streams end.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "rawasgi:",
        max_items: int = 10_000,
        max_bytes: int = 16 * 1024 * 1024,
        max_age: float | None = None,
        max_idle: float | None = 24 * 3600,
        patience: float = 5,
    ) -> None:
        bounds = {"max_items": max_items, "max_bytes": max_bytes, "max_age": max_age, "max_idle": max_idle}
        for name, value in {**bounds, "patience": patience}.items():
            if value is not None and not value > 0:
                raise ValueError(f"RedisJournals.{name} must be more than 0, not {value!r}")
        if patience > 60:
            raise ValueError(f"RedisJournals.patience must be 60 s at most, not {patience!r}: a retry is known so long")
        self.prefix = prefix
        self.patience = patience
        self._bounds = (max_items, max_bytes, *(int(1000 * (seconds or 0)) for seconds in (max_age, max_idle)))
        self._url = url
        self._bell = f"{prefix}bell:{secrets.token_hex(8)}"
        self._rung = "0-0"
        self._journals: WeakValueDictionary[str, RedisJournal] = WeakValueDictionary()
        self._followed: dict[str, RedisJournal] = {}
        self._asked: dict[str, tuple[int, int]] = {}  # the topics that the reader waits for, and after which entry
        self._room = asyncio.Semaphore(_CONNECTIONS)
        self._closed = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._away: float | None = None

    async def __aenter__(self) -> Self:
        """Start the reader; a Redis that is not there yet is waited for, where it is needed."""
        never = Retry(NoBackoff(), 0)  # we do that, and know what may be done twice
        # Without socket_timeout: redis-py uses wait_for() for it, which loses cancellations before Python 3.12.
        client = Redis.from_url(self._url, decode_responses=True, protocol=2, retry=never, socket_timeout=None)
        self.client: Redis = client
        self._script = self.client.register_script(SCRIPT)
        self._reader = asyncio.create_task(self._read(), name=f"rawasgi: reads {self.prefix}* in Redis")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed.set()
        assert self._reader is not None
        try:
            await end([self._reader])
        finally:
            for journal in self._followed.values():
                journal.stop()
            await self.client.aclose()

    def topic(self, topic: str, owner: str = "") -> "RedisJournal":
        """Return the journal of *topic* of *owner*: the same one, as long as somebody has it."""
        key = f"{self.prefix}topic:{len(topic)}:{topic}{owner}"
        journal = self._journals.get(key)
        if journal is None:
            journal = self._journals[key] = RedisJournal(self, topic, owner, key)
        return journal

    async def call(self, command: Callable[[], Awaitable[T]]) -> T:
        """Return what *command* returns, once Redis is there. Raises: Closed; RuntimeError before the block; what
        Redis refuses.
        """
        if self._reader is None:
            raise RuntimeError("RedisJournals must be open: async with RedisJournals(url) as journals")
        async with self._room:
            delays = retry_delays()
            while not self._closed.is_set():
                try:
                    return await in_time(_ANSWER, command())
                except (AuthenticationError, AuthorizationError):
                    raise  # no time heals that
                except (Gone, Late, ReadOnlyError, OSError):
                    await self._pause(next(delays))
        raise Closed("RedisJournals is closed: what comes after its block needs another one")

    async def ask(self, journal: "RedisJournal", doing: str, text: str = "", count: int = 0) -> list[Any]:
        """Run the script on *journal*, once."""
        keys = [journal.key, f"{self.prefix}by:{journal.producer}"]
        base, number = journal.known
        reply: list[Any] = await self._script(keys, [doing, *self._bounds, f"{base}-{number}", text, count])
        return reply

    async def look(self, journal: "RedisJournal") -> State:
        """Return what is kept of *journal*."""
        base, first, last, ended = await self.ask(journal, "look")
        return State(int(base), first, last, bool(ended))

    async def page(self, key: str, base: int, number: int) -> list[Kept]:
        """Return up to PAGE entries of the life *base* after *number*."""
        reply: Any = await self.client.xrange(key, f"{base}-{number + 1}", f"{base}", PAGE)
        return list(_kept(reply))

    async def begin(self, journal: "RedisJournal") -> None:
        """Read *journal*, too, from now on."""
        self._followed[journal.key] = journal
        async with journal.joining:  # each waits for the one who rings: if that is cancelled, the next one rings
            if not self._is_asked(journal):
                await self.call(lambda: self._ring(journal))

    def leave(self, journal: "RedisJournal") -> None:
        """Read *journal* no more."""
        self._followed.pop(journal.key, None)

    def _is_asked(self, journal: "RedisJournal") -> bool:
        """Return whether the reader waits for what *journal* wants; not where its place has moved back after a loss."""
        return self._asked.get(journal.key, _NEVER) <= journal.place

    async def _ring(self, journal: "RedisJournal") -> None:
        """Have the reader ask anew, unless it did; it does so each _BLOCK in any case."""
        if self._is_asked(journal):
            return
        async with self.client.pipeline() as pipe:
            pipe.xadd(self._bell, {"e": ""}, maxlen=1)
            pipe.expire(self._bell, 60)
            await pipe.execute()

    async def _read(self) -> None:
        delays = retry_delays()
        while True:
            try:
                await self._read_on(None)
                for journal in list(self._followed.values()):
                    await in_time(_ANSWER, journal.observe(partial(self.look, journal)))
                self._back()
                delays = retry_delays()
                while True:
                    await self._read_on(int(_BLOCK * 1000))
            except Exception as error:  # also one that nobody thought of: without a reader, all would wait for ever
                delay = next(delays)
                if delay:  # a connection that is there again at once is not worth a line
                    self._lost(error)
                await asyncio.sleep(delay)

    async def _read_on(self, block: int | None) -> None:
        """Read what has come; wait for it for *block* milliseconds."""
        asked = {key: (journal, journal.losses) for key, journal in self._followed.items()}
        self._asked = {key: journal.place for key, journal in self._followed.items()}
        places: dict[Any, Any] = {self._bell: self._rung}
        places |= {key: f"{base}-{number}" for key, (base, number) in self._asked.items()}
        reply: Any = await in_time(2 * _BLOCK, self.client.xread(places, PAGE, block))
        for key, entries in reply:
            if key == self._bell:
                self._rung = entries[-1][0]
            elif self._followed.get(key) is asked[key][0]:
                journal, losses = asked[key]
                journal.feed(_kept(entries), losses)

    def _lost(self, error: Exception) -> None:
        if self._away is None:
            self._away = asyncio.get_running_loop().time()
            logger.warning("redis is away: %s", error or type(error).__name__)

    def _back(self) -> None:
        if self._away is not None:
            logger.info("redis is back after %.1f s", asyncio.get_running_loop().time() - self._away)
            self._away = None

    async def _pause(self, delay: float) -> None:
        try:
            async with asyncio.timeout(delay):
                await self._closed.wait()
        except TimeoutError:
            pass


class RedisJournal(Mirror):
    """The events of one topic of one owner in Redis; made by ``RedisJournals.topic``."""

    def __init__(self, journals: RedisJournals, topic: str, owner: str, key: str) -> None:
        super().__init__(topic, owner)
        self.key = key
        self.producer: str = secrets.token_hex(8)
        self._journals = journals
        self.joining: asyncio.Lock = asyncio.Lock()  # one follower at a time has the reader ask anew
        self._turn = asyncio.Lock()  # one append at a time: the script keeps what became of the last one only
        self._count = 0
        self._written = (0, 0)

    @property
    def known(self) -> tuple[int, int]:
        """The base and the number of the last event that this process knows of."""
        return max(self._written, (self._base, self._newest))

    async def append(self, event: Event, key: str | None = None) -> str:
        """Keep *event*, as ``Journal.append``; while Redis is away, wait for it.

        Raises: ConnectionError when it was away for *patience* seconds; the event may have been kept then, or not.
        """
        self.entry(1, event, key)  # what cannot be encoded is refused here
        base, _, number, ended = await self._say("append", write(event, key))
        if ended == 2:
            raise Ended(f"nothing can follow the end of {self.topic!r}: take another topic")
        self._written = (int(base), number)
        return self._id(int(base), number)

    async def end(self) -> None:
        """Say that nothing more will come, as ``Journal.end``. Raises: ConnectionError, as ``append``."""
        await self._say("end")

    async def look(self) -> State:
        return await self._journals.call(lambda: self._journals.look(self))

    async def page(self, base: int, number: int) -> list[Kept]:
        return await self._journals.call(lambda: self._journals.page(self.key, base, number))

    async def begin(self) -> None:
        await self._journals.begin(self)

    def leave(self) -> None:
        self._journals.leave(self)

    async def _say(self, doing: str, text: str = "") -> list[Any]:
        patience = self._journals.patience
        try:
            async with asyncio.timeout(patience), self._turn:
                self._count += 1
                count = self._count
                return await self._journals.call(lambda: self._journals.ask(self, doing, text, count))
        except TimeoutError:
            raise ConnectionError(
                f"Redis did not answer for {patience:g} s, so nobody knows whether the {doing} to {self.topic!r} was "
                "done: say it again, and an event may come twice; give it an id in its data, if that matters"
            ) from None


def _kept(entries: Iterable[tuple[str, dict[str, str]]]) -> Iterator[Kept]:
    for place, fields in entries:
        base, number = place.split("-")
        yield Kept(int(base), int(number), fields["e"])
