"""Where the journals of the contract tests are kept, and the state machine that compares one with a plain list."""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from following import rest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule
from valkeys import Valkey

from rawasgi.formats.sse import Event
from rawasgi.journal import Ended, Entry, Gap, Journal, MemoryJournal

PATIENCE = 30.0  # seconds, for a machine that is busy with other things


class House(ABC):
    """Where journals are kept."""

    async def __aenter__(self) -> "House":
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.left() == 0

    @abstractmethod
    def journal(self, topic: str = "t", owner: str = "") -> Journal: ...

    @abstractmethod
    async def lose(self) -> None:
        """Lose all that is kept, as a restart does."""

    @abstractmethod
    def left(self) -> int:
        """How many followers, or what is there for them, are left."""


class Memory(House):
    def __init__(self, max_items: int = 10_000) -> None:
        self.max_items = max_items
        self.journals: dict[tuple[str, str], MemoryJournal] = {}

    def journal(self, topic: str = "t", owner: str = "") -> Journal:
        if (topic, owner) not in self.journals:
            self.journals[topic, owner] = MemoryJournal(topic, owner, max_items=self.max_items)
        return self.journals[topic, owner]

    async def lose(self) -> None:
        self.journals.clear()

    def left(self) -> int:
        return sum(journal.counters.followers for journal in self.journals.values())


class InRedis(House):
    def __init__(self, server: Valkey, max_items: int = 10_000) -> None:
        from rawasgi.journal.redis import RedisJournals

        self.journals = RedisJournals(server.url, prefix=secrets.token_hex(8), max_items=max_items)

    async def __aenter__(self) -> House:
        await self.journals.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        await self.journals.__aexit__()

    def journal(self, topic: str = "t", owner: str = "") -> Journal:
        return self.journals.topic(topic, owner)

    async def lose(self) -> None:
        await self.journals.client.flushdb()

    def left(self) -> int:
        return len(self.journals._followed)


class Reader:
    """A follower, and how many events it has behind it."""

    def __init__(self, stream: AsyncIterator[Entry | Gap], behind: int, begun: bool) -> None:
        self.stream = stream
        self.behind = behind
        self.begun = begun  # one that wants all that is kept means, when it takes its first step


class Machine(RuleBasedStateMachine):
    """A journal that keeps 5, beside a plain list of all that was said."""

    readers = Bundle("readers")
    make_house: Callable[[], House]
    make_loop: Callable[[], asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self.loop = type(self).make_loop()
        self.house = type(self).make_house()
        self.said: list[tuple[str, str]] = []
        self.open: list[Reader] = []
        self.ended = False

    def do(self, action: Awaitable[object]) -> object:
        async def main() -> object:
            async with asyncio.timeout(PATIENCE):
                return await action

        return self.loop.run_until_complete(main())

    @initialize()
    def begin(self) -> None:
        self.enter()

    def enter(self) -> None:
        self.do(self.house.__aenter__())
        self.journal = self.house.journal()

    @rule(count=st.integers(1, 7))
    def append(self, count: int) -> None:
        for _ in range(count):
            text = f"{len(self.said)}"
            if self.ended:
                with pytest.raises(Ended):
                    self.do(self.journal.append(Event(text)))
            else:
                self.said.append((str(self.do(self.journal.append(Event(text)))), text))

    @rule(target=readers, place=st.integers(0, 20))
    def follow(self, place: int) -> Reader:
        place = min(place, len(self.said))
        after = None if place == 0 else self.said[place - 1][0]
        reader = Reader(self.journal.follow(after), place, after is not None)
        self.open.append(reader)
        return reader

    def ahead(self, reader: Reader) -> int:
        if not reader.begun:
            reader.behind = max(len(self.said) - 5, 0)
        return len(self.said) - reader.behind

    def step(self, reader: Reader) -> None:
        reader.begun = True
        self.take(reader, self.do(anext(reader.stream)))

    def take(self, reader: Reader, item: object) -> None:
        if isinstance(item, Gap):
            assert item.reason == "trimmed"
            assert item.count is not None
            reader.behind += item.count
            assert reader.behind <= len(self.said) - 5, "these are kept"
        else:
            assert isinstance(item, Entry)
            assert (item.event.id, item.event.data) == self.said[reader.behind]
            reader.behind += 1

    @rule(reader=readers, count=st.integers(1, 10))
    def read(self, reader: Reader, count: int) -> None:
        while count and self.ahead(reader):
            self.step(reader)
            count -= 1

    @rule(reader=consumes(readers))
    def close(self, reader: Reader) -> None:
        self.open.remove(reader)
        self.leave(reader)

    def leave(self, reader: Reader) -> None:
        self.do(reader.stream.aclose())  # type: ignore[attr-defined]  # a Stream

    @rule(sure=st.integers(0, 3))
    def end(self, sure: int) -> None:
        if sure == 3:
            self.ended = True
            self.do(self.journal.end())

    def teardown(self) -> None:
        try:
            self.do(self.journal.end())
            for reader in self.open:
                while self.ahead(reader):
                    self.step(reader)
                assert self.do(rest(reader.stream)) == []
        finally:
            self.do(self.house.__aexit__())
            self.loop.close()
