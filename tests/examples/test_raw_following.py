"""The raw app, rows 19, 37 and 42: runs that outlive their readers, and one reader for all who watch."""

import asyncio
import itertools
import json
from collections.abc import Callable

import clock
import pytest

from examples.raw import app, resuming
from examples.sources import monitor
from examples.sources.monitor import Metrics
from rawasgi.dev.client import connect, fetch, lifespan
from rawasgi.formats import sse
from rawasgi.journal import Runs


@pytest.fixture(autouse=True)
def _as_in_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAM_TIME_SCALE", raising=False)


def test_events_go_on_without_a_reader_who_comes_back_and_misses_none() -> None:
    async def main() -> None:
        async with lifespan(app):
            seen = sse.Decoder()
            async with connect(app, "GET", "/events") as client:
                first = seen.feed(await client.chunk() + await client.chunk())
            await asyncio.sleep(20)
            came_back = clock.now()
            answer = await fetch(app, "/events", headers={"last-event-id": seen.last_event_id})
            assert clock.now() == came_back
        *rest, done = sse.Decoder().feed(answer.body)
        assert [json.loads(event.data or "")["id"] for event in first + rest] == list(range(1, 11))
        assert [str(event.id).rpartition("-")[2] for event in first + rest] == [*map(str, range(1, 11))]
        assert (done.event, done.data) == ("done", "流结束")

    clock.run(main())


def test_an_id_of_another_process_or_row_is_told_by_a_gap_and_nothing_of_the_new_run_is_missing() -> None:
    async def main() -> None:
        async with lifespan(app):
            task = sse.Decoder()
            task.feed((await fetch(app, "/tasks/1")).body)
            for unknown in ("0000aaaa-0000bbbb-7", "7", task.last_event_id):
                answer = await fetch(app, "/events", headers={"last-event-id": unknown})
                gap, *events, _ = sse.Decoder().feed(answer.body)
                assert (gap.event, gap.data, gap.id) == ("gap", '{"reason": "restarted"}', None)
                assert [json.loads(event.data or "")["id"] for event in events] == list(range(1, 11))

    clock.run(main())


def test_a_task_goes_on_without_its_reader_and_is_followed_again() -> None:
    async def main() -> None:
        async with lifespan(app):
            decoder = sse.Decoder()
            async with connect(app, "GET", "/tasks/10") as client:
                while decoder.last_event_id[-2:] != "-2":
                    decoder.feed(await client.chunk())
            await asyncio.sleep(60)
            came_back = clock.now()
            answer = await fetch(app, "/tasks/10", headers={"last-event-id": decoder.last_event_id})
            assert clock.now() == came_back
            steps = [json.loads(event.data or "") for event in sse.Decoder().feed(answer.body)[1:-1]]
            assert [step["step"] for step in steps] == list(range(3, 11))

    clock.run(main())


def test_an_id_of_a_task_that_nobody_knows_is_told_by_a_gap() -> None:
    async def main() -> None:
        async with lifespan(app):
            answer = await fetch(app, "/tasks/2", headers={"last-event-id": "0000aaaa-0000bbbb-7"})
        first, gap, *steps = sse.Decoder().feed(answer.body)
        assert (first.event, gap.event, gap.data) == ("task", "gap", '{"reason": "restarted"}')
        assert [event.event for event in steps] == [None, None, "done"]

    clock.run(main())


def test_the_tasks_stop_with_the_app() -> None:
    async def main() -> None:
        async with lifespan(app):
            async with connect(app, "GET", "/tasks/1000") as client:
                assert await client.started() == 200
        assert clock.now() < 1

    clock.run(main())


def test_one_task_too_many_is_told_to_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "runs", Runs(most=0))
    answer = clock.run(fetch(app, "/tasks/5"))
    assert (answer.status, answer.header("retry-after")) == (503, "1")


def test_many_watch_and_one_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[float] = []

    def metrics() -> Metrics:
        read.append(clock.now())
        return {"load": len(read)}

    watch(monkeypatch, metrics)

    async def main() -> None:
        answers = await asyncio.gather(*(fetch(app, "/monitor?count=3") for _ in range(20)))
        seen = [[json.loads(event.data or "") for event in sse.Decoder().feed(answer.body)] for answer in answers]
        assert seen == [[{"load": load, "watchers": 20} for load in (1, 2, 3)]] * 20
        assert read == [0, 1, 2]
        await asyncio.sleep(10)
        assert read == [0, 1, 2]
        later = await fetch(app, "/monitor?count=1")
        assert b'{"load": 4, "watchers": 1}' in later.body, "nobody who comes later is shown what was"

    clock.run(main())


def test_who_comes_between_two_readings_is_shown_the_last_one_and_who_is_slow_the_newest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings = itertools.count(1)
    watch(monkeypatch, lambda: {"load": next(readings)})

    async def main() -> None:
        async with connect(app, "GET", "/monitor") as slow:
            assert b'"load": 1,' in await slow.chunk()
            await asyncio.sleep(0.5)
            assert b'"load": 1,' in (await fetch(app, "/monitor?count=1")).body
            slow.stall()
            await asyncio.sleep(20)
            slow.resume()
            assert b'"load": 2,' in await slow.chunk(), "it was on its way"
            assert b'"load": 21,' in await slow.chunk()
            assert b"gap" not in slow.body

    clock.run(main())


def test_a_reading_that_fails_is_the_last_event_of_all_who_watch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Metrics:
        raise OSError("a secret")

    watch(monkeypatch, fail)

    async def main() -> None:
        for answer in await asyncio.gather(*(fetch(app, "/monitor") for _ in range(3))):
            (event,) = sse.Decoder().feed(answer.body)
            assert event.event == "error"
            assert json.loads(event.data or "")["code"] == "SYSTEM_ERROR"

    clock.run(main())
    assert caplog.text.count("OSError: a secret") == 1


def watch(monkeypatch: pytest.MonkeyPatch, read: Callable[[], Metrics]) -> None:
    changes = monitor.changes
    monkeypatch.setattr(monitor, "changes", lambda: changes(read))
