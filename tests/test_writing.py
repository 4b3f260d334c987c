"""The phases of a response: each (phase, event) pair of the table, walked in a real response on a virtual clock."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import clock
import pytest
from known_server import KnownServer
from test_driving import SCOPE

from rawasgi import sending, streams
from rawasgi.asgi import Received, Sent
from rawasgi.inbox import Inbox
from rawasgi.outcomes import Outcome
from rawasgi.response import Response
from rawasgi.sending import Streaming
from rawasgi.writing import (
    ABORTING,
    CLOSING,
    FLUSHING,
    IDLE,
    PACED,
    REACTIONS,
    RUNNING,
    WRITING,
    Event,
    Phase,
    Reaction,
)

pytestmark = pytest.mark.usefixtures("no_time_passes_by_itself")

SUSPENDED = (PACED, IDLE, FLUSHING, WRITING, CLOSING, ABORTING)


def test_the_table_has_each_pair_of_a_suspended_phase_and_an_event() -> None:
    assert set(REACTIONS) == set(itertools.product(SUSPENDED, Event))
    assert set(SUSPENDED) == set(Phase) - {RUNNING}


class Play:
    """One response, brought to a phase, to which an event then happens."""

    def __init__(self, phase: Phase, known: bool) -> None:
        self.phase = phase
        self.known = known
        self.log: list[str] = []
        self.disconnect = asyncio.Event()
        self.blocked: asyncio.Event | None = None
        self.inbox: Inbox | None = None

    async def receive(self) -> Received:
        await self.disconnect.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Sent) -> None:
        if message["type"] == "http.response.body" and self.blocked is not None:
            try:
                await self.blocked.wait()
            except asyncio.CancelledError:
                self.log.append("send cancelled")
                raise

    async def source(self) -> AsyncIterator[str]:
        try:
            if self.phase is PACED:
                yield "a"
                await asyncio.sleep(0.1)
                yield "b"
                await self._wait()
            elif self.phase is IDLE:
                await self._wait()
            elif self.phase is FLUSHING:
                self.blocked = asyncio.Event()
                yield "a"
                yield "b"
                await self._wait()
            elif self.phase is WRITING:
                self.blocked = asyncio.Event()
                yield "a" * 100_000
                self.log.append("resumed")
            elif self.phase is ABORTING:
                await asyncio.sleep(100)
        finally:
            if self.phase in (CLOSING, ABORTING):
                try:
                    await asyncio.sleep(2 if self.slow else 1)
                    self.log.append("cleaned up")
                except asyncio.CancelledError:
                    self.log.append("clean-up cancelled")
                    raise
            self.log.append("closed")

    async def _wait(self) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            self.log.append("source cancelled")
            raise

    slow = False

    async def run(self, event: Event) -> str:
        """Let *event* happen after half a second in the phase; return how the response ended, at what time."""
        self.slow = event is Event.LATE
        server = KnownServer(self.receive, self.send)
        inbox = self.inbox = Inbox(server.receive if self.known else self.receive)
        body = Streaming(self.source(), send=30.0, cleanup=1.5)
        if self.phase is CLOSING:
            body.source = _Slow(self)
        answer = Response(body)(SCOPE, inbox, server.send if self.known else self.send)
        task = asyncio.ensure_future(_awaited(answer))
        if self.phase is ABORTING:
            await asyncio.sleep(0.1)
            self.disconnect.set()
        await asyncio.sleep(0.5)
        if event is Event.CANCELLED:
            task.cancel()
        elif event is Event.DISCONNECTED:
            self.disconnect.set()
        if self.phase is WRITING and self.blocked is not None and event is Event.CANCELLED:
            await asyncio.sleep(0.5)
            self.blocked.set()
        elif event is Event.LATE and self.phase in (PACED, IDLE):
            await asyncio.sleep(60)
            self.log.append("still waiting")
            self.disconnect.set()
        await asyncio.wait([task])
        error = None if task.cancelled() else task.exception()
        return "cancelled" if task.cancelled() else "returned" if error is None else type(error).__name__


class _Slow:
    """A source that is at its end at once, and slow to close."""

    def __init__(self, play: Play) -> None:
        self._play = play

    def __aiter__(self) -> "_Slow":
        return self

    async def __anext__(self) -> str:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        items = self._play.source()
        async for _ in items:
            raise AssertionError


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _awaited(answer: Awaitable[None]) -> None:
    await answer


# What shows each reaction: the end, the log, and the outcome.
WANTED: dict[tuple[Phase, Event], tuple[str, list[str], Outcome]] = {
    (PACED, Event.CANCELLED): ("cancelled", ["source cancelled", "closed"], Outcome.CUT),
    (PACED, Event.DISCONNECTED): ("returned", ["source cancelled", "closed"], Outcome.DISCONNECTED),
    (PACED, Event.LATE): ("returned", ["still waiting", "source cancelled", "closed"], Outcome.DISCONNECTED),
    (IDLE, Event.CANCELLED): ("cancelled", ["source cancelled", "closed"], Outcome.CUT),
    (IDLE, Event.DISCONNECTED): ("returned", ["source cancelled", "closed"], Outcome.DISCONNECTED),
    (IDLE, Event.LATE): ("returned", ["still waiting", "source cancelled", "closed"], Outcome.DISCONNECTED),
    (FLUSHING, Event.CANCELLED): ("cancelled", ["source cancelled", "closed", "send cancelled"], Outcome.CUT),
    (FLUSHING, Event.DISCONNECTED): (
        "returned",
        ["send cancelled", "source cancelled", "closed"],
        Outcome.DISCONNECTED,
    ),
    (FLUSHING, Event.LATE): ("returned", ["send cancelled", "source cancelled", "closed"], Outcome.SLOW),
    (WRITING, Event.CANCELLED): ("cancelled", ["resumed", "closed"], Outcome.COMPLETE),
    (WRITING, Event.DISCONNECTED): ("returned", ["send cancelled", "closed"], Outcome.DISCONNECTED),
    (WRITING, Event.LATE): ("returned", ["send cancelled", "closed"], Outcome.SLOW),
    (CLOSING, Event.CANCELLED): ("cancelled", ["cleaned up", "closed"], Outcome.COMPLETE),
    (CLOSING, Event.DISCONNECTED): ("returned", ["cleaned up", "closed"], Outcome.COMPLETE),
    (CLOSING, Event.LATE): ("TimeoutError", ["clean-up cancelled"], Outcome.COMPLETE),
    (ABORTING, Event.CANCELLED): ("cancelled", ["cleaned up", "closed"], Outcome.DISCONNECTED),
    (ABORTING, Event.DISCONNECTED): ("returned", ["cleaned up", "closed"], Outcome.DISCONNECTED),
    (ABORTING, Event.LATE): ("TimeoutError", ["clean-up cancelled"], Outcome.DISCONNECTED),
}


@pytest.mark.parametrize("known", [True, False], ids=["server", "foreign"])
@pytest.mark.parametrize(("phase", "event"), WANTED, ids=lambda each: each.name.lower())
def test_each_pair_reacts_as_the_table_says(phase: Phase, event: Event, known: bool) -> None:
    async def script() -> tuple[str, list[str], object]:
        play = Play(phase, known)
        end = await play.run(event)
        assert play.inbox is not None
        return end, play.log, play.inbox.outcome

    got = clock.run(script())
    if (phase, event) == (WRITING, Event.CANCELLED) and not known:
        # A foreign send() that the response's own task awaits is the innermost wait, as in any app.
        assert got == ("cancelled", ["send cancelled", "closed"], Outcome.CUT)
    elif phase is FLUSHING:  # a foreign send() is cancelled in its own task: the two clean up side by side
        end, log, outcome = WANTED[phase, event]
        assert (got[0], sorted(got[1]), got[2]) == (end, sorted(log), outcome)
    else:
        assert got == WANTED[phase, event]


def test_the_table_s_walk_is_whole() -> None:
    assert set(WANTED) == set(REACTIONS)
    assert Reaction.FORWARD in REACTIONS.values()


# A client that reads steadily


async def never() -> Received:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


@pytest.mark.parametrize("known", [True, False], ids=["server", "foreign"])
@pytest.mark.parametrize("pause", [0.0, 0.01, None], ids=["gives way", "paced", "ready"])
def test_a_client_that_reads_steadily_is_never_cut(known: bool, pause: float | None) -> None:
    """Each send takes a second, all of them 100 s, and the limit is 30 s for each."""

    async def source() -> AsyncIterator[bytes]:
        for _ in range(100):
            if pause is not None:
                await asyncio.sleep(pause)
            yield bytes(100_000)

    total = 0

    async def send(message: Sent) -> None:
        nonlocal total
        if message["type"] == "http.response.body":
            total += len(message["body"])
            await asyncio.sleep(1)

    async def script() -> Any:
        server = KnownServer(never, send)
        inbox = Inbox(server.receive if known else never)
        await Response(Streaming(source()))(SCOPE, inbox, server.send if known else send)
        return inbox.outcome

    assert clock.run(script()) is Outcome.COMPLETE
    assert total == 100 * 100_000


@pytest.mark.parametrize("known", [True, False], ids=["server", "foreign"])
def test_ready_items_are_joined_also_while_send_takes_its_time(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "monotonic", clock.now)
    sizes: list[int] = []

    async def source() -> AsyncIterator[bytes]:
        for _ in range(3000):
            yield bytes(50)

    async def send(message: Sent) -> None:
        if message["type"] == "http.response.body":
            sizes.append(len(message["body"]))
            await asyncio.sleep(0.002)

    async def script() -> None:
        server = KnownServer(never, send)
        await Response(Streaming(source()))(SCOPE, server.receive if known else never, server.send if known else send)

    clock.run(script())
    assert sum(sizes) == 150_000
    assert len(sizes) == 3, "one a message would be 3,000"


# What a middleware does in send() and receive() is not done to the source


def test_a_timeout_in_a_send_that_is_called_while_the_source_waits_is_its_own() -> None:
    log: list[str] = []

    async def source() -> AsyncIterator[str]:
        try:
            await asyncio.sleep(5)
            yield "a"
        except asyncio.CancelledError:
            log.append("source cancelled")
            raise

    async def send(message: Sent) -> None:
        if message["type"] == "http.response.start":
            try:
                async with asyncio.timeout(1):
                    await asyncio.sleep(3)
            except TimeoutError:
                log.append("send timed out")

    async def script() -> None:
        await Response(Streaming(source()))(SCOPE, never, send)

    clock.run(script())
    assert log == ["send timed out"]


def test_a_send_that_fails_while_the_source_waits_ends_the_stream_at_once() -> None:
    async def source() -> AsyncIterator[str]:
        await asyncio.sleep(100)
        yield "a"

    async def send(message: Sent) -> None:
        await asyncio.sleep(1)
        raise LookupError("from a middleware")

    async def script() -> float:
        with pytest.raises(LookupError, match="from a middleware"):
            await Response(Streaming(source()))(SCOPE, never, send)
        return clock.now()

    assert clock.run(script()) == 1


@pytest.mark.parametrize("known", [True, False], ids=["server", "foreign"])
def test_a_cancelled_error_out_of_receive_is_a_disconnect(known: bool) -> None:
    async def source() -> AsyncIterator[str]:
        await asyncio.sleep(100)
        yield "a"

    async def receive() -> Received:
        await asyncio.sleep(1)
        raise asyncio.CancelledError

    async def send(message: Sent) -> None:
        pass

    async def script() -> float:
        server = KnownServer(receive, send)
        await Response(Streaming(source()))(SCOPE, server.receive if known else receive, send)
        return clock.now()

    assert clock.run(script()) == 1


@pytest.mark.parametrize("burst", [1, 2], ids=["paced", "idle"])
@pytest.mark.parametrize("delay", [None, 0.0, 1.0], ids=["first wait", "at once", "later"])
@pytest.mark.parametrize("result_first", [False, True], ids=["cancellation first", "result first"])
def test_a_cancellation_goes_to_the_source_before_a_result_of_the_same_turn(
    result_first: bool, delay: float | None, burst: int
) -> None:
    """A source's own timeout that ends in the turn in which what it waits for is done."""
    log: list[str] = []

    async def source() -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        for _ in range(burst):
            yield "a"
        if delay is not None:
            await asyncio.sleep(delay)
        future: asyncio.Future[None] = loop.create_future()
        task = asyncio.current_task()
        assert task is not None
        if result_first:
            loop.call_soon(future.set_result, None)
        loop.call_soon(task.cancel)
        if not result_first:
            loop.call_soon(_resolve, future)
        try:
            await future
            log.append("not cancelled")
        except asyncio.CancelledError:
            log.append("cancelled")
            task.uncancel()
        await asyncio.sleep(1)
        yield "b"

    bodies: list[bytes] = []

    async def send(message: Sent) -> None:
        if message["type"] == "http.response.body":
            bodies.append(message["body"])

    async def script() -> None:
        server = KnownServer(never, send)
        await Response(Streaming(source()))(SCOPE, server.receive, server.send)

    clock.run(script())
    assert log == ["cancelled"]
    assert b"".join(bodies) == b"a" * burst + b"b"


def test_a_source_that_is_too_late_ends_by_its_deadline() -> None:
    async def source() -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(100)

    async def send(message: Sent) -> None:
        pass

    async def script() -> object:
        inbox = Inbox(never)
        with pytest.raises(streams.DeadlineExceeded):
            await Response(Streaming(streams.timeout(source(), 5)))(SCOPE, inbox, send)
        return inbox.outcome

    assert clock.run(script()) is Outcome.DEADLINE
