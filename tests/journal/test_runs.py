"""Work that goes on when its client leaves."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextvars import Context
from typing import Any, TypeVar

import pytest
from clock import now, run

from rawasgi import respond
from rawasgi.dev.client import connect
from rawasgi.formats import sse
from rawasgi.handling import handler
from rawasgi.journal import Entry, Gap, NoSuchRun, Runs
from rawasgi.journal.base import tag
from rawasgi.request import Request
from rawasgi.response import Response

T = TypeVar("T")


class Work:
    """*count* numbers, a second before each; then an error if there is one."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count, self.error = count, error
        self.closed_at: float | None = None

    async def __aiter__(self) -> AsyncIterator[object]:
        try:
            for number in range(self.count):
                await asyncio.sleep(1)
                yield {"step": number}
            if self.error is not None:
                raise self.error
        finally:
            await asyncio.sleep(0.5)
            self.closed_at = now()


def said(item: Entry | Gap) -> object:
    assert isinstance(item, Entry)
    data = json.loads(str(item.event.data))
    return data["step"] if "step" in data else data["error"]["code"]


async def read(stream: AsyncIterator[Entry | Gap], count: int | None = None) -> list[object]:
    found: list[object] = []
    async for item in stream:
        found.append(said(item))
        if len(found) == count:
            break
    return found


def test_it_goes_on_when_its_reader_leaves_and_can_be_followed_again() -> None:
    async def script() -> None:
        work = Work(5)
        async with Runs() as runs:
            name = await runs.start(work.__aiter__())
            first = runs.follow(name)
            entry = await anext(first)
            assert isinstance(entry, Entry)
            await first.aclose()
            await asyncio.sleep(2)
            again, other = runs.follow(name, entry.event.id), runs.follow(name)
            assert await read(again) == [1, 2, 3, 4]
            assert await read(other) == [0, 1, 2, 3, 4]
            assert work.closed_at == 5.5
            assert await read(runs.follow(name)) == [0, 1, 2, 3, 4], "also when it is over"

    run(script())


def test_an_event_source_that_was_cut_off_loses_nothing() -> None:
    async def script() -> list[str | None]:
        async with Runs() as runs:
            name = await runs.start(Work(6).__aiter__())

            async def endpoint(request: Request) -> Response:
                return respond.sse(runs.follow(name, request.last_event_id))

            app, seen, last = handler(endpoint), list[str | None](), ""
            for stay in (2.5, 1.0, 0.1, 100.0):
                decoder = sse.Decoder()
                async with connect(app, headers={"last-event-id": last} if last else {}) as client:
                    await asyncio.sleep(stay)
                    for event in decoder.feed(client.body):
                        seen.append(event.data)
                        last = event.id or last
            return seen

    assert run(script()) == [f'{{"step": {number}}}' for number in range(6)]


def test_it_is_cancelled_by_its_name() -> None:
    async def script() -> None:
        work = Work(100)
        async with Runs() as runs:
            name = await runs.start(work.__aiter__(), "alice")
            reading = asyncio.create_task(read(runs.follow(name, owner="alice")))
            await asyncio.sleep(2.5)
            await runs.cancel(name, "alice")
            assert work.closed_at == 3.0
            assert await reading == [0, 1, "cancelled"]

    run(script())


def test_what_a_client_comes_back_with_says_which_run_it_followed() -> None:
    async def script() -> None:
        async with Runs() as runs:
            first, second = [await runs.start(Work(1).__aiter__(), "alice") for _ in range(2)]
            entry = await anext(aiter(followed := runs.follow(second, owner="alice")))
            await followed.aclose()
            assert isinstance(entry, Entry)
            assert runs.named(entry.event.id, "alice") == second != first
            assert runs.named(entry.event.id, "bob") is None
            assert runs.named(None) is None

    run(script())


def test_it_is_nobody_elses() -> None:
    async def script() -> None:
        async with Runs() as runs:
            name = await runs.start(Work(1).__aiter__(), "alice")
            for owner in ("", "bob"):
                with pytest.raises(NoSuchRun):
                    runs.follow(name, owner=owner)
                with pytest.raises(NoSuchRun):
                    await runs.cancel(name, owner)

    run(script())


def test_it_ends_when_nobody_comes_back() -> None:
    async def script() -> None:
        work = Work(1000)
        async with Runs(abandoned=10) as runs:
            name = await runs.start(work.__aiter__())
            await asyncio.sleep(8)
            reader = runs.follow(name)
            await anext(reader)
            await asyncio.sleep(30)
            assert work.closed_at is None, "somebody is there"
            await reader.aclose()
            await asyncio.sleep(12)
            assert work.closed_at == 48.5
            assert (await read(runs.follow(name)))[-1] == "abandoned"

    run(script())


def test_what_is_over_is_forgotten_after_a_while() -> None:
    async def script() -> None:
        async with Runs(kept=10) as runs:
            name = await runs.start(Work(1).__aiter__())
            assert await read(runs.follow(name)) == [0]
            await asyncio.sleep(9)
            assert await read(runs.follow(name)) == [0]
            await asyncio.sleep(11)
            with pytest.raises(NoSuchRun, match="more than 10 s"):
                runs.follow(name)
            assert len(runs) == 0

    run(script())


def test_its_failure_is_told_and_logged_under_its_name(caplog: pytest.LogCaptureFixture) -> None:
    async def script() -> tuple[str, list[object]]:
        async with Runs() as runs:
            name = await runs.start(Work(1, LookupError("a secret")).__aiter__())
            return name, await read(runs.follow(name))

    with caplog.at_level(logging.ERROR, "rawasgi"):
        name, items = run(script())
    assert items == [0, "internal"]
    (record,) = caplog.records
    assert name in record.getMessage()


def test_there_are_no_more_than_so_many() -> None:
    async def script() -> None:
        async with Runs(most=1) as runs:
            await runs.start(Work(1).__aiter__())
            source = Work(1).__aiter__()
            with pytest.raises(OverflowError, match="ask again later"):
                await runs.start(source)

    run(script())


def test_one_that_is_over_makes_room_for_a_new_one_unless_it_is_followed() -> None:
    async def script() -> None:
        async with Runs(most=2) as runs:
            first, followed = [await runs.start(Work(1).__aiter__()) for _ in range(2)]
            reader = runs.follow(followed)
            await anext(reader)
            await asyncio.sleep(1)
            third = await runs.start(Work(1).__aiter__())
            with pytest.raises(NoSuchRun):
                runs.follow(first)
            with pytest.raises(OverflowError):
                await runs.start(Work(1).__aiter__())
            assert [await read(reader), await read(runs.follow(third))] == [[], [0]]
            assert len(runs) == 2

    run(script())


def test_leaving_cancels_all_and_waits_for_their_clean_up() -> None:
    works = [Work(100), Work(100), Work(1)]

    async def script() -> None:
        async with Runs() as runs:
            for work in works:
                await runs.start(work.__aiter__())
            await asyncio.sleep(3)

    run(script())
    assert [work.closed_at for work in works] == [3.5, 3.5, 1.5]


def run_at_once(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[object, object, T], context: Context | None = None
) -> asyncio.Task[T]:
    """What ``asyncio.eager_task_factory`` of Python 3.12 does: take a task's first step before it is returned."""
    task = asyncio.Task(coroutine, loop=loop, context=context)
    first_step = loop._ready.pop()  # type: ignore[attr-defined]
    creator = asyncio.current_task(loop)
    assert creator is not None
    asyncio.tasks._leave_task(loop, creator)
    try:
        first_step._run()
    finally:
        asyncio.tasks._enter_task(loop, creator)
    return task


def test_a_run_may_be_over_before_its_task_is_known() -> None:
    """With eager tasks a source that never waits has ended when ``create_task`` returns."""

    async def none() -> AsyncIterator[object]:
        yield {"step": 0}

    async def nested(runs: Runs) -> AsyncIterator[object]:
        yield {"step": 1}
        with pytest.raises(OverflowError):
            await runs.start(none())

    async def script() -> None:
        loop = asyncio.get_running_loop()
        factory: Any = getattr(asyncio, "eager_task_factory", run_at_once)
        loop.set_task_factory(factory)
        async with Runs(kept=10, most=2) as runs:
            first = await runs.start(none())
            assert await read(runs.follow(first)) == [0]
            running = await runs.start(Work(2).__aiter__())
            third = await runs.start(nested(runs))
            with pytest.raises(NoSuchRun):
                runs.follow(first)
            assert await read(runs.follow(third)) == [1]
            await runs.cancel(running)
            await asyncio.sleep(11)
            assert len(runs) == 0
        loop.set_task_factory(None)  # the runner creates tasks outside of tasks

    run(script())


def test_no_two_runs_have_events_of_the_same_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script() -> None:
        names, real = iter(["a", "a", "b"]), secrets.token_hex
        async with Runs() as runs:
            monkeypatch.setattr("secrets.token_hex", lambda size: next(names) if size == 8 else real(size))
            assert [await runs.start(Work(1).__aiter__()) for _ in range(2)] == ["a", "b"]
            assert [runs.named(f"{tag(name, '')}-0-0") for name in "ab"] == ["a", "b"]

    run(script())


def test_what_is_forgotten_is_named_no_more() -> None:
    async def script() -> None:
        async with Runs(kept=10) as runs:
            name = await runs.start(Work(1).__aiter__())
            event_id = f"{tag(name, '')}-0-1"
            assert runs.named(event_id) == name
            await asyncio.sleep(12)
            assert runs.named(event_id) is None
            assert not runs._names

    run(script())
