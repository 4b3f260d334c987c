"""Each fault that check() knows is found in an app that has it, and nothing in one that has not."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, suppress
from typing import cast

import pytest

from rawasgi import respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.dev.checking import check
from rawasgi.dev.findings import FAULTS, Finding, Limits, NotAnswered, Target
from rawasgi.dev.places import place
from rawasgi.dev.probes import THOROUGH, probes
from rawasgi.websocket import WebSocket, websocket_app

LIMITS = Limits(whole=0.2, grace=0.06, blocked=0.1)
kept: list[object] = []  # what an app does not let go of


def checked(
    app: App, method: str = "GET", path: str = "/", limits: Limits = LIMITS, status: int | None = None
) -> list[Finding]:
    """What is found. The loop is our own: what is left is what these tests are about, and not the suite's business."""

    async def main() -> list[Finding]:
        target = Target(path, method, status=status)
        found = [finding async for finding in check(app, target, limits=limits)]
        tasks = asyncio.all_tasks() - {cast("asyncio.Task[object]", asyncio.current_task())}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for generator in kept:
            if isinstance(generator, AsyncGenerator):
                await generator.aclose()
        kept.clear()
        return found

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def ids(app: App, method: str = "GET") -> set[str]:
    return {finding.id for finding in checked(app, method)}


async def ticks() -> AsyncGenerator[bytes, None]:
    for number in range(4):
        yield b"%d\n" % number
        await asyncio.sleep(0.005)


Run = Callable[[Send], Awaitable[None]]


def listening(run: Run, again: bool = False, wait_twice: bool = False) -> App:
    """An app by hand: *run* sends, until the client leaves. *again*: it calls receive once more, for no reason.

    *wait_twice*: it cancels *run* until that gives up, as frameworks do that have heard of nothing else.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        sending, listener = asyncio.ensure_future(run(send)), asyncio.create_task(listen())
        try:
            await asyncio.wait([sending, listener], return_when=asyncio.FIRST_COMPLETED)
            if again and listener.done():
                await receive()
        finally:
            while not sending.done() or not listener.done():
                for task in (sending, listener):
                    task.cancel()
                if wait_twice:
                    await asyncio.sleep(0)
                else:
                    await asyncio.wait([sending, listener])
        if not sending.cancelled():
            sending.result()

    return app


async def start(send: Send, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})


async def body(send: Send, data: bytes, more_body: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more_body})


async def careful(send: Send) -> None:
    await start(send)
    async with aclosing(ticks()) as items:
        async for item in items:
            await body(send, item)
    await body(send, b"", False)


async def keeps(send: Send) -> None:
    items = ticks()
    kept.append(items)
    await start(send)
    async for item in items:
        await body(send, item)
    await body(send, b"", False)


async def keeps_in_a_thread(send: Send) -> None:
    def items() -> Generator[bytes, None, None]:
        for number in range(4):
            yield b"%d" % number

    blocking = items()
    kept.append(blocking)
    await start(send)
    while item := await asyncio.to_thread(next, blocking, b""):
        await body(send, item)
        await asyncio.sleep(0.005)
    await body(send, b"", False)


async def drops(send: Send) -> None:
    await start(send)
    async for item in ticks():
        await body(send, item)
        if item == b"2\n":
            break
    await body(send, b"", False)


async def careful_at_the_end(send: Send) -> None:
    async def items() -> AsyncGenerator[bytes, None]:
        try:
            async for item in ticks():
                yield item
                await asyncio.sleep(0.005)
        finally:
            await asyncio.sleep(0.005)
            await asyncio.sleep(0.005)

    await start(send)
    async with aclosing(items()) as found:
        async for item in found:
            await body(send, item)
    await body(send, b"", False)


async def forgets_a_task(send: Send) -> None:
    kept.append(asyncio.create_task(asyncio.sleep(60)))
    await careful(send)


async def names_a_task(send: Send) -> None:
    kept.append(asyncio.create_task(asyncio.sleep(60), name="on purpose"))
    await careful(send)


async def forgets_a_thread(send: Send) -> None:
    threading.Thread(target=time.sleep, args=(0.5,)).start()
    await careful(send)


async def blocks(send: Send) -> None:
    await start(send)
    time.sleep(0.2)  # noqa: ASYNC251  # what it is about
    await body(send, b"late", False)


async def swallows(send: Send) -> None:
    await start(send)
    with suppress(Exception):
        async with aclosing(ticks()) as items:
            async for item in items:
                await body(send, item)
    await body(send, b"", False)


async def tells(send: Send) -> None:
    await start(send)
    try:
        async with aclosing(ticks()) as items:
            async for item in items:
                await body(send, item)
    except Exception:
        await body(send, b'{"error": "no more"}')
    await body(send, b"", False)


async def floods(send: Send) -> None:
    await start(send)
    while True:
        await body(send, b"x" * 100)


async def hoards(send: Send) -> None:
    queue: asyncio.Queue[bytes] = asyncio.Queue()

    async def produce() -> None:
        while True:
            queue.put_nowait(bytes(1 << 16))
            await asyncio.sleep(0)

    producer = asyncio.create_task(produce())
    try:
        await start(send)
        while True:
            await body(send, await queue.get())
    finally:
        producer.cancel()


async def shouts(send: Send) -> None:
    await start(send, (b"X-Loud", b"1"))
    await body(send, b"", False)


async def fails(send: Send) -> None:
    raise LookupError("a secret")


async def hates_to_be_left(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await body(send, b"1")
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ConnectionError("how could you")


@pytest.mark.parametrize(
    ("fault", "app"),
    [
        ("source-left-open", listening(keeps)),
        ("source-left-open", listening(keeps_in_a_thread)),
        ("source-collected", listening(drops)),
        ("clean-up-cut", listening(careful_at_the_end, wait_twice=True)),
        ("task-left", listening(forgets_a_task)),
        ("thread-left", listening(forgets_a_thread)),
        ("loop-blocked", listening(blocks)),
        ("error-swallowed", listening(swallows)),
        ("head-runs-stream", listening(careful)),
        ("memory-grows", listening(hoards)),
        ("never-gives-way", listening(floods)),
        ("never-ends", listening(careful, again=True)),
        ("error-raised", hates_to_be_left),
        ("app-failed", listening(fails)),
        ("header-names-are-lowercase-tokens", listening(shouts)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_is_found(fault: str, app: App) -> None:
    assert fault in ids(app)


@pytest.mark.parametrize("app", [listening(careful), listening(tells), listening(names_a_task)])
def test_an_app_by_hand_that_is_careful_only_runs_its_stream_for_head(app: App) -> None:
    assert ids(app) <= {"head-runs-stream"}


def test_a_clean_up_is_cut_only_where_a_cancellation_hits_it() -> None:
    """By hand, one is hit when send has raised, and so began the clean-up, and the disconnect comes after that."""
    found = [each for each in checked(listening(careful_at_the_end)) if each.id == "clean-up-cut"]
    assert all(each.probe.endswith("send raises OSError") for each in found)


def test_what_is_sent_by_rawasgi_has_no_fault() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond.stream(ticks())(scope, receive, send)

    assert checked(app) == []


def test_a_websocket_is_left_at_each_message_too() -> None:
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        for number in range(3):
            await websocket.send(str(number))
        async for _ in websocket:
            pass

    async def forgets(websocket: WebSocket) -> None:
        kept.append(asyncio.create_task(asyncio.sleep(60)))
        await echo(websocket)

    assert ids(websocket_app(echo), "WS") == set()
    assert "task-left" in ids(websocket_app(forgets), "WS")


def test_a_finding_says_where_and_when_and_is_told_once_for_a_place() -> None:
    found = [each for each in checked(listening(keeps)) if each.id == "source-left-open"]
    places = [each.what.partition(" in ")[0] for each in found]
    assert len(set(places)) == len(places)
    assert all(each.path == "GET /" and "test_checking.py" in each.what for each in found)
    assert found[0].server in ("uvicorn", "hypercorn", "granian", "daphne")
    assert found[0].probe.startswith(("the client leaves", "the client stops reading"))


def test_of_a_group_of_errors_the_first_is_told() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ExceptionGroup("several", [ExceptionGroup("inner", [LookupError("a secret")]), ValueError()])

    assert [each.what for each in checked(app)] == ["the app raised LookupError: a secret"]


def test_a_place_outside_of_all_paths_is_told_whole() -> None:
    assert place(compile("1", "/nowhere/at/all.py", "exec")) == "/nowhere/at/all.py:1 in <module>"


def test_a_thorough_client_leaves_at_each_message_and_in_more_turns() -> None:
    names = [probe.name for probe in probes(6, thorough=True)]
    assert [f"the client leaves at message {number}" in names for number in range(1, 7)] == [True] * 5 + [False]
    assert sum("turns of the loop" in name for name in names) == THOROUGH
    few = [probe.name for probe in probes(6)]
    assert {name for name in few if " at message " in name} < {name for name in names if " at message " in name}


def test_a_generator_that_cleans_up_after_the_body_is_no_source_that_fails() -> None:
    """As a dependency of FastAPI's that yields: what it raises then is told by no body."""

    async def resource() -> AsyncGenerator[None, None]:
        yield
        await asyncio.sleep(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(resource()) as held:
            async for _ in held:
                await start(send)
                for last in (False, False, True):
                    await body(send, b"1", not last)
                    await asyncio.sleep(0.005)

    assert "error-swallowed" not in ids(app)


def test_an_answer_that_is_an_error_is_not_judged() -> None:
    app = respond.text("no", status=404)
    with pytest.raises(NotAnswered, match="GET / must be answered with a status below 400, not 404"):
        checked(app)
    assert checked(app, status=404) == []


def test_each_fault_is_tested_here() -> None:
    tested = {mark.args[1][n][0] for mark in _marks(test_a_fault_is_found) for n in range(len(mark.args[1]))}
    assert set(FAULTS) <= tested


def _marks(function: object) -> list[pytest.Mark]:
    return [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
