"""A websocket from its handshake to its end: who may say what, who leaves when, and what becomes of errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from clock import now, run

from rawasgi import respond
from rawasgi.asgi import App, Receive, Received, Scope, Send, Sent
from rawasgi.dev.client import WebSocketClient, fetch, websocket
from rawasgi.dev.exchange import Personality
from rawasgi.errors import AppError, Disconnected, HTTPError, OutOfOrder, ServerError
from rawasgi.websocket import WebSocket, websocket_app

HYPERCORN = Personality(repeats_disconnect=False)  # receive() blocks for ever after the disconnect
DENIAL: dict[str, dict[str, object]] = {"websocket.http.response": {}}
ORIGINS = frozenset({"https://example.com", "http://localhost:8000"})

Script = Callable[[WebSocketClient], Awaitable[object]]


def types(client: WebSocketClient) -> list[str]:
    """What was sent and received, in order."""
    return [f"{'>' if each.direction == 'send' else '<'} {each.message['type']}" for each in client.messages]


async def finish(client: WebSocketClient) -> None:
    await client.finished()


async def idle(websocket: WebSocket) -> None:
    pass


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for message in websocket:
        await websocket.send(message)


# The handshake


def test_it_is_accepted_with_subprotocol_and_headers() -> None:
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept("chat", {"X-Room": "1"})

    async def main() -> tuple[str | None, str | None, int]:
        async with websocket(websocket_app(chat), subprotocols=["chat", "log"]) as client:
            subprotocol = await client.accepted()
            return subprotocol, client.header("x-room"), await client.closed()

    assert run(main()) == ("chat", "1", 1000)


def test_it_knows_its_headers_its_state_and_where_it_stands() -> None:
    seen: list[object] = []

    async def look(websocket: WebSocket) -> None:
        seen.extend([websocket.header("X-Name"), websocket.header("x-none"), websocket.state, repr(websocket)])
        await websocket.accept()
        seen.append(repr(websocket))
        with pytest.raises(Disconnected):
            await websocket.receive()
        seen.append(repr(websocket))

    async def main() -> None:
        async with websocket(websocket_app(look), "/ws", headers={"x-name": "Wang"}, state={"db": 1}) as client:
            await client.accepted()

    run(main())
    assert seen == [
        "Wang",
        None,
        {"db": 1},
        "<WebSocket /ws connecting>",
        "<WebSocket /ws open>",
        "<WebSocket /ws disconnected>",
    ]


def test_a_server_without_a_state_gives_an_empty_one() -> None:
    async def look(websocket: WebSocket) -> None:
        assert websocket.state == {}

    async def main() -> None:
        async with websocket(websocket_app(look)) as client:
            await client.finished()

    run(main())


def test_a_denial_is_a_response_where_the_server_takes_one() -> None:
    async def refuse(websocket: WebSocket) -> None:
        await websocket.deny(401, "你是谁", headers=[(b"www-authenticate", b"Basic")])

    async def main() -> tuple[int, str | None, str | None, bytes]:
        async with websocket(websocket_app(refuse), extensions=DENIAL) as client:
            await client.finished()
            return client.status, client.header("www-authenticate"), client.header("content-length"), client.body

    assert run(main()) == (401, "Basic", "9", "你是谁".encode())


def test_a_denial_that_says_nothing_else_is_403_and_a_close_1000() -> None:
    async def talk(websocket: WebSocket) -> None:
        if websocket.header("x-deny"):
            await websocket.deny()
        await websocket.accept()
        await websocket.close()

    async def main() -> tuple[int, bytes, int]:
        async with websocket(websocket_app(talk), headers={"x-deny": "1"}, extensions=DENIAL) as client:
            with pytest.raises(OutOfOrder):  # it went on
                await client.finished()
            denied = client.status, client.body
        async with websocket(websocket_app(talk)) as client:
            return *denied, await client.closed()

    assert run(main()) == (403, b"Forbidden", 1000)


def test_a_denial_is_a_bare_403_where_the_server_takes_none() -> None:
    async def refuse(websocket: WebSocket) -> None:
        await websocket.deny(401, "who are you?")

    async def main() -> tuple[int, list[str]]:
        async with websocket(websocket_app(refuse)) as client:
            await client.finished()
            return client.status, types(client)

    assert run(main()) == (403, ["> websocket.close"])


@pytest.mark.parametrize("extensions", [DENIAL, None])
def test_a_denial_may_be_a_stream_which_is_closed_in_any_case(extensions: dict[str, dict[str, object]] | None) -> None:
    class Source:
        closed = False

        def __init__(self) -> None:
            self.left = 3

        def __aiter__(self) -> AsyncIterator[str]:
            return self

        async def __anext__(self) -> str:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            await asyncio.sleep(1)
            return "no "

        async def aclose(self) -> None:
            self.closed = True

    source = Source()

    async def refuse(websocket: WebSocket) -> None:
        await websocket.deny_with(respond.stream(source, status=429))

    async def main() -> tuple[int, bytes, float]:
        async with websocket(websocket_app(refuse), extensions=extensions, scope={"scheme": "wss"}) as client:
            await client.finished()
            return client.status, client.body, now()

    assert run(main()) == ((429, b"no no no ", 3.0) if extensions else (403, b"", 0.0))
    assert source.closed


def test_a_client_that_leaves_during_a_streamed_denial_ends_it() -> None:
    async def forever() -> AsyncIterator[str]:
        while True:
            yield "no"
            await asyncio.sleep(1)

    async def refuse(websocket: WebSocket) -> None:
        await websocket.deny_with(respond.stream(forever()))

    async def main() -> float:
        async with websocket(websocket_app(refuse), extensions=DENIAL) as client:
            await client.started()
            await asyncio.sleep(2.5)
            await client.leave()
            await client.finished()
        return now()

    assert run(main()) == 2.5


def test_the_denying_app_is_asked_by_http() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        assert (await receive())["type"] == "http.request"
        await respond.empty(403)(scope, receive, send)

    async def refuse(websocket: WebSocket) -> None:
        await websocket.deny_with(app)

    async def main() -> None:
        options = {"scheme": "wss"}
        async with websocket(websocket_app(refuse), "/ws?a=1", extensions=DENIAL, scope=options) as client:
            await client.finished()

    run(main())
    [scope] = scopes
    assert scope["type"] == "http"
    assert (scope["method"], scope["path"], scope["scheme"]) == ("GET", "/ws", "https")
    assert (scope["query_string"], scope["http_version"]) == (b"a=1", "1.1")


def test_what_has_no_place_in_a_denial_is_the_apps_fault() -> None:
    async def hinting(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": []})

    async def refuse(websocket: WebSocket) -> None:
        await websocket.deny_with(hinting)

    with pytest.raises(AppError, match=r"not by http\.response\.early_hint"):
        run(with_client(refuse, finish, extensions=DENIAL))


# Origins


async def guarded(websocket: WebSocket) -> None:
    await websocket.accept(origins=ORIGINS)


def status(*origins: bytes) -> int:
    async def main() -> int:
        headers = [(b"origin", origin) for origin in origins]
        async with websocket(websocket_app(guarded), headers=headers, extensions=DENIAL) as client:
            return await client.started()

    return run(main())


def test_a_listed_origin_and_a_client_without_one_may_connect() -> None:
    assert status(b"https://example.com") == 101
    assert status(b"http://localhost:8000") == 101
    assert status() == 101


@pytest.mark.parametrize(
    "origin",
    [
        b"https://evil.example",
        b"https://example.com.evil.example",
        b"https://example.co",
        b"https://example.com/",
        b"https://example.com:443",
        b"HTTPS://EXAMPLE.COM",
        b"http://example.com",
        b"null",
        b"",
        b"https://\xff",
    ],
)
def test_any_other_origin_gets_403(origin: bytes) -> None:
    assert status(origin) == 403


def test_of_several_origins_each_must_be_listed() -> None:
    assert status(b"https://example.com", b"https://evil.example") == 403


def test_the_origins_must_be_a_collection_and_not_a_text_of_which_any_part_would_do() -> None:
    async def careless(websocket: WebSocket) -> None:
        await websocket.accept(origins="https://example.com")

    with pytest.raises(TypeError, match="must be a collection of them"):
        run(with_client(careless, finish))


# Once it is open


def test_messages_are_text_or_binary_by_their_type() -> None:
    async def main() -> list[str | bytes]:
        heard = []
        async with websocket(websocket_app(echo)) as client:
            await client.accepted()
            for message in ("你好", b"\x00\xff", "", b""):
                await client.say(message)
                heard.append(await client.hear())
        return heard

    assert run(main()) == ["你好", b"\x00\xff", "", b""]


def test_a_bytearray_is_sent_as_a_binary_message() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send(bytearray(b"abc"))

    async def main() -> str | bytes:
        async with websocket(websocket_app(talk)) as client:
            return await client.hear()

    assert run(main()) == b"abc"


def test_a_websocket_is_closed_when_its_function_returns() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()

    assert run(with_client(talk, finish)) == ["< websocket.connect", "> websocket.accept", "> websocket.close"]


def test_one_that_was_neither_accepted_nor_denied_is_refused() -> None:
    async def main() -> int:
        async with websocket(websocket_app(idle)) as client:
            return await client.started()

    assert run(main()) == 403


def test_it_is_closed_once_with_its_own_code_and_reason() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4001, "再见")
        await websocket.close(4002)

    async def main() -> tuple[int, str]:
        async with websocket(websocket_app(talk)) as client:
            return await client.closed(), client.reason

    assert run(main()) == (4001, "再见")


def test_a_reason_that_does_not_fit_into_a_frame_is_refused() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4001, "再" * 41)
        await websocket.close(4001, "再" * 42)

    with pytest.raises(ValueError, match=r"must fit in 123 bytes .* not 126"):
        run(with_client(talk, finish))


# Out of order


@pytest.mark.parametrize("verb", ["send", "receive", "accept twice", "deny", "send late", "receive late"])
def test_what_is_out_of_order_is_refused(verb: str) -> None:
    async def talk(websocket: WebSocket) -> None:
        if verb == "send":
            await websocket.send("too early")
        if verb == "receive":
            await websocket.receive()
        await websocket.accept()
        if verb == "accept twice":
            await websocket.accept()
        if verb == "deny":
            await websocket.deny()
        await websocket.close()
        if verb == "send late":
            await websocket.send("too late")
        await websocket.receive()

    with pytest.raises(OutOfOrder):
        run(with_client(talk, finish, extensions=DENIAL))


def test_a_message_that_the_server_may_not_give_is_its_fault() -> None:
    async def receive() -> Received:
        return {"type": "websocket.receive", "text": "before connect"}

    async def send(message: Sent) -> None:
        sent.append(message)

    sent: list[Sent] = []
    scope: Scope = {"type": "websocket", "asgi": {"version": "3.0"}, "path": "/", "headers": []}
    with pytest.raises(ServerError):
        run(call(echo, scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1000}]


# The client leaves


@pytest.mark.parametrize("spec_version", ["2.3", "2.4", "2.5"])
@pytest.mark.parametrize("personality", [Personality(), HYPERCORN])
def test_iterating_ends_when_the_client_leaves_and_never_asks_again(
    spec_version: str, personality: Personality
) -> None:
    codes: list[object] = []

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        async for _ in websocket:
            pass
        codes.extend([websocket.disconnected, websocket.code, websocket.reason])
        async for _ in websocket:
            pytest.fail("nothing can come")
        with pytest.raises(Disconnected):
            await websocket.receive()
        with pytest.raises(Disconnected):
            await websocket.send("to nobody")
        await websocket.close()

    async def leave(client: WebSocketClient) -> None:
        await client.accepted()
        await client.say("hello")
        await client.leave(4000, "bye")
        await client.finished()

    seen = run(with_client(talk, leave, spec_version=spec_version, personality=personality))
    assert seen[2:] == ["< websocket.receive", "< websocket.disconnect"]
    assert codes == [True, 4000, "bye" if spec_version == "2.5" else ""]


def test_a_client_without_a_code_has_left_with_1005() -> None:
    left: list[int | None] = []

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        with pytest.raises(Disconnected):
            await websocket.receive()
        left.append(websocket.code)

    received: list[Received] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect"}]

    async def receive() -> Received:
        return received.pop(0)

    async def send(message: Sent) -> None:
        pass

    run(call(talk, {"type": "websocket", "asgi": {"version": "3.0"}, "path": "/", "headers": []}, receive, send))
    assert left == [1005]


def test_a_message_may_have_both_kinds_if_one_is_none() -> None:
    received: list[Received] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": None, "bytes": b"binary"},
        {"type": "websocket.receive", "text": "text", "bytes": None},
        {"type": "websocket.receive", "bytes": None},
        {"type": "websocket.disconnect", "code": 1001, "reason": None},
    ]
    heard: list[str | bytes] = []

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        heard.extend([message async for message in websocket])

    async def receive() -> Received:
        return received.pop(0)

    async def send(message: Sent) -> None:
        pass

    run(call(talk, {"type": "websocket", "asgi": {"version": "3.0"}, "path": "/", "headers": []}, receive, send))
    assert heard == [b"binary", "text", b""]


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
@pytest.mark.parametrize("accepts", [True, False])
def test_a_client_that_leaves_during_the_handshake_is_no_error(spec_version: str, accepts: bool) -> None:
    async def slow(websocket: WebSocket) -> None:
        await asyncio.sleep(1)
        if accepts:
            await websocket.accept()
            await websocket.receive()
        await websocket.deny()

    async def leave(client: WebSocketClient) -> None:
        await asyncio.sleep(0.5)
        await client.leave()
        await client.finished()

    run(with_client(slow, leave, spec_version=spec_version, extensions=DENIAL))


def test_an_oserror_of_send_is_a_client_that_left() -> None:
    seen: list[object] = []

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await asyncio.sleep(1)
        with pytest.raises(Disconnected) as caught:
            await websocket.send("to nobody")
        seen.extend([isinstance(caught.value.__cause__, OSError), websocket.disconnected, websocket.code])
        with pytest.raises(Disconnected):
            await websocket.receive()

    async def leave(client: WebSocketClient) -> None:
        await client.accepted()
        await client.leave()
        await client.finished()

    told = run(with_client(talk, leave, spec_version="2.4"))
    assert seen == [True, True, None]
    assert told == ["< websocket.connect", "> websocket.accept", "> websocket.send"]


def test_a_function_that_lets_go_of_a_client_that_left_is_no_error() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.receive()

    async def leave(client: WebSocketClient) -> None:
        await client.accepted()
        await client.leave()
        await client.finished()

    assert run(with_client(talk, leave))[-1] == "< websocket.disconnect"


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
def test_a_client_that_left_unnoticed_does_not_hide_an_error(spec_version: str) -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await asyncio.sleep(1)
        raise LookupError("a bug")

    async def leave(client: WebSocketClient) -> None:
        await client.accepted()
        await client.leave()
        await client.finished()

    with pytest.raises(LookupError, match="a bug"):
        run(with_client(talk, leave, spec_version=spec_version))


# The function fails


def test_a_failing_function_closes_with_1011_and_the_error_goes_on() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        raise LookupError("a bug")

    codes: list[int] = []

    async def watch(client: WebSocketClient) -> None:
        codes.append(await client.closed())
        await client.finished()

    with pytest.raises(LookupError, match="a bug"):
        run(with_client(talk, watch))
    assert codes == [1011]


@pytest.mark.parametrize(("extensions", "expected"), [(DENIAL, 500), (None, 403)])
def test_a_function_that_fails_before_it_accepts_denies(
    extensions: dict[str, dict[str, object]] | None, expected: int
) -> None:
    async def talk(websocket: WebSocket) -> None:
        raise LookupError("a secret")

    seen: list[object] = []

    async def watch(client: WebSocketClient) -> None:
        seen.append(await client.started())
        with pytest.raises(LookupError, match="a secret"):
            await client.finished()
        seen.append(client.body)

    run(with_client(talk, watch, extensions=extensions))
    assert seen == [expected, b"Internal Server Error" if extensions else b""]


def test_an_http_error_before_it_accepts_is_the_denial() -> None:
    async def talk(websocket: WebSocket) -> None:
        raise HTTPError(404, "no such room", headers=((b"x-room", b"1"),))

    async def watch(client: WebSocketClient) -> None:
        await client.finished()
        assert (client.status, client.header("x-room"), client.body) == (404, "1", b"no such room")

    run(with_client(talk, watch, extensions=DENIAL))


def test_an_http_error_later_is_an_error_like_any_other() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        raise HTTPError(404, "no such room")

    codes: list[int] = []

    async def watch(client: WebSocketClient) -> None:
        codes.append(await client.closed())
        await client.finished()

    with pytest.raises(HTTPError):
        run(with_client(talk, watch))
    assert codes == [1011]


def test_a_disconnect_of_somebody_else_is_an_error() -> None:
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        raise Disconnected("the upstream is gone")

    codes: list[int] = []

    async def watch(client: WebSocketClient) -> None:
        codes.append(await client.closed())
        await client.finished()

    with pytest.raises(Disconnected, match="upstream"):
        run(with_client(talk, watch))
    assert codes == [1011]


def test_an_error_amid_a_denial_is_raised_and_the_denial_left_open() -> None:
    async def broken() -> AsyncIterator[str]:
        yield "no"
        await asyncio.sleep(1)
        raise LookupError("a bug")

    async def refuse(websocket: WebSocket) -> None:
        await websocket.deny_with(respond.stream(broken(), status=403))

    with pytest.raises(LookupError, match="a bug"):
        run(with_client(refuse, finish, extensions=DENIAL))


def test_it_answers_nothing_but_websockets() -> None:
    with pytest.raises(AppError, match="answers websockets, not http"):
        run(fetch(websocket_app(echo)))


# Helpers


async def with_client(talk: Callable[[WebSocket], Awaitable[None]], script: Script, **options: object) -> list[str]:
    """Run *script* against *talk*; return the messages of both."""
    async with websocket(websocket_app(talk), **options) as client:  # type: ignore[arg-type]  # passed on
        await script(client)
    return types(client)


async def call(talk: Callable[[WebSocket], Awaitable[None]], scope: Scope, receive: Receive, send: Send) -> None:
    app: App = websocket_app(talk)
    await app(scope, receive, send)
