"""A journal in Redis: it goes away, and comes back with all, with less or with nothing."""

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest
from following import filled, rest, said, taken
from valkeys import DURABLE, PATIENCE, Valkey, run, valkey

from rawasgi.journal import Gap

if os.environ.get("REQUIRE_PARTS") != "1":
    pytest.importorskip("redis", reason="redis is not installed")

from redis.exceptions import ConnectionError as Gone

from rawasgi.journal.mirror import Closed
from rawasgi.journal.redis import RedisJournal, RedisJournals


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
