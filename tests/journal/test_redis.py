"""A journal in Redis: what is special about a server that others use, and that goes away."""

import asyncio
import logging
import os
import time
import tracemalloc
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from following import filled, rest, said, taken
from valkeys import DURABLE, Valkey, valkey

from rawasgi.journal import Ended, Entry, Gap
from rawasgi.streams import Stream
from rawasgi.streams.base import owned

if os.environ.get("REQUIRE_PARTS") != "1":
    pytest.importorskip("redis", reason="redis is not installed")

from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as Gone

from rawasgi.journal.mirror import Closed
from rawasgi.journal.redis import RedisJournal, RedisJournals

PATIENCE = 30.0  # seconds, for a machine that is busy with other things


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("valkey")) as started:
        yield started


@pytest.fixture
def server(shared: Valkey) -> Valkey:
    """A server that is never killed, and empty."""
    asyncio.run(flushed(shared))
    return shared


async def flushed(server: Valkey) -> None:
    async with RedisJournals(server.url) as journals:
        await journals.client.flushall()


def run(main: Coroutine[object, object, None]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE):
            await main

    asyncio.run(in_time())


def about_redis(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    assert not [record for record in caplog.records if record.exc_info]
    return [
        (record.levelname, record.getMessage().split(":")[0].split(" after")[0])
        for record in caplog.records
        if record.name == "rawasgi"
    ]


async def cut(journals: RedisJournals) -> None:
    """Cut all connections but the one that says so."""
    await journals.client.client_kill_filter(_type="normal", skipme=True)


async def one(stream: Stream[Entry | Gap]) -> Entry | Gap:
    async with owned(stream) as items:
        return await anext(items)


# It goes away


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rawasgi")
    followers, outages = 20, 3
    recoveries: list[float] = []

    async def main(server: Valkey) -> None:
        async with RedisJournals(server.url) as writing, RedisJournals(server.url) as reading:
            journal, count = writing.topic("news"), 0
            arrived = asyncio.Event()

            async def read(number: int) -> list[object]:
                got = []
                async for item in reading.topic("news").follow(slow="disconnect"):
                    got.append(said(item))
                    if number == 0:
                        arrived.set()
                return got

            tasks = [asyncio.create_task(read(number)) for number in range(followers)]

            async def write(until: asyncio.Event) -> None:
                nonlocal count
                while not until.is_set():
                    await filled(journal, f"{count}")
                    count += 1

            for _ in range(outages):
                enough = asyncio.Event()
                writer = asyncio.create_task(write(enough))
                for _ in range(100):
                    arrived.clear()
                    await arrived.wait()
                server.kill()
                await asyncio.to_thread(wait_for_lines, caplog, "redis is away", len(recoveries) * 2 + 2)
                await asyncio.to_thread(server.start)
                back = time.monotonic()
                arrived.clear()
                await arrived.wait()
                recoveries.append(time.monotonic() - back)
                enough.set()
                await writer
                await asyncio.to_thread(wait_for_lines, caplog, "redis is back", len(recoveries) * 2)
            await journal.end()
            assert await asyncio.gather(*tasks) == [[str(number) for number in range(count)]] * followers

    with valkey(tmp_path, *DURABLE) as server:
        run(main(server))
    hubs = 2
    assert sorted(about_redis(caplog)) == sorted(
        [("WARNING", "redis is away"), ("INFO", "redis is back")] * outages * hubs
    )
    print(f"recovered after {max(recoveries):.3f} s at most")
    assert max(recoveries) < 2


def wait_for_lines(caplog: pytest.LogCaptureFixture, text: str, count: int) -> None:
    until = time.monotonic() + PATIENCE
    while sum(text in record.getMessage() for record in list(caplog.records)) < count:
        assert time.monotonic() < until, f"{count} times {text!r} in the log"
        time.sleep(0.002)


def test_without_persistence_it_restarts_and_says_so(tmp_path: Path) -> None:
    async def main(server: Valkey) -> None:
        async with RedisJournals(server.url) as journals:
            journal = journals.topic("news")
            ids = await filled(journal, "a", "b")
            reader = journal.follow()
            assert await taken(reader, 2) == ["a", "b"]
            waiting = asyncio.create_task(taken(reader, 2))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            ids += await filled(journal, "c")
            assert await waiting == [("restarted", None), "c"]
            assert len({id.split("-")[1] for id in ids}) == 2
            await journal.end()
            assert await rest(reader) == []
            assert await rest(journal.follow(ids[1])) == [("restarted", None), "c"]

    with valkey(tmp_path) as server:
        run(main(server))


def test_an_append_waits_and_gives_up_with_a_sentence(tmp_path: Path) -> None:
    async def main(server: Valkey) -> None:
        async with RedisJournals(server.url, patience=0.2) as journals:
            journal = journals.topic("news")
            await filled(journal, "a")
            server.kill()
            with pytest.raises(ConnectionError, match=r"Redis did not answer for 0.2 s, so nobody knows") as raised:
                await filled(journal, "b")
            assert not isinstance(raised.value, Gone)
            with pytest.raises(ConnectionError, match="whether the end to 'news' was done"):
                await journal.end()
        async with RedisJournals(server.url) as journals:
            journal = journals.topic("news")
            appending = asyncio.create_task(filled(journal, "c"))
            following = asyncio.create_task(taken(stream := journal.follow(), 1))
            await asyncio.sleep(0)
            await asyncio.to_thread(server.start)
            await appending
            assert await following == ["c"]
            await stream.aclose()

    with valkey(tmp_path) as server:
        run(main(server))


def test_it_can_be_left_while_redis_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main(server: Valkey) -> None:
        server.kill()
        async with RedisJournals(server.url) as journals:
            following = [asyncio.create_task(rest(journals.topic(f"{number}").follow())) for number in range(20)]
            appending = asyncio.create_task(filled(journals.topic("0"), "a"))
            await asyncio.to_thread(wait_for_lines, caplog, "redis is away", 1)
        assert await asyncio.gather(*following) == [[]] * 20
        with pytest.raises(Closed):
            await appending

    with valkey(tmp_path) as server:
        run(main(server))
    assert about_redis(caplog) == [("WARNING", "redis is away")]


def test_connections_that_are_cut_are_made_anew_without_a_word(
    server: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with RedisJournals(server.url) as journals, RedisJournals(server.url) as killing:
            journal = journals.topic("news")
            readers = [asyncio.create_task(rest(journal.follow(slow="disconnect"))) for _ in range(20)]
            for number in range(300):
                if number % 30 == 0:
                    await cut(killing)
                await filled(journal, f"{number}")
            await journal.end()
            assert await asyncio.gather(*readers) == [[str(number) for number in range(300)]] * 20

    run(main())
    assert about_redis(caplog) == []


def test_a_retry_after_a_lost_reply_does_not_double(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with RedisJournals(server.url) as journals:
            journal = journals.topic("news")
            ask = RedisJournals.ask
            lost: list[object] = []

            async def ask_in_vain(hub: RedisJournals, journal: RedisJournal, *arguments: Any) -> list[Any]:
                reply = await ask(hub, journal, *arguments)
                if arguments[0] == "append" and len(lost) % 3 < 2:
                    lost.append(reply)
                    raise Gone("the reply is lost")
                lost.append(reply)
                return reply

            monkeypatch.setattr(RedisJournals, "ask", ask_in_vain)
            ids = await filled(journal, "a", "b")
            monkeypatch.undo()
            ids += await filled(journal, "c")
            await journal.end()
            assert await rest(journal.follow()) == ["a", "b", "c"]
            assert [id.split("-")[2] for id in ids] == ["1", "2", "3"]
            assert len(lost) == 6

    run(main())


def test_who_saw_more_than_is_left_is_told(server: Valkey) -> None:
    """As after a crash with ``appendfsync everysec``, or with a replica that was behind."""

    async def main() -> None:
        async with RedisJournals(server.url) as journals:
            journal, client = journals.topic("news"), journals.client
            await filled(journal, "a", "b", "c")
            reader = journal.follow()
            assert await taken(reader, 3) == ["a", "b", "c"]
            waiting = asyncio.ensure_future(anext(reader))
            quiet = journals.topic("quiet")
            await filled(quiet, "x")
            other = quiet.follow()
            assert await taken(other, 1) == ["x"]
            also = asyncio.create_task(taken(other, 1))
            await client.xdel(journal.key, f"{journal.place[0]}-3")
            await cut(journals)
            gap = await waiting
            assert isinstance(gap, Gap)
            assert (gap.reason, gap.after) == ("restarted", journal.id_of(3))
            assert await taken(reader, 2) == ["a", "b"]
            following = asyncio.create_task(taken(reader, 2))
            (id,) = await filled(journal, "d")  # it knows of c: a new life begins
            assert await following == [("restarted", None), "d"]
            assert id.endswith("-1")
            await filled(quiet, "y")
            assert await also == ["y"]
            await reader.aclose()
            await other.aclose()

    run(main())


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
