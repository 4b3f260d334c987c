"""A journal in Redis whose followers join while its topic begins, on a real server."""

import asyncio
import os
import random
from typing import Any

import pytest
from following import filled, rest, taken
from valkeys import Valkey, run

if os.environ.get("REQUIRE_PARTS") != "1":
    pytest.importorskip("redis", reason="redis is not installed")

from rawasgi.journal import redis
from rawasgi.journal.redis import RedisJournal, RedisJournals

TOPICS, FOLLOWERS = 50, 20


class LateReplies(RedisJournals):
    """Journals that get a reply to ``look`` when the reader has fed up to three more events."""

    async def ask(self, journal: RedisJournal, doing: str, text: str = "", count: int = 0) -> list[Any]:
        reply = await super().ask(journal, doing, text, count)
        if doing == "look" and journal.key in self._asked:
            number = random.randrange(4)
            while journal.place[1] < number:  # noqa: ASYNC110
                await asyncio.sleep(0)
        return reply


async def race(reading: RedisJournals, writing: RedisJournals, topic: str) -> list[list[object]]:
    """Return what each follower got of ten events: one waits for the topic, the others join while it begins."""

    async def write() -> None:
        await filled(writing.topic(topic), *map(str, range(10)))
        await writing.topic(topic).end()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(rest(reading.topic(topic).follow()))]
        while reading.topic(topic).key not in reading._asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        begins_at = random.randrange(1, FOLLOWERS)
        for number in range(1, FOLLOWERS):
            if number == begins_at:
                group.create_task(write())
            tasks.append(group.create_task(rest(reading.topic(topic).follow())))
    return [task.result() for task in tasks]


@pytest.mark.parametrize("kind", [RedisJournals, LateReplies])
def test_a_follower_that_joins_while_a_topic_begins_gets_all_of_it(server: Valkey, kind: type[RedisJournals]) -> None:
    async def main() -> None:
        async with kind(server.url) as reading, RedisJournals(server.url) as writing:
            for number in range(TOPICS):
                got = await race(reading, writing, f"{kind.__name__} {number}")
                assert got == [[str(number) for number in range(10)]] * FOLLOWERS

    run(main())


def test_a_follower_that_joins_finds_a_loss_before_the_reader_does(server: Valkey) -> None:
    """As after a failover that leaves the reader's connection open: the reader waits for what comes after the loss."""

    async def main() -> None:
        async with RedisJournals(server.url) as journals, RedisJournals(server.url) as writing:
            journal = journals.topic("loss")
            await filled(writing.topic("loss"), "a", "b", "c")
            first = journal.follow()
            assert await taken(first, 3) == ["a", "b", "c"]
            waiting = asyncio.create_task(taken(first, 4))
            while journals._asked.get(journal.key) != journal.place:  # noqa: ASYNC110
                await asyncio.sleep(0)
            kept: Any = await journals.client.xrange(journal.key, count=2)
            async with journals.client.pipeline() as pipe:  # XDEL would leave the number of the lost entry taken
                pipe.delete(journal.key)
                for place, fields in kept:
                    pipe.xadd(journal.key, fields, place)
                await pipe.execute()
            bell: Any = await journals.client.xinfo_stream(journals._bell)
            second = journal.follow()
            assert await taken(second, 2) == ["a", "b"]
            rung: Any = await journals.client.xinfo_stream(journals._bell)
            assert rung["last-generated-id"] != bell["last-generated-id"], "the reader is to ask from there at once"
            async with RedisJournals(server.url) as unaware:
                await filled(unaware.topic("loss"), "d")
            assert await waiting == [("restarted", None), "a", "b", "d"]
            assert await taken(second, 1) == ["d"]
            await first.aclose()
            await second.aclose()

    run(main())


class HeldBell(RedisJournals):
    """Journals whose bell is not rung until ``let``, by those who come before."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.ringing = 0
        self.let = asyncio.Event()
        self.blocks = False  # the reader waits for what comes

    async def _read_on(self, block: int | None) -> None:
        self.blocks = block is not None
        await super()._read_on(block)

    async def _ring(self, journal: RedisJournal) -> None:
        self.ringing += 1
        await self.let.wait()
        await super()._ring(journal)


@pytest.mark.parametrize("others", [1, 20])
def test_a_follower_that_leaves_while_it_wakes_the_reader_leaves_that_to_the_next(
    server: Valkey, others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the others would get nothing until the reader asks again by itself: after 5 s, and here after an hour."""
    monkeypatch.setattr(redis, "_BLOCK", 3600.0)

    async def main() -> None:
        async with HeldBell(server.url) as journals, RedisJournals(server.url) as writing:
            while not journals.blocks:  # noqa: ASYNC110
                await asyncio.sleep(0)
            journal = journals.topic(f"left {others}")
            leaving = asyncio.create_task(rest(journal.follow()))
            while not journals.ringing:  # noqa: ASYNC110
                await asyncio.sleep(0)
            streams = [journal.follow() for _ in range(others)]
            staying = [asyncio.create_task(taken(stream, 1)) for stream in streams]
            while len(journal._followers) < 1 + others:  # noqa: ASYNC110
                await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.wait([leaving])
            journals.let.set()
            while not all(follower.waits for follower in journal._followers):  # noqa: ASYNC110
                await asyncio.sleep(0)
            assert journals.ringing > 1, "another one rings"
            assert await journals.client.xlen(journals._bell) == 1
            await filled(writing.topic(f"left {others}"), "a")
            assert await asyncio.gather(*staying) == [["a"]] * others
            for stream in streams:
                await stream.aclose()

    run(main())
