"""The inbox while a response streams: the disconnect behind a body, and calling receive() anew."""

import asyncio
from collections.abc import AsyncIterator, Callable

import clock
import pytest

from rawasgi import respond
from rawasgi.asgi import App, Receive, Received, Scope, Send
from rawasgi.dev.client import connect
from rawasgi.dev.exchange import Personality
from rawasgi.errors import AppError
from rawasgi.inbox import Inbox

KIB = 1024
HYPERCORN = Personality(repeats_disconnect=False)


def stream_of(source: Callable[[Inbox], AsyncIterator[str]]) -> App:
    """An app that streams what *source* makes of its inbox."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        inbox = Inbox.of(receive)
        await respond.stream(source(inbox))(scope, inbox, send)

    return app


def counted(app: App, calls: list[float], turns: int = 0) -> App:
    """*app*, and when it called receive(); which lets everything else run *turns* times, first."""

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        async def called() -> Received:
            calls.append(clock.now())
            for _ in range(turns):
                await asyncio.sleep(0)
            return await receive()

        await app(scope, called, send)

    return counting


async def everything(inbox: Inbox) -> list[bytes]:
    pieces = []
    while (piece := await inbox.read()) is not None:
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize("turns", [0, 2])
def test_a_body_that_nobody_reads_does_not_hide_the_disconnect(turns: int) -> None:
    closed: list[float] = []

    async def source(inbox: Inbox) -> AsyncIterator[str]:
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            closed.append(clock.now())

    async def script() -> None:
        body = [bytes(64 * KIB)] * 64
        app = counted(stream_of(source), [], turns)
        async with connect(app, "POST", body=body, personality=HYPERCORN) as client:
            assert await client.chunk() == b"first"
            await asyncio.sleep(1)
            await client.leave()
            await client.finished()

    clock.run(script())
    assert closed == [1]


def test_a_dropped_body_cannot_be_read_any_more() -> None:
    async def source(inbox: Inbox) -> AsyncIterator[str]:
        yield "first"
        await asyncio.sleep(1)
        await inbox.read()

    async def script() -> None:
        async with connect(stream_of(source), "POST", body=[bytes(300 * KIB), b"", b"rest"]) as client:
            with pytest.raises(AppError, match=r"dropped.*read the body before the first wait"):
                await client.finished()

    clock.run(script())


def test_a_body_of_256_kib_can_be_read_late_and_one_begun_is_never_dropped() -> None:
    got: list[bytes] = []

    async def source(inbox: Inbox) -> AsyncIterator[str]:
        got.append(await inbox.read() or b"")
        yield "first"
        await asyncio.sleep(1)
        got.extend(await everything(inbox))
        yield "last"

    async def script() -> None:
        body = [bytes([number]) * 64 * KIB for number in range(64)]
        async with connect(stream_of(source), "POST", body=body) as client:
            await client.finished()
        assert client.body == b"firstlast"
        assert got == body

    clock.run(script())


def test_receive_is_called_anew_ever_less_often_in_an_idle_stream() -> None:
    calls: list[float] = []

    async def source(inbox: Inbox) -> AsyncIterator[str]:
        yield "first"
        await asyncio.sleep(99)  # at 100 it would be called again
        yield "last"

    async def script() -> None:
        async with connect(counted(stream_of(source), calls)) as client:
            assert await client.rest() == b"firstlast"

    clock.run(script())
    assert calls == [0, 0, 2, 10, 40, 70]


def test_receive_is_not_called_anew_while_somebody_reads() -> None:
    calls: list[float] = []

    async def source(inbox: Inbox) -> AsyncIterator[str]:
        while piece := await inbox.read():
            yield piece.decode()
        await asyncio.sleep(60)

    async def script() -> None:
        async with connect(counted(stream_of(source), calls), "POST", body=None) as client:
            await asyncio.sleep(25)
            await client.say("echo", more_body=False)
            assert await client.rest() == b"echo"

    clock.run(script())
    assert calls == [0, 25, 70]


def test_the_held_receive_is_given_up_when_the_stream_is_over() -> None:
    given_up: list[float] = []

    async def source(inbox: Inbox) -> AsyncIterator[str]:
        yield "first"
        await asyncio.sleep(1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def watched() -> Received:
            try:
                return await receive()
            except asyncio.CancelledError:
                given_up.append(clock.now())
                raise

        await stream_of(source)(scope, watched, send)
        assert given_up == [1]  # when the app returns, and not when somebody collects the garbage

    async def script() -> None:
        async with connect(app) as client:
            assert await client.rest() == b"first"
            await client.finished()

    clock.run(script())
