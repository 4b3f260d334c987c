"""The one reader of ``receive()``. While a response streams: test_inbox_streaming.py."""

import asyncio
from collections.abc import Awaitable, Callable

import clock
import pytest

from rawasgi import respond
from rawasgi.asgi import App, HTTPReceived, Receive, Received, Scope, Send
from rawasgi.dev.client import connect, fetch
from rawasgi.dev.exchange import Personality
from rawasgi.errors import Disconnected
from rawasgi.inbox import Inbox

KIB = 1024
HYPERCORN = Personality(repeats_disconnect=False)


def app_of(talk: Callable[[Inbox], Awaitable[object]]) -> App:
    """An app that has *talk* with its inbox, and then answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        inbox = Inbox.of(receive)
        try:
            await talk(inbox)
            await respond.empty()(scope, inbox, send)
        finally:
            inbox.close()

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


# Reading


@pytest.mark.parametrize(
    ("body", "pieces"),
    [([b"a"], [b"a"]), ([b"a", b"", b"b"], [b"a", b"b"]), ([b"a", b"b", b""], [b"a", b"b"])],
    ids=["one", "an empty one between", "an empty end"],
)
@pytest.mark.parametrize("turns", [0, 1, 3])
def test_gives_the_body_in_its_pieces_and_then_none(body: list[bytes], pieces: list[bytes], turns: int) -> None:
    async def talk(inbox: Inbox) -> None:
        assert await everything(inbox) == pieces
        assert await inbox.read() is None
        assert inbox.complete

    async def script() -> None:
        async with connect(counted(app_of(talk), [], turns), "POST", body=body) as client:
            await client.finished()

    clock.run(script())


@pytest.mark.parametrize("body", [[b""], [b"", b""]], ids=["one message", "two messages"])
def test_an_empty_body_that_is_there_at_once_is_at_its_end_at_once(body: list[bytes]) -> None:
    async def talk(inbox: Inbox) -> None:
        assert await inbox.read() is None

    async def script() -> None:
        async with connect(app_of(talk), "POST", body=body) as client:
            await client.finished()

    clock.run(script())


def test_a_piece_that_comes_later_is_waited_for() -> None:
    async def talk(inbox: Inbox) -> None:
        assert await inbox.read() == b"now"
        assert not inbox.complete
        assert await inbox.read() == b"later"
        assert clock.now() == 60

    async def script() -> None:
        async with connect(app_of(talk), "POST", body=None) as client:
            await client.say("now")
            await asyncio.sleep(60)
            await client.say("later", more_body=False)
            await client.finished()

    clock.run(script())


def test_reading_raises_disconnected_when_the_client_left_before_the_end() -> None:
    async def talk(inbox: Inbox) -> None:
        assert await inbox.read() == b"half"
        for _ in range(2):
            with pytest.raises(Disconnected):
                await inbox.read()
        assert inbox.disconnected
        assert not inbox.complete

    async def script() -> None:
        async with connect(app_of(talk), "POST", body=None, personality=HYPERCORN) as client:
            await client.say("half")
            await client.leave()
            await client.finished()

    clock.run(script())


def test_what_had_come_is_read_also_when_the_client_has_left() -> None:
    async def talk(inbox: Inbox) -> None:
        await asyncio.sleep(1)
        inbox.poll()
        await asyncio.sleep(0)
        assert inbox.poll()
        assert await everything(inbox) == [b"all"]

    async def script() -> None:
        async with connect(app_of(talk), "POST", body=b"all") as client:
            await client.leave()
            await client.finished()

    clock.run(script())


def test_a_read_that_is_cancelled_loses_nothing() -> None:
    async def talk(inbox: Inbox) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await inbox.read()
        assert await everything(inbox) == [b"late"]

    async def script() -> None:
        async with connect(app_of(talk), "POST", body=None) as client:
            await asyncio.sleep(10)
            await client.say("late", more_body=False)
            await client.finished()

    clock.run(script())


def test_each_piece_goes_to_one_of_two_readers() -> None:
    async def talk(inbox: Inbox) -> None:
        both = await asyncio.gather(everything(inbox), everything(inbox))
        assert sorted(both[0] + both[1]) == [b"1", b"2", b"3"]

    async def script() -> None:
        async with connect(app_of(talk), "POST", body=None) as client:
            for number in (1, 2, 3):
                await asyncio.sleep(1)
                await client.say(str(number), more_body=number < 3)
            await client.finished()

    clock.run(script())


def test_an_error_of_receive_goes_to_the_reader() -> None:
    async def broken() -> Received:
        raise LookupError("the server's own")

    async def script() -> None:
        with pytest.raises(LookupError, match="the server's own"):
            await Inbox(broken).read()

    clock.run(script())


# As a receive


def test_is_itself_a_receive() -> None:
    came: list[HTTPReceived] = []

    async def talk(inbox: Inbox) -> None:
        assert Inbox.of(inbox) is inbox
        for _ in range(4):
            came.append(await inbox())

    async def script() -> None:
        async with connect(app_of(talk), "POST", body=[b"a", b"b"], personality=HYPERCORN) as client:
            await asyncio.sleep(5)
            await client.leave()
            await client.finished()

    clock.run(script())
    assert came == [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": False},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]


def test_an_empty_body_is_one_message_as_a_server_gives_it() -> None:
    async def talk(inbox: Inbox) -> None:
        assert await inbox() == {"type": "http.request", "body": b"", "more_body": False}

    assert clock.run(fetch(app_of(talk))).status == 204


def test_an_end_that_comes_alone_is_a_message_of_its_own() -> None:
    async def talk(inbox: Inbox) -> None:
        assert await inbox() == {"type": "http.request", "body": b"a", "more_body": True}
        assert await inbox() == {"type": "http.request", "body": b"", "more_body": False}

    async def script() -> None:
        async with connect(app_of(talk), "POST", body=None) as client:
            await client.say("a")
            await asyncio.sleep(1)
            await client.say("", more_body=False)
            await client.finished()

    clock.run(script())


def test_as_a_receive_it_gives_the_disconnect_in_the_midst_of_the_body() -> None:
    async def talk(inbox: Inbox) -> None:
        assert (await inbox())["type"] == "http.request"
        assert await inbox() == {"type": "http.disconnect"}

    async def script() -> None:
        async with connect(app_of(talk), "POST", body=None) as client:
            await client.say("half")
            await client.leave()
            await client.finished()

    clock.run(script())


# Polling


@pytest.mark.parametrize("turns", [0, 1])
def test_poll_says_without_waiting_whether_the_client_left(turns: int) -> None:
    async def talk(inbox: Inbox) -> None:
        assert not inbox.poll()
        assert not inbox.poll()
        await asyncio.sleep(2)
        assert inbox.poll()
        assert inbox.poll()

    async def script() -> None:
        async with connect(counted(app_of(talk), [], turns)) as client:
            await asyncio.sleep(1)
            await client.leave()
            await client.finished()

    clock.run(script())


def test_reads_no_more_than_256_kib_ahead() -> None:
    calls: list[float] = []

    async def talk(inbox: Inbox) -> None:
        assert not inbox.poll()
        await asyncio.sleep(1)
        assert len(calls) == 5  # more than 256 KiB were there only after the fifth
        assert len(await everything(inbox)) == 20

    async def script() -> None:
        async with connect(counted(app_of(talk), calls), "POST", body=[bytes(64 * KIB)] * 20) as client:
            await client.finished()

    clock.run(script())


def test_a_cancellation_keeps_the_text_by_which_its_maker_knows_it() -> None:
    async def script() -> tuple[object, ...]:
        inbox = Inbox(asyncio.Event().wait)  # type: ignore[arg-type]  # never
        task = asyncio.create_task(inbox.read())
        await asyncio.sleep(0)
        task.cancel("Cancelled via cancel scope 7f")
        try:
            await task
        except asyncio.CancelledError as error:
            return error.args
        finally:
            inbox.close()
        return ()

    assert clock.run(script()) == ("Cancelled via cancel scope 7f",)


def test_it_can_be_told_that_its_client_left() -> None:
    async def script() -> None:
        inbox = Inbox(asyncio.Event().wait)  # type: ignore[arg-type]  # never
        inbox.leave()
        assert inbox.poll()
        with pytest.raises(Disconnected):
            await inbox.read()
        assert await inbox() == {"type": "http.disconnect"}

    clock.run(script())
