"""What happens while a response is suspended: the rarer pairs, each in a real response on the jumping clock."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from functools import partial
from typing import Any

import clock
import pytest
from known_server import KnownServer
from test_driving import SCOPE
from test_writing import never

from rawasgi.asgi import Received, Send, Sent
from rawasgi.inbox import Inbox
from rawasgi.outcomes import Outcome
from rawasgi.response import Response
from rawasgi.sending import Streaming
from rawasgi.servers import server_of

pytestmark = pytest.mark.usefixtures("no_time_passes_by_itself")


class Served:
    """The response of *source*, whose *send* a known server calls, or a middleware."""

    def __init__(self, source: AsyncIterator[Any], send: Send, known: bool = True) -> None:
        self.server = KnownServer(never, send)
        self.inbox = Inbox(self.server.receive if known else never)
        self._answer = Response(Streaming(source))(SCOPE, self.inbox, self.server.send if known else send)

    async def run(self) -> None:
        await self._answer


def blocking(bodies: list[bytes], seconds: float) -> Send:
    async def send(message: Sent) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(seconds)
            bodies.append(message["body"])

    return send


async def burst(then: Callable[[], Awaitable[object]]) -> AsyncIterator[bytes]:
    yield bytes(100_000)
    await then()
    yield b"last"


def test_a_cancellation_that_is_taken_back_during_a_send_reaches_nobody() -> None:
    """As a source's own timeout does it, below a wrapper that reads ahead."""
    bodies: list[bytes] = []

    async def script() -> object:
        served = Served(burst(lambda: asyncio.sleep(1)), blocking(bodies, 2))
        task = asyncio.ensure_future(served.run())
        await asyncio.sleep(1)
        task.cancel()
        task.uncancel()
        await task
        return served.inbox.outcome

    assert clock.run(script()) is Outcome.COMPLETE
    assert bodies[-1] == b"last" or bodies[-2] == b"last"


def test_the_second_cancellation_during_a_send_ends_it() -> None:
    async def script() -> tuple[float, object]:
        served = Served(burst(lambda: asyncio.sleep(1)), blocking([], 4))
        task = asyncio.ensure_future(served.run())
        for _ in range(2):
            await asyncio.sleep(1)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return clock.now(), served.inbox.outcome

    assert clock.run(script()) == (2, Outcome.CUT)


@pytest.mark.parametrize("known", [True, False], ids=["server", "foreign"])
def test_a_source_that_fails_while_what_came_before_is_sent_drops_it(known: bool) -> None:
    bodies: list[bytes] = []
    closed: list[float] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.sleep(1)
            raise LookupError("the source's")
        finally:
            await asyncio.sleep(1)

    class Rows:
        def __init__(self) -> None:
            self.items = source()

        def __aiter__(self) -> "Rows":
            return self

        async def __anext__(self) -> str:
            return await anext(self.items)

        async def aclose(self) -> None:
            await asyncio.sleep(1)
            closed.append(clock.now())

    async def script() -> object:
        served = Served(Rows(), blocking(bodies, 10), known)
        with pytest.raises(LookupError, match="the source's"):
            await served.run()
        return served.inbox.outcome

    assert clock.run(script()) is Outcome.FAILED
    assert (bodies, closed) == ([], [3])


@pytest.mark.parametrize("size", [1, 100_000], ids=["paced", "burst"])
def test_a_send_that_returns_after_the_disconnect_does_not_let_the_source_go_on(size: int) -> None:
    gone = asyncio.Event()
    log: list[str] = []

    async def source() -> AsyncIterator[bytes]:
        try:
            for _ in range(3):
                yield bytes(size)
                if size == 1:
                    await asyncio.sleep(0.1)
            log.append("went on to its end")
        finally:
            log.append("closed")

    async def receive() -> Received:
        await gone.wait()
        return {"type": "http.disconnect"}

    count = 0

    async def send(message: Sent) -> None:
        nonlocal count
        count += message["type"] == "http.response.body" and bool(message["body"])
        if count == 2:
            await asyncio.ensure_future(swallowing())

    async def swallowing() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            pass

    async def script() -> float:
        asyncio.get_running_loop().call_later(5, gone.set)
        await Response(Streaming(source()))(SCOPE, receive, send)
        return clock.now()

    assert clock.run(script()) == 5
    assert log == ["closed"]


def test_a_partial_of_a_server_s_method_belongs_to_the_server() -> None:
    server = KnownServer(never, blocking([], 0))
    assert server_of(partial(server.send)) is server_of(server.send) is not None
    assert server_of(never) is server_of(partial(never)) is None


class Foreign:
    """An awaitable of another library: it yields what no asyncio task takes."""

    def __await__(self) -> Generator[Any, None, None]:
        yield self


def test_a_paced_source_that_waits_for_no_future_of_asyncio_gets_an_error() -> None:
    async def source() -> AsyncIterator[str]:
        for _ in range(3):
            yield "a"
            await asyncio.sleep(0.1)
        await Foreign()

    async def script() -> None:
        with pytest.raises(RuntimeError, match="must wait for asyncio's futures"):
            await Served(source(), blocking([], 0)).run()

    clock.run(script())


def test_a_receive_that_fails_after_the_body_raises_to_whoever_calls() -> None:
    async def receive() -> Received:
        await asyncio.sleep(1)
        raise LookupError("from a middleware")

    async def script() -> None:
        inbox = Inbox(receive)
        inbox.complete = True
        assert (await inbox())["type"] == "http.request"
        with pytest.raises(LookupError, match="from a middleware"):
            await inbox()
        await inbox.aclose()

    clock.run(script())


def test_a_known_server_s_receive_that_yields_to_the_loop_is_advanced_in_the_next_iteration() -> None:
    async def receive() -> Received:
        for _ in range(3):
            await asyncio.sleep(0)
        return {"type": "http.request", "body": b"a", "more_body": False}

    async def script() -> None:
        inbox = Inbox(KnownServer(receive, blocking([], 0)).receive)
        assert (await inbox.read(), await inbox.read()) == (b"a", None)
        await inbox.aclose()

    clock.run(script())


@pytest.mark.parametrize("known", [True, False], ids=["server", "foreign"])
def test_receive_is_called_again_in_an_idle_stream(known: bool) -> None:
    calls: list[float] = []

    async def receive() -> Received:
        calls.append(clock.now())
        if len(calls) == 1:
            return {"type": "http.request", "body": b"", "more_body": False}
        return await never()

    async def script() -> None:
        server = KnownServer(receive, blocking([], 0))
        await Response(Streaming(burst(lambda: asyncio.sleep(39))))(
            SCOPE, server.receive if known else receive, server.send
        )

    clock.run(script())
    assert calls == [0, 0, 2, 10]


def test_a_listener_without_a_call_has_nothing_to_refresh() -> None:
    async def receive() -> Received:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def script() -> None:
        inbox = Inbox(receive)
        assert await inbox.read() is None
        inbox.refresh()
        await inbox.aclose()

    clock.run(script())


@pytest.mark.parametrize("known", [True, False], ids=["server", "foreign"])
@pytest.mark.parametrize("fails", [False, True], ids=["sent", "failed"])
def test_a_disconnect_during_the_last_send_leaves_it_to_that_whether_all_was_sent(known: bool, fails: bool) -> None:
    """hypercorn closes a connection of HTTP/1.0 in the last send(), and receive() returns a disconnect meanwhile."""
    gone = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(1)

    async def receive() -> Received:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Sent) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            gone.set()
            await asyncio.sleep(1)
            if fails:
                raise BrokenPipeError

    async def script() -> tuple[float, object]:
        server = KnownServer(receive, send)
        inbox = Inbox(server.receive if known else receive)
        await Response(Streaming(source()))(SCOPE, inbox, server.send if known else send)
        return clock.now(), inbox.outcome

    assert clock.run(script()) == (2, Outcome.DISCONNECTED if fails else Outcome.COMPLETE)


@pytest.mark.parametrize("known", [True, False], ids=["known", "foreign"])
def test_a_response_that_has_waited_leaves_no_reference_cycle(known: bool) -> None:
    async def source() -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(1)
        yield "b"

    async def script() -> int:
        for _ in range(2):  # the first time fills caches
            gc.collect()
            await Served(source(), blocking([], 1), known).run()
            await asyncio.sleep(1)
        return gc.collect()

    gc.disable()
    try:
        assert clock.run(script()) == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("known", [True, False], ids=["server", "foreign"])
def test_a_source_goes_on_while_what_came_before_is_sent(known: bool) -> None:
    """Else a loop that looks again and again whether the source is ready would never end: this one has few turns."""
    log: list[str] = []

    async def source(ready: asyncio.Event) -> AsyncIterator[str]:
        yield "a"
        await ready.wait()
        log.append("went on")
        yield "b"

    async def script() -> None:
        ready, sent = asyncio.Event(), asyncio.Event()

        async def send(message: Sent) -> None:
            if message["type"] == "http.response.body":
                log.append("sends")
                await sent.wait()

        serving = asyncio.create_task(Served(source(ready), send, known).run())
        await turns()
        assert log == ["sends"]
        ready.set()
        await turns()
        assert log == ["sends", "went on"]
        sent.set()
        await turns()
        assert serving.done()

    clock.run(script())


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
