"""What the scripted client does, and how the server behind it behaves."""

import asyncio
import json
import os
from pathlib import Path
from typing import cast

import pytest
from clock import now, run

from rawasgi.asgi import App, HTTPScope, Receive, Scope, Send, Sent, WebSocketScope
from rawasgi.dev.client import connect, fetch, lifespan, websocket
from rawasgi.dev.exchange import BURST, Frozen, Personality, Unfinished
from rawasgi.dev.lifetime import LifespanFailed
from rawasgi.errors import AppError, OutOfOrder, ServerError

UNLESS_READ = 1 << 20  # the window
HYPERCORN = Personality(repeats_disconnect=False)


async def start(send: Send, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-a", b"1")]})


async def body(send: Send, data: bytes = b"", more_body: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more_body})


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await body(send, b"\xe4\xbd\xa0\xe5\xa5\xbd", True)
    await body(send, b"\n")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    more_body = True
    while more_body:
        message = await receive()
        assert message["type"] == "http.request"
        more_body = message.get("more_body", False)
        await body(send, message.get("body", b""), more_body)


async def ticks(scope: Scope, receive: Receive, send: Send) -> None:
    """One number a second, until the client leaves."""

    async def tick() -> None:
        await start(send)
        for number in range(1000):
            await body(send, b"%d\n" % number, True)
            await asyncio.sleep(1)

    ticking = asyncio.ensure_future(tick())
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])


async def deaf_ticks(scope: Scope, receive: Receive, send: Send) -> None:
    """The same, but it never asks whether the client left."""
    await start(send)
    while True:
        await body(send, b"tick\n", True)
        await asyncio.sleep(1)


async def flood(scope: Scope, receive: Receive, send: Send) -> None:
    """It never gives way."""
    await start(send)
    while True:
        await body(send, b"x" * 1000, True)


def fails(error: Exception, started: bool = False) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await start(send)
            await body(send, b"a", True)
        raise error

    return app


# Reading


def test_fetches_a_whole_answer() -> None:
    result = run(fetch(hello, "/"))
    assert (result.status, result.body, result.text) == (200, b"\xe4\xbd\xa0\xe5\xa5\xbd\n", "你好\n")
    assert result.header("X-A") == "1"
    assert result.header("x-b") is None
    assert [message["type"] for _, message in result.messages] == ["http.response.start"] + ["http.response.body"] * 2


def test_reads_json() -> None:
    assert run(fetch(echo, "/", method="POST", body=json.dumps({"a": 1}).encode())).json() == {"a": 1}


def test_reads_chunk_by_chunk_as_they_come() -> None:
    async def script() -> None:
        async with connect(ticks, "GET", "/") as client:
            assert await client.started() == 200
            assert client.header("x-a") == "1"
            assert await client.chunk() == b"0\n"
            assert now() == 0
            assert await client.chunk() == b"1\n"
            assert now() == 1
            assert client.body == b"0\n1\n"

    run(script())


def test_reads_text_however_it_was_cut() -> None:
    async def script() -> None:
        async with connect(echo, "POST", "/", body=[b"data: a\n", b"\ndata", b": b\n\nrest"]) as client:
            assert await client.until("\n\n") == b"data: a\n\n"
            assert await client.until(b"\n\n") == b"data: b\n\n"
            assert await client.rest() == b"rest"
            assert await client.chunk() == b""

    run(script())


def test_reads_until_is_told_when_the_body_ends_before() -> None:
    async def script() -> None:
        async with connect(hello, "GET", "/") as client:
            with pytest.raises(EOFError, match="before b'!'"):
                await client.until("!")

    run(script())


def test_reads_with_async_for() -> None:
    async def script() -> None:
        async with connect(echo, "POST", "/", body=[b"a", b"", b"b"]) as client:
            assert [chunk async for chunk in client] == [b"a", b"b"]

    run(script())


def test_reads_every_message() -> None:
    async def script() -> None:
        async with connect(hello, "GET", "/") as client:
            assert (await client.message())["type"] == "http.response.start"
            assert (await client.message())["type"] == "http.response.body"
            await client.finished()
            assert (await client.message())["type"] == "http.response.body"
            with pytest.raises(EOFError, match="has returned"):
                await client.message()

    run(script())


def test_reads_an_endless_stream_that_never_gives_way() -> None:
    async def script() -> None:
        async with connect(watched(flood), "GET", "/") as client:
            for _ in range(5000):
                assert await client.chunk() == b"x" * 1000

    run(script())


def watched(app: App) -> App:
    """*app*, cancelled when the client leaves."""

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        working = asyncio.ensure_future(app(scope, receive, send))
        while (await receive())["type"] != "http.disconnect":
            pass
        working.cancel()
        await asyncio.wait([working])

    return both


def test_an_endless_stream_that_nobody_reads_stops() -> None:
    async def script() -> None:
        async with connect(watched(flood), "GET", "/") as client:
            await asyncio.sleep(100)
            sent = len(client.messages)
            await asyncio.sleep(100)
            assert len(client.messages) == sent < UNLESS_READ / 1000
            await client.chunk()
            await client.chunk()
            await asyncio.sleep(0)
            assert len(client.messages) > sent

    run(script())


def test_has_no_status_before_the_start() -> None:
    async def script() -> None:
        async with connect(ticks, "GET", "/") as client:
            with pytest.raises(LookupError, match="no status yet"):
                assert client.status
            await client.started()

    run(script())


def test_sees_no_body_of_head_204_and_304() -> None:
    async def no_content(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, int(cast(HTTPScope, scope)["path"][1:]))
        await body(send, b"")

    assert run(fetch(hello, "/", method="HEAD")).body == b""
    assert run(fetch(no_content, "/204")).body == b""
    assert run(fetch(no_content, "/304")).status == 304


def test_reads_files_and_trailers(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")
    names = ("http.response.pathsend", "http.response.zerocopysend", "http.response.trailers", "http.response.debug")

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.debug", "info": {}})
        await start(send)
        await send({"type": "http.response.pathsend", "path": str(file)})

    async def by_descriptor(scope: Scope, receive: Receive, send: Send) -> None:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            await send({"type": "http.response.start", "status": 200, "trailers": True})
            await send({"type": "http.response.zerocopysend", "file": descriptor, "count": 2, "more_body": True})
            await send({"type": "http.response.zerocopysend", "file": descriptor, "offset": 7, "more_body": True})
            await send({"type": "http.response.zerocopysend", "file": descriptor, "offset": 4, "count": 1})
            await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})
        finally:
            os.close(descriptor)

    async def script() -> None:
        offered: dict[str, dict[str, object]] = {name: {} for name in names}
        assert (await fetch(by_path, "/", extensions=offered)).body == file.read_bytes()
        async with connect(by_descriptor, "GET", "/", extensions=offered) as client:
            assert await client.rest() == b"017894"
            await client.finished()
            assert client.trailers == [(b"x-sum", b"1")]

    run(script())


# Asking


def scope_of(**options: object) -> HTTPScope:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(cast(HTTPScope, scope))
        await hello(scope, receive, send)

    seen: list[HTTPScope] = []
    run(fetch(app, **options))  # type: ignore[arg-type]  # any option
    return seen[0]


def test_the_scope_is_like_a_server_s() -> None:
    assert scope_of(target="/%E4%BD%A0/a%2Fb?q=%41&r=1") == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/你/a/b",
        "raw_path": b"/%E4%BD%A0/a%2Fb",
        "query_string": b"q=%41&r=1",
        "root_path": "",
        "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }


def test_what_is_not_ascii_is_encoded() -> None:
    scope = scope_of(target="/你 好?名=字")
    assert (scope["path"], scope["raw_path"]) == ("/你 好", b"/%E4%BD%A0%20%E5%A5%BD")
    assert scope["query_string"] == b"%E5%90%8D=%E5%AD%97"


def test_the_scope_is_the_script_s_to_change() -> None:
    state: dict[str, object] = {"a": []}
    scope = scope_of(
        headers={"Host": "x", "Accept": "*/*"},
        spec_version=None,
        state=state,
        extensions={},
        scope={"root_path": "/api"},
    )
    assert scope["asgi"] == {"version": "3.0"}
    assert scope["headers"] == [(b"host", b"x"), (b"accept", b"*/*")]
    assert scope["root_path"] == "/api"
    assert scope["extensions"] == {}
    assert scope["state"] == state
    assert scope["state"] is not state
    assert scope["state"]["a"] is state["a"]
    assert scope_of(headers=[(b"A", b"1"), ("b", "2")])["headers"][1:] == [(b"a", b"1"), (b"b", b"2")]  # type: ignore[index]


def test_says_the_body_piece_by_piece() -> None:
    async def script() -> None:
        async with connect(echo, "POST", "/", body=None) as client:
            await client.say(b"a")
            assert await client.chunk() == b"a"
            await client.say("你", more_body=False)
            assert await client.chunk() == "你".encode()
            with pytest.raises(ValueError, match="the request is over"):
                await client.say(b"b")

    run(script())


# Leaving


@pytest.mark.parametrize("spec_version", [None, "2.0", "2.3", "2.4", "2.5"])
def test_a_client_that_leaves_is_a_disconnect(spec_version: str | None) -> None:
    async def script() -> None:
        async with connect(ticks, "GET", "/", spec_version=spec_version) as client:
            assert await client.chunk() == b"0\n"
            await client.leave()
            await client.finished()
            assert client.messages[-1] == ("receive", {"type": "http.disconnect"})
            with pytest.raises(EOFError, match="client has left"):
                await client.chunk()

    run(script())


async def sends_once_more(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await receive()
    await receive()
    await body(send, b"a", True)
    await body(send, b"b")


@pytest.mark.parametrize("spec_version", [None, "2.0", "2.3"])
def test_send_to_nobody_does_nothing_before_2_4(spec_version: str | None) -> None:
    async def script() -> None:
        async with connect(sends_once_more, "GET", "/", spec_version=spec_version) as client:
            await client.started()
            await client.leave()
            await client.finished()
            assert len(client.messages) == 5
            assert client.body == b""

    run(script())


@pytest.mark.parametrize("spec_version", ["2.4", "2.5"])
def test_send_to_nobody_raises_oserror_from_2_4_on(spec_version: str) -> None:
    async def script() -> None:
        async with connect(sends_once_more, "GET", "/", spec_version=spec_version) as client:
            await client.started()
            await client.leave()
            await client.finished()  # a server does not take it for a failure
            assert isinstance(client.exception, OSError)
            assert len(client.messages) == 4

    run(script())


@pytest.mark.parametrize(("raises", "spec_version"), [(True, "2.0"), (False, "2.5")])
def test_whether_send_raises_can_be_told(raises: bool, spec_version: str) -> None:
    async def script() -> None:
        personality = Personality(raises=raises)
        async with connect(sends_once_more, "GET", "/", spec_version=spec_version, personality=personality) as client:
            await client.started()
            await client.leave()
            await client.finished()
            assert (client.exception is not None) is raises

    run(script())


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
def test_a_blocked_send_returns_when_the_client_leaves(spec_version: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await body(send, b"a", True)
        try:
            await body(send, b"b", True)
        finally:
            ended.append(now())
        await body(send)

    async def script() -> None:
        async with connect(app, "GET", "/", spec_version=spec_version) as client:
            client.stall(after_bytes=1)
            await asyncio.sleep(50)
            assert client.body == b"a"
            await client.leave()
            await client.finished()

    ended: list[float] = []
    run(script())
    assert ended == [50]


def test_the_disconnect_is_repeated_or_receive_blocks_for_ever() -> None:
    async def asks_twice(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(3):
            await receive()

    async def script(personality: Personality) -> None:
        async with connect(asks_twice, "GET", "/", personality=personality) as client:
            await client.leave()
            await client.finished()

    run(script(Personality()))
    with pytest.raises(Unfinished, match="but ran 10"):
        run(script(HYPERCORN))


@pytest.mark.parametrize("body_first", [True, False])
def test_the_disconnect_comes_after_the_body(body_first: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            seen.append(message)

    async def script() -> None:
        async with connect(
            app, "POST", "/", body=[b"a", b"b"], personality=Personality(body_first=body_first)
        ) as client:
            await client.leave()

    seen: list[object] = []
    run(script())
    assert len(seen) == (2 if body_first else 0)


def test_the_body_is_read_before_the_client_leaves() -> None:
    assert run(fetch(echo, "/", method="POST", body=b"a", personality=Personality(body_first=False))).body == b"a"


def test_a_complete_response_is_followed_by_a_disconnect() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"

    run(fetch(app, "/"))


def test_leaving_the_context_is_leaving() -> None:
    async def script() -> None:
        async with connect(ticks, "GET", "/") as client:
            await client.chunk()
        assert client.messages[-1].message == {"type": "http.disconnect"}

    run(script())


@pytest.mark.parametrize("explicitly", [True, False])
def test_an_app_that_does_not_finish_is_reported(explicitly: bool) -> None:
    async def script() -> None:
        async with connect(deaf_ticks, "GET", "/", patience=7) as client:
            await client.chunk()
            if explicitly:
                await client.leave()
                await client.finished()

    with pytest.raises(Unfinished) as caught:
        run(script())
    assert str(caught.value) == (
        "the app must return when receive() gives http.disconnect, but ran 7 s more until it was cancelled: "
        "wait for receive() beside the work"
    )


def test_an_app_that_freezes_the_server_is_reported() -> None:
    async def script() -> None:
        async with connect(flood, "GET", "/") as client:
            await client.chunk()

    with pytest.raises(Frozen, match=f"{BURST:,} messages"):
        run(script())


def test_an_app_that_gives_way_from_time_to_time_freezes_nobody() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await asyncio.sleep(1)
        for _ in range(2):
            for _ in range(BURST):
                await body(send, b"a", True)
            await asyncio.sleep(0)
        await receive()
        await receive()

    async def script() -> None:
        async with connect(app, "GET", "/", validated=False) as client:
            await client.leave()

    run(script())


@pytest.mark.parametrize("gives_way", [False, True])
def test_send_gives_way_only_if_told_to(gives_way: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asyncio.get_running_loop().call_soon(turns.append, None)
        await start(send)
        await body(send)
        turned.append(bool(turns))

    turns: list[None] = []
    turned: list[bool] = []
    run(fetch(app, "/", personality=Personality(gives_way=gives_way) if gives_way else Personality()))
    assert turned == [gives_way]


def test_a_send_that_gives_way_freezes_nobody() -> None:
    async def script() -> None:
        async with connect(watched(flood), "GET", "/", personality=Personality(gives_way=True)) as client:
            await client.chunk()
            await client.leave()

    run(script())


# Stalling


def test_stops_reading_and_reads_on() -> None:
    async def script() -> None:
        async with connect(ticks, "GET", "/") as client:
            await client.chunk()
            client.stall()
            await asyncio.sleep(100)
            assert client.body == b"0\n"
            client.resume()
            await asyncio.sleep(1.5)
            assert client.body == b"0\n1\n2\n"

    run(script())


def test_a_client_that_reads_on_reads_without_end() -> None:
    async def script() -> None:
        async with connect(watched(flood), "GET", "/") as client:
            client.stall()
            client.resume()
            for _ in range(2000):
                await client.chunk()

    run(script())


def test_what_came_before_can_be_read_while_nothing_more_comes() -> None:
    async def script() -> None:
        async with connect(ticks, "GET", "/") as client:
            await asyncio.sleep(1.5)
            client.stall()
            assert await client.until("1\n") == b"0\n1\n"
            await asyncio.sleep(100)
            assert client.body == b"0\n1\n"

    run(script())


def test_finished_reads_on_unless_it_is_stalled() -> None:
    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        for _ in range(5000):
            await body(send, b"x" * 1000, True)
        await body(send)

    async def script() -> None:
        assert len((await fetch(long, "/")).body) == 5_000_000
        async with connect(watched(long), "GET", "/") as client:
            client.stall()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(60):
                    await client.finished()

    run(script())


# Headers held back


def test_headers_leave_at_once_or_with_the_first_body() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.debug", "info": {}})
        await start(send)
        await send({"type": "http.response.push", "path": "/a", "headers": []})
        await asyncio.sleep(10)
        await body(send, b"", True)
        await asyncio.sleep(10)
        await body(send)

    async def script(holds_start: bool) -> None:
        names: dict[str, dict[str, object]] = {"http.response.push": {}, "http.response.debug": {}}
        personality = Personality(holds_start=holds_start)
        async with connect(slow, "GET", "/", personality=personality, extensions=names) as client:
            assert (await client.message())["type"] == "http.response.debug"
            await client.started()
            assert now() == (10 if holds_start else 0)
            assert (await client.message())["type"] == "http.response.start"
            assert (await client.message())["type"] == "http.response.push"
            await client.finished()

    run(script(True))
    run(script(False))


# Failing


def test_what_the_app_raises_is_raised_to_the_script() -> None:
    async def script() -> None:
        async with connect(fails(ZeroDivisionError(), started=True), "GET", "/") as client:
            assert await client.chunk() == b"a"
            with pytest.raises(ZeroDivisionError):
                await client.chunk()
            with pytest.raises(ZeroDivisionError):
                await client.finished()
            assert isinstance(client.exception, ZeroDivisionError)
            assert client.body == b"a"
        async with connect(fails(ZeroDivisionError()), "GET", "/") as client:
            with pytest.raises(ZeroDivisionError):
                await client.started()

    run(script())


def test_what_the_app_raises_and_nobody_saw_is_raised_at_the_end() -> None:
    async def script() -> None:
        async with connect(fails(ZeroDivisionError(), started=True), "GET", "/") as client:
            assert client.exception is None
            assert await client.chunk() == b"a"

    with pytest.raises(ZeroDivisionError):
        run(script())


def test_what_the_script_raises_comes_first_and_says_what_the_app_raised() -> None:
    async def script(app: App) -> None:
        async with connect(app, "GET", "/") as client:
            await client.chunk()
            assert client.status == 500

    with pytest.raises(AssertionError) as caught:
        run(script(fails(ZeroDivisionError(), started=True)))
    assert caught.value.__notes__ == ["The app had raised ZeroDivisionError()."]
    with pytest.raises(AssertionError) as caught:
        run(script(ticks))
    assert not hasattr(caught.value, "__notes__")
    with pytest.raises(ZeroDivisionError) as own:
        run(script(fails(ZeroDivisionError())))
    assert not hasattr(own.value, "__notes__")


def test_an_app_that_returns_without_an_answer_is_told_of() -> None:
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None: ...

    async def script() -> None:
        async with connect(nothing, "GET", "/", validated=False) as client:
            with pytest.raises(EOFError, match="has returned"):
                await client.started()
        with pytest.raises(AppError, match="returns-when-complete"):
            await fetch(nothing, "/")

    run(script())


def test_a_broken_rule_is_raised_with_and_without_validation() -> None:
    async def doubly(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await start(send)

    with pytest.raises(OutOfOrder, match="sent-in-order"):
        run(fetch(doubly, "/"))
    with pytest.raises(OutOfOrder, match="cannot be sent when 'started'"):
        run(fetch(doubly, "/", validated=False))
    with pytest.raises(ServerError, match="method-is-uppercase"):
        run(fetch(hello, "/", method="get"))


# Cancelling


def test_cancels_only_when_told_to() -> None:
    async def script() -> None:
        async with connect(deaf_ticks, "GET", "/") as client:
            await client.chunk()
            await client.cancel()
            await client.finished()
            assert client.exception is None

    run(script())


@pytest.mark.parametrize("cancels", [True, False])
def test_an_app_that_ignores_being_cancelled_is_reported(cancels: bool) -> None:
    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        for _ in range(2):
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                pass

    async def script() -> None:
        async with connect(stubborn, "GET", "/", validated=False) as client:
            await client.started()
            if cancels:
                with pytest.raises(Unfinished, match="when it is cancelled"):
                    await client.cancel()
                await client.cancel()

    async def main() -> None:
        if cancels:
            await script()
        else:
            with pytest.raises(Unfinished, match="even cancelled"):
                await script()
            await asyncio.sleep(1000)

    run(main())


def test_what_is_raised_when_cancelled_is_raised() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            raise ZeroDivisionError

    async def script() -> None:
        async with connect(app, "GET", "/") as client:
            await asyncio.sleep(1)
            with pytest.raises(ZeroDivisionError):
                await client.cancel()

    run(script())


# Websockets


async def shout(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer each text in capitals and each binary message as it is; "bye" closes."""
    assert (await receive())["type"] == "websocket.connect"
    offered = list(cast(WebSocketScope, scope).get("subprotocols", ()))
    await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "bye":
            return await send({"type": "websocket.close", "code": 4000, "reason": "bye"})
        text = message.get("text")
        if text is None:
            await send({"type": "websocket.send", "bytes": message.get("bytes")})
        else:
            await send({"type": "websocket.send", "text": text.upper()})


def test_talks_over_a_websocket() -> None:
    async def script() -> None:
        async with websocket(shout, "/", subprotocols=["chat"]) as client:
            assert await client.accepted() == "chat"
            assert client.status == 101
            await client.say("a")
            await client.say(b"a")
            await client.say("")
            await client.say(b"")
            assert [await client.hear() for _ in range(4)] == ["A", b"a", "", b""]

    run(script())


def test_hears_the_close() -> None:
    async def script() -> None:
        async with websocket(shout, "/") as client:
            await client.say("a")
            await client.say("bye")
            assert await client.closed() == 4000
            assert client.reason == "bye"
        async with websocket(shout, "/") as client:
            await client.say("bye")
            with pytest.raises(EOFError, match="4000 'bye'"):
                await client.hear()

    run(script())


@pytest.mark.parametrize("spec_version", ["2.4", "2.5"])
def test_leaves_a_websocket_with_code_and_reason(spec_version: str) -> None:
    async def script() -> None:
        async with websocket(shout, "/", spec_version=spec_version) as client:
            await client.accepted()
            await client.leave(4005, "enough")
            await client.finished()
            told: dict[str, object] = {"type": "websocket.disconnect", "code": 4005}
            assert client.messages[-1].message == (told if spec_version == "2.4" else {**told, "reason": "enough"})

    run(script())


def test_a_websocket_can_be_closed_instead_of_accepted() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close"})
        assert await receive() == {"type": "websocket.disconnect", "code": 1000}

    async def script() -> None:
        async with websocket(app, "/") as client:
            with pytest.raises(ConnectionRefusedError, match="403"):
                await client.accepted()

    run(script())


def test_a_websocket_can_be_denied_with_a_response() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-a", b"1")]})
        await send({"type": "websocket.http.response.body", "body": b"no", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"!"})
        assert await receive() == {"type": "websocket.disconnect", "code": 1006}

    async def script() -> None:
        async with websocket(app, "/", extensions={"websocket.http.response": {}}) as client:
            with pytest.raises(ConnectionRefusedError, match="401"):
                await client.accepted()
            await client.finished()
            assert (client.header("x-a"), client.body) == ("1", b"no!")

    run(script())


@pytest.mark.parametrize("data", ["ab", b"ab"])
def test_a_websocket_can_stall_too(data: str | bytes) -> None:
    async def script() -> None:
        async with websocket(shout, "/") as client:
            await client.accepted()
            client.stall(after_bytes=3)
            for _ in range(5):
                await client.say(data)
            await asyncio.sleep(1)
            assert len([message for direction, message in client.messages if direction == "send"]) == 4  # one waits
            for _ in range(2):
                assert len(await client.hear()) == 2
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(60):
                    await client.hear()

    run(script())


# Lifespan


async def alive(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "lifespan"
    await receive()
    scope["state"]["pool"] = "open"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    scope["state"]["pool"] = "closed"
    await send({"type": "lifespan.shutdown.complete"})


def test_starts_and_stops_an_app() -> None:
    async def script() -> None:
        state: dict[str, object] = {}
        async with lifespan(alive, state=state) as life:
            assert life.supported
            assert life.state is state
            assert state == {"pool": "open"}
        assert state == {"pool": "closed"}
        async with lifespan(alive) as life:
            assert life.state == {"pool": "open"}

    run(script())


def test_an_app_without_lifespan_is_served_all_the_same() -> None:
    async def script() -> None:
        async with lifespan(fails(NotImplementedError())) as life:
            assert not life.supported
            assert isinstance(life.exception, NotImplementedError)

    run(script())


def test_a_broken_rule_is_not_taken_for_a_missing_lifespan() -> None:
    async def script() -> None:
        async with lifespan(hello):
            pass

    with pytest.raises(AppError, match="sent-has-its-shape"):
        run(script())


@pytest.mark.parametrize("moment", ["startup", "shutdown"])
def test_an_app_that_cannot_start_or_stop_says_why(moment: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if moment == "shutdown":
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send(cast(Sent, {"type": f"lifespan.{moment}.failed", "message": "no database"}))

    async def script() -> None:
        async with lifespan(app):
            assert moment == "shutdown"

    with pytest.raises(LifespanFailed, match="no database"):
        run(script())


def test_an_app_that_does_not_stop_is_reported() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.Event().wait()

    async def script() -> None:
        async with lifespan(app):
            pass

    with pytest.raises(Unfinished, match=r"gives lifespan\.shutdown"):
        run(script())


def test_a_client_that_closes_its_half_is_told_of_and_reads_on() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.body", "body": b"all the same"})

    async def script() -> None:
        async with connect(app) as client:
            await client.started()
            await client.half_close()
            assert await client.rest() == b"all the same"

    run(script())
