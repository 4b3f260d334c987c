"""A journal in Redis: what is special about a server that others use."""

import asyncio
import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from following import filled, rest, said, taken
from valkeys import Valkey, flushed, run, valkey

from rawasgi.journal import Ended, Entry, Gap
from rawasgi.streams import Stream
from rawasgi.streams.base import owned

if os.environ.get("REQUIRE_PARTS") != "1":
    pytest.importorskip("redis", reason="redis is not installed")

from redis.exceptions import AuthenticationError

from rawasgi.journal.mirror import Closed
from rawasgi.journal.redis import RedisJournal, RedisJournals


async def one(stream: Stream[Entry | Gap]) -> Entry | Gap:
    async with owned(stream) as items:
        return await anext(items)


# Many processes, many followers


def test_two_processes_share_a_topic(server: Valkey) -> None:
    async def main() -> None:
        async with RedisJournals(server.url) as one, RedisJournals(server.url) as two:
            readers = [asyncio.create_task(rest(hub.topic("news").follow())) for hub in (one, two)]
            turns = [filled(hub.topic("news"), *map(str, range(100))) for hub in (one, two)]
            ids = await asyncio.gather(*turns)
            assert sorted(int(id.split("-")[2]) for some in ids for id in some) == list(range(1, 201))
            await one.topic("news").end()
            with pytest.raises(Ended):
                await filled(two.topic("news"), "late")
            first, second = await asyncio.gather(*readers)
            assert first == second
            assert sorted(first, key=str) == sorted([*map(str, range(100))] * 2)

    run(main())


def test_a_long_replay_is_whole_while_more_is_said(server: Valkey) -> None:
    async def main() -> None:
        async with RedisJournals(server.url) as one, RedisJournals(server.url) as two:
            await filled(one.topic("news"), *map(str, range(700)))
            reading = [asyncio.create_task(rest(two.topic("news").follow())) for _ in range(3)]
            await filled(one.topic("news"), *map(str, range(700, 1000)))
            await one.topic("news").end()
            assert await asyncio.gather(*reading) == [[*map(str, range(1000))]] * 3

    run(main())


def test_what_comes_for_nobody_is_dropped(server: Valkey) -> None:
    async def main() -> None:
        async with RedisJournals(server.url) as journals:
            journal, other = journals.topic("news"), journals.topic("other")
            await filled(journal, "a")
            reader, stays = journal.follow(), other.follow()
            assert await taken(reader, 1) == ["a"]
            waiting = asyncio.create_task(taken(stays, 1))
            while other.key not in journals._asked:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await reader.aclose()
            await filled(journal, "b")
            await filled(other, "c")
            assert await waiting == ["c"]
            assert await rest_of(journal) == ["a", "b"]
            await stays.aclose()

    async def rest_of(journal: RedisJournal) -> list[object]:
        await journal.end()
        return await rest(journal.follow())

    run(main())


def test_an_event_is_decoded_and_encoded_once_for_all(server: Valkey) -> None:
    async def main() -> None:
        async with RedisJournals(server.url) as journals:
            journal = journals.topic("news")
            assert journals.topic("news") is journal
            await filled(journal, "a")
            readers = [journal.follow() for _ in range(100)]
            for reader in readers:
                assert await taken(reader, 1) == ["a"]
            waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]
            await filled(journal, "b")
            assert len({id(entry) for entry in await asyncio.gather(*waiting)}) == 1
            for reader in readers:
                await reader.aclose()
            clients: Any = await journals.client.client_list()
            assert len(clients) <= 10

    run(main())


def test_a_thousand_followers_wait_in_little_memory(server: Valkey) -> None:
    async def main(topics: int, measured: bool) -> float:
        async with RedisJournals(server.url) as journals:
            names = [journals.topic(f"{topics} {number % topics}") for number in range(1000)]
            async with owned(names[0].follow("connects")) as stream:
                await anext(stream)
            before = tracemalloc.get_traced_memory()[0] if measured else 0
            began = time.monotonic()
            waiting = [asyncio.create_task(one(name.follow("x"))) for name in names]
            await asyncio.gather(*waiting)  # the gap, so all have joined
            readers = [name.follow() for name in names]
            tasks = [asyncio.create_task(one(reader)) for reader in readers]
            while sum(follower.waits for name in set(names) for follower in name._followers) < 1000:  # noqa: ASYNC110
                await asyncio.sleep(0)
            joined = time.monotonic()
            each = (tracemalloc.get_traced_memory()[0] - before) / 1000 / 1024 if measured else 0
            await asyncio.gather(*(filled(name, "a") for name in set(names)))
            assert [said(item) for item in await asyncio.gather(*tasks)] == ["a"] * 1000
            if not measured:
                told = time.monotonic() - joined
                print(f"1,000 followers of {topics}: joined twice in {joined - began:.2f} s, told in {told:.3f} s")
            return each

    for topics in (1, 100):
        asyncio.run(main(topics, False))
        asyncio.run(flushed(server))
    tracemalloc.start()
    try:
        each = asyncio.run(main(1, True))
    finally:
        tracemalloc.stop()
    print(f"1,000 followers: {each:.1f} KiB each, with its task")
    assert each < 14


# Bounds


def test_it_keeps_so_many_bytes(server: Valkey) -> None:
    async def main() -> None:
        async with RedisJournals(server.url, max_bytes=1000) as journals:
            journal = journals.topic("news")
            await filled(journal, "x" * 400, "y" * 400, "z" * 400, "w" * 900, "v" * 2000)
            await filled(journal, "中" * 100, "b")
            await journal.end()
            assert await rest(journal.follow()) == ["中" * 100, "b"]

    run(main())


def test_it_keeps_them_so_long(server: Valkey) -> None:
    async def main() -> None:
        async with RedisJournals(server.url, max_age=3600, max_idle=60) as journals:
            journal, client = journals.topic("news"), journals.client
            for number in (1, 2, 3):  # at the time 1, long ago
                await client.xadd(journal.key, {"e": '["old",null,null,null,null]', "t": 1, "b": 0}, f"7-{number}")
            reader = journal.follow()
            entry = await anext(reader)
            assert isinstance(entry, Entry)
            assert entry.number == 3, "the last event always stays"
            await filled(journal, "new")
            assert await taken(reader, 1) == ["new"]
            assert await client.xlen(journal.key) == 1
            assert 50_000 < await client.pttl(journal.key) <= 60_000
            await reader.aclose()
        async with RedisJournals(server.url, max_idle=None) as journals:
            await filled(journals.topic("for ever"), "a")
            assert await journals.client.pttl(journals.topic("for ever").key) == -1

    run(main())


def test_a_topic_that_is_forgotten_begins_anew(server: Valkey) -> None:
    async def main() -> None:
        async with RedisJournals(server.url) as journals:
            journal = journals.topic("news")
            await filled(journal, "a")
            reader = journal.follow()
            assert await taken(reader, 1) == ["a"]
            waiting = asyncio.create_task(taken(reader, 2))
            await journals.client.delete(journal.key)  # as max_idle does
            late = journal.follow()
            also = asyncio.create_task(taken(late, 1))
            while len(journal._followers) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await filled(journal, "b")
            assert await waiting == [("restarted", None), "b"]
            assert await also == ["b"]
            await reader.aclose()
            await late.aclose()

    run(main())


# What it refuses


@pytest.mark.parametrize("bounds", [{"max_items": 0}, {"max_bytes": -1}, {"max_age": 0}, {"max_idle": 0}])
def test_a_bound_must_leave_room(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        RedisJournals("redis://", **bounds)


def test_patience_has_an_end() -> None:
    with pytest.raises(ValueError, match="patience must be 60 s at most"):
        RedisJournals("redis://", patience=61)


def test_it_must_be_open(server: Valkey) -> None:
    async def main() -> None:
        journals = RedisJournals(server.url)
        with pytest.raises(RuntimeError, match="must be open"):
            await filled(journals.topic("news"), "a")
        async with journals:
            journal = journals.topic("news")
            await filled(journal, "a")
            reader = journal.follow()
            assert await taken(reader, 1) == ["a"]
            waiting = asyncio.create_task(rest(reader))
            await asyncio.sleep(0)
        assert await waiting == []
        assert await rest(journal.follow()) == []
        with pytest.raises(Closed, match="is closed"):
            await filled(journal, "b")

    run(main())


def test_nobody_can_be_waited_for() -> None:
    with pytest.raises(ValueError, match="publishers in other processes cannot be held up"):
        RedisJournals("redis://").topic("news").follow(slow="wait")


def test_a_wrong_password_is_told_to_who_asks(tmp_path: Path) -> None:
    async def main(server: Valkey) -> None:
        async with RedisJournals(server.url) as journals:
            await journals.client.config_set("requirepass", "right")
            await journals.client.connection_pool.disconnect()
            with pytest.raises(AuthenticationError):
                await filled(journals.topic("news"), "a")
            with pytest.raises(AuthenticationError):
                await one(journals.topic("news").follow())

    with valkey(tmp_path) as server:
        run(main(server))
