"""A journal in Redis beside a plain list, as in ``test_journals``, when replies to ``look`` arrive late."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, multiple, precondition, rule, run_state_machine_as_test
from journal_machine import InRedis, Machine, Reader
from valkeys import Valkey, valkey

if os.environ.get("REQUIRE_PARTS") != "1":
    pytest.importorskip("redis", reason="redis is not installed")

from rawasgi.journal import Entry, Gap
from rawasgi.journal import redis as redis_module
from rawasgi.journal.redis import RedisJournal, RedisJournals

MOST_HELD = 4  # of the 8 connections that commands share


class HoldingJournals(RedisJournals):
    """Journals that hold the reply to a look until it is released, while *holding*."""

    holding = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.held: list[asyncio.Future[None]] = []

    async def ask(self, journal: RedisJournal, doing: str, text: str = "", count: int = 0) -> list[Any]:
        hold = self.holding and doing == "look"
        reply = await super().ask(journal, doing, text, count)
        if hold:
            self.held.append(released := asyncio.get_running_loop().create_future())
            await released
        return reply


class LateHouse(InRedis):
    journals: HoldingJournals

    def __init__(self, server: Valkey, max_items: int) -> None:
        super().__init__(server, max_items)
        self.journals = HoldingJournals(server.url, prefix=secrets.token_hex(8), max_items=max_items)


class LateReader(Reader):
    """A follower whose reply to ``look`` is held until it is delivered, or its first item is wanted."""

    first: asyncio.Task[Entry | Gap] | None = None
    released: asyncio.Future[None]
    waits_for_topic = False  # nothing was there when it looked
    begin_if_late = 0  # where it begins if its reply is late and it looks again


class LateMachine(Machine):
    def held(self) -> list[LateReader]:
        return [reader for reader in self.waiting() if not reader.released.done()]

    def waiting(self) -> list[LateReader]:
        return [reader for reader in self.open if isinstance(reader, LateReader) and reader.first is not None]

    @initialize(target=Machine.readers)
    def begin(self) -> Any:  # type: ignore[override]
        """One waits for the topic, and two have looked for it, when it begins."""
        self.enter()
        first, *others = [self.join(0) for _ in range(3)]
        self.deliver(0, 0, 0)
        return multiple(first, *others)

    @precondition(lambda self: len(self.waiting()) < MOST_HELD)
    @rule(target=Machine.readers, place=st.integers(0, 20))
    def join(self, place: int) -> Reader:
        place = min(place, len(self.said))
        stream = self.journal.follow(None if place == 0 else self.said[place - 1][0])
        reader = LateReader(stream, place or max(len(self.said) - 5, 0), begun=True)
        reader.waits_for_topic = not self.said
        self.do(self.hold(reader))
        self.open.append(reader)
        return reader

    async def hold(self, reader: LateReader) -> None:
        async def first() -> Entry | Gap:
            return await anext(reader.stream)

        assert isinstance(self.house, LateHouse)
        journals = self.house.journals
        journals.holding = True
        reader.first = asyncio.create_task(first())
        while not journals.held:  # noqa: ASYNC110
            await asyncio.sleep(0)
        journals.holding = False
        reader.released = journals.held.pop()

    @precondition(lambda self: self.held())
    @rule(which=st.integers(0, MOST_HELD - 1), before=st.integers(0, 2), after=st.integers(0, 2))
    def deliver(self, which: int, before: int, after: int) -> None:
        """Deliver a reply between appends."""
        held = self.held()
        self.append(before)
        self.do(self.deliver_to(held[which % len(held)]))
        self.append(after)

    async def deliver_to(self, reader: LateReader) -> None:
        assert isinstance(self.journal, RedisJournal)
        assert isinstance(self.house, LateHouse)
        assert reader.first is not None
        followers = self.journal._followers
        while followers and self.journal.place[1] < len(self.said):  # noqa: ASYNC110  late: all of it was fed before
            await asyncio.sleep(0)
        before = len(followers)
        reader.begin_if_late = max(len(self.said) - 5, 0)
        reader.released.set_result(None)
        while len(followers) == before and not reader.first.done():  # noqa: ASYNC110
            await asyncio.sleep(0)
        while self.journal.key not in self.house.journals._asked and not reader.first.done():  # noqa: ASYNC110
            await asyncio.sleep(0)

    def step(self, reader: Reader) -> None:
        if not isinstance(reader, LateReader) or reader.first is None:
            return super().step(reader)
        item = self.do(self.release(reader))
        if reader.waits_for_topic and isinstance(item, Entry):
            # Its place is before the first event or, if its look was repeated, before those that were kept then.
            reader.behind = item.number - 1
            assert reader.behind == 0 or reader.begin_if_late <= reader.behind <= len(self.said) - 5
        self.take(reader, item)

    async def release(self, reader: LateReader) -> Entry | Gap | None:
        """Return its first item, or None if there is none."""
        assert reader.first is not None
        first, reader.first = reader.first, None
        if not reader.released.done():
            reader.begin_if_late = max(len(self.said) - 5, 0)
            reader.released.set_result(None)
        try:
            return await first
        except StopAsyncIteration:
            return None

    def leave(self, reader: Reader) -> None:
        if isinstance(reader, LateReader) and reader.first is not None:
            reader.first.cancel()
            self.do(asyncio.wait([reader.first]))
        super().leave(reader)

    def teardown(self) -> None:
        try:
            self.do(self.journal.end())
            for reader in self.waiting():
                if not self.ahead(reader):
                    assert self.do(self.release(reader)) is None
        finally:
            super().teardown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("valkey")) as started:
        yield started


def test_late_replies_lose_nothing(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_module, "_ANSWER", 600.0)  # a reply that is held is not lost

    class Late(LateMachine):
        make_house = staticmethod(lambda: LateHouse(server, max_items=5))
        make_loop = asyncio.new_event_loop

    run_state_machine_as_test(Late, settings=settings(max_examples=40, deadline=None))
