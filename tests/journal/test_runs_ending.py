"""The end of a run whose journal is unavailable for a while: its followers get it all the same."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import valkeys
from clock import now, run
from following import rest, taken

from rawasgi.formats.sse import Event
from rawasgi.journal import Ended, MemoryJournal, Runs

if os.environ.get("REQUIRE_PARTS") != "1":
    pytest.importorskip("redis", reason="redis is not installed")

from rawasgi.journal.redis import RedisJournals

ERROR = '{"error": {"code": "internal", "message": "the stream failed", "id": "%s"}}'


class Unavailable(MemoryJournal):
    """A journal that refuses what comes from *since* on, until *until*."""

    since, until = 2.0, 7.0
    error: Exception = ConnectionError("away")

    def _check(self) -> None:
        if self.since <= now() < self.until:
            raise self.error

    async def append(self, event: Event, key: str | None = None) -> str:
        self._check()
        return await super().append(event, key)

    async def end(self) -> None:
        self._check()
        await super().end()


async def steps(count: int, error: Exception | None = None) -> AsyncIterator[str]:
    for number in range(count):
        yield f"{number}"
        await asyncio.sleep(1.5)
    if error is not None:
        raise error


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage().partition("run ")[2].partition(" ")[2]) for record in caplog.records]


AGAIN = ("WARNING", "cannot be written, and is tried again: ConnectionError('away')")
LOST = ("ERROR", "is not in its journal, so its followers wait")


def test_the_end_is_written_when_the_journal_is_available_again(caplog: pytest.LogCaptureFixture) -> None:
    async def script() -> None:
        async with Runs(Unavailable) as runs:
            name = await runs.start(steps(2))
            assert await rest(runs.follow(name)) == ["0", "1"]
            assert 7 <= now() < 9

    run(script())
    assert logged(caplog) == [AGAIN]


def test_so_is_the_error_of_a_run(caplog: pytest.LogCaptureFixture) -> None:
    async def script() -> None:
        async with Runs(Unavailable) as runs:
            name = await runs.start(steps(2, LookupError("its own")))
            assert await rest(runs.follow(name)) == ["0", "1", ERROR % name]

    run(script())
    assert logged(caplog)[1:] == [AGAIN]


def test_an_item_that_cannot_be_kept_is_an_error_of_the_run(caplog: pytest.LogCaptureFixture) -> None:
    async def script() -> None:
        async with Runs(Unavailable) as runs:
            name = await runs.start(steps(9))
            assert await rest(runs.follow(name)) == ["0", "1", ERROR % name]

    run(script())
    assert logged(caplog)[1:] == [AGAIN]


@pytest.mark.parametrize("how", ["cancel", "abandon"])
def test_a_run_that_is_ending_is_neither_cancelled_nor_abandoned(how: str) -> None:
    async def script() -> None:
        async with Runs(Unavailable, abandoned=4) as runs:
            name = await runs.start(steps(2))
            await asyncio.sleep(4)
            if how == "cancel":
                await runs.cancel(name)
                assert now() >= 7
            else:
                await asyncio.sleep(10)
            assert await rest(runs.follow(name)) == ["0", "1"]

    run(script())


def test_leaving_waits_for_no_journal(caplog: pytest.LogCaptureFixture) -> None:
    class Away(Unavailable):
        until = 1e9

    async def script() -> None:
        async with asyncio.timeout(100), Runs(Away) as runs:
            await runs.start(steps(2))  # tried again when the block is left
            await runs.start(steps(9))  # cancelled then
            await asyncio.sleep(2.5)
            await runs.start(steps(0))
            before = now()
        assert now() == before

    run(script())
    assert logged(caplog).count(LOST) == 3


@pytest.mark.parametrize("error", [Ended("by another"), RuntimeError("closed")])
def test_what_no_time_heals_is_not_tried_again(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    class Over(Unavailable):
        until = 1e9

    Over.error = error

    async def script() -> None:
        async with Runs(Over) as runs:
            name = await runs.start(steps(2))
            await asyncio.sleep(4)
            reader = runs.follow(name)
            assert await taken(reader, 2) == ["0", "1"]
            await reader.aclose()

    run(script())
    assert logged(caplog) == [LOST]


def test_followers_of_a_run_in_redis_get_its_end_when_redis_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "rawasgi")

    async def main() -> None:
        with valkeys.valkey(tmp_path, *valkeys.DURABLE) as server:
            async with RedisJournals(server.url, patience=0.1) as journals, Runs(journals.topic) as runs:
                killed = asyncio.Event()

                async def source() -> AsyncIterator[str]:
                    yield "before"
                    await killed.wait()
                    raise LookupError("its own")

                name = await runs.start(source())
                reader = runs.follow(name)
                assert await taken(reader, 1) == ["before"]
                following = asyncio.create_task(rest(reader))
                await asyncio.to_thread(server.kill)
                killed.set()
                while "is tried again" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                await asyncio.to_thread(server.start)
                assert set(map(str, await following)) == {ERROR % name}
                assert await rest(runs.follow(name, (await last(journals, name)))) == []

    valkeys.run(main())


async def last(journals: RedisJournals, name: str) -> str:
    journal = journals.topic(name)
    return journal.id_of((await journal.look()).last)
