"""Work after the response, and work that lives as long as the app."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from clock import now, run

from rawasgi import respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.background import Tasks, after, tasks
from rawasgi.dev.client import connect, fetch, lifespan, websocket
from rawasgi.lifespans import lifespans
from rawasgi.websocket import WebSocket, websocket_app


async def ticks() -> AsyncIterator[str]:
    while True:
        yield "tick"
        await asyncio.sleep(1)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("the app")


def noted(app: App, done: list[str]) -> App:
    async def work() -> None:
        done.append(f"at {now()}")

    return after(app, work)


# after


def test_the_work_is_done_after_the_end_of_the_response() -> None:
    events: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond.text("hello")(scope, receive, send)
        events.append("sent")

    async def work() -> None:
        events.append("worked")

    assert run(fetch(after(app, work))).text == "hello"
    assert events == ["sent", "worked"]


def test_the_work_is_done_when_the_client_left() -> None:
    done: list[str] = []

    async def leave() -> None:
        async with connect(noted(respond.stream(ticks()), done)) as client:
            assert await client.chunk() == b"tick"
            await asyncio.sleep(2.5)
            await client.leave()
            await client.finished()

    run(leave())
    assert done == ["at 2.5"]


def test_the_work_is_done_when_the_app_failed_and_the_error_goes_on() -> None:
    done: list[str] = []
    with pytest.raises(LookupError, match="the app"):
        run(fetch(noted(broken, done)))
    assert done == ["at 0.0"]


def test_an_error_of_the_work_is_raised_and_has_the_apps_as_its_context() -> None:
    async def work() -> None:
        raise ValueError("the work")

    with pytest.raises(ValueError, match="the work"):
        run(fetch(after(respond.text("hello"), work)))
    with pytest.raises(ValueError, match="the work") as caught:
        run(fetch(after(broken, work)))
    assert isinstance(caught.value.__context__, LookupError)


def test_the_work_is_done_after_a_websocket_and_not_after_a_lifespan() -> None:
    done: list[str] = []

    @websocket_app
    async def echo(websocket: WebSocket) -> None:
        await asyncio.sleep(1)

    async def main() -> None:
        async with lifespan(noted(lifespans([]), done)):
            async with websocket(noted(echo, done)) as client:
                await client.finished()

    run(main())
    assert done == ["at 1.0"]


# Tasks


def test_a_task_outlives_who_started_it_and_is_held() -> None:
    async def main() -> list[str]:
        done = []

        async def work() -> None:
            await asyncio.sleep(3)
            done.append("done")

        async with tasks() as owned:

            async def request() -> None:
                owned.start(work())

            await request()
            assert len(owned) == 1
            await asyncio.sleep(3.5)
            assert len(owned) == 0
        return done

    assert run(main()) == ["done"]


def test_at_the_end_a_task_may_finish_for_as_long_as_the_grace() -> None:
    async def main() -> tuple[float, list[str]]:
        ended = []

        async def work(seconds: float) -> None:
            try:
                await asyncio.sleep(seconds)
                ended.append(f"finished after {seconds}")
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        async with tasks(grace=5) as owned:
            owned.start(work(4))
            owned.start(work(100))
        return now(), ended

    assert run(main()) == (5.0, ["finished after 4", "cancelled"])


def test_the_grace_is_5_seconds_by_default() -> None:
    async def main() -> float:
        async with tasks() as owned:
            owned.start(asyncio.sleep(100))
        one = now()
        owned = Tasks()
        owned.start(asyncio.sleep(100))
        await owned.stop()
        return one + (now() - one) * 10

    assert run(main()) == 5 + 50


def test_stopping_waits_for_the_cleanup_of_what_it_cancels() -> None:
    async def main() -> float:
        async def work() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(2)

        async with tasks(grace=1) as owned:
            owned.start(work())
        return now()

    assert run(main()) == 3.0


def test_stopping_ends_also_what_a_cleanup_starts() -> None:
    async def main() -> list[str]:
        ended = []

        async def more() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                ended.append("more")

        async def work() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                owned.start(more())
                await asyncio.sleep(1)

        async with tasks(grace=1) as owned:
            owned.start(work())
        return ended

    assert run(main()) == ["more"]


def test_without_tasks_there_is_nothing_to_wait_for() -> None:
    async def main() -> float:
        async with tasks():
            pass
        return now()

    assert run(main()) == 0.0


def test_tasks_are_stopped_when_the_block_fails() -> None:
    cancelled = []

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.append("cancelled")
            raise

    async def main() -> None:
        async with tasks(grace=1) as owned:
            owned.start(work())
            raise LookupError("the block")

    with pytest.raises(LookupError, match="the block"):
        run(main())
    assert cancelled == ["cancelled"]


def test_an_error_is_logged_with_its_traceback_and_hurts_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise LookupError("on its own")

    async def main() -> str:
        owned = Tasks()
        failing = owned.start(fail())
        failing.set_name("mailing")
        other = owned.start(asyncio.sleep(1, "fine"))
        await asyncio.wait([failing, other])
        return str(other.result())

    assert run(main()) == "fine"
    [record] = caplog.records
    assert (record.name, record.levelno) == ("rawasgi", logging.ERROR)
    assert record.getMessage() == "background task mailing failed"
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "LookupError('on its own')"


def test_a_cancelled_task_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        owned = Tasks()
        task = owned.start(asyncio.sleep(100))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert len(owned) == 0

    run(main())
    assert caplog.records == []
