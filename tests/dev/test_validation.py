"""What validate() accepts and refuses: an example of both for every rule."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

import pytest
from clock import run

from rawasgi.asgi import Receive, Received, Scope, Send, Sent
from rawasgi.dev.rules import Rule
from rawasgi.dev.validation import rules, validate
from rawasgi.errors import AppError, OutOfOrder, ProtocolError, ServerError

Message = Mapping[str, object]
ASGI: Message = {"version": "3.0", "spec_version": "2.3"}
HTTP: Message = {
    "type": "http",
    "asgi": ASGI,
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [(b"host", b"x")],
}
WEBSOCKET: Message = {"type": "websocket", "asgi": ASGI, "path": "/", "headers": [], "subprotocols": ["chat"]}
LIFESPAN: Message = {"type": "lifespan", "asgi": {"version": "3.0"}}
REQUEST: Message = {"type": "http.request"}
LEFT: Message = {"type": "http.disconnect"}
START: Message = {"type": "http.response.start", "status": 200}
END: Message = {"type": "http.response.body"}
CONNECT: Message = {"type": "websocket.connect"}
ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}


class Mine(Exception):
    """What an app raises by itself."""


@dataclass(frozen=True)
class Example:
    """A scope, what the server gives first, what the app sends then; or an app of its own."""

    scope: Message
    given: tuple[Message, ...] = ()
    sent: tuple[object, ...] = ()
    app: Callable[[Receive, Send], Awaitable[object]] | None = None

    def play(self) -> list[Message]:
        """Run it to its end; return what came to the server."""
        inbox, outbox = list(self.given), list[Message]()

        async def receive() -> Received:
            if not inbox:
                await asyncio.Event().wait()
            return cast(Received, inbox.pop(0))

        async def send(message: Sent) -> None:
            if message.get("broken"):
                raise OSError
            await asyncio.sleep(1 if message.get("slow") else 0)
            outbox.append(cast(Message, message))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if self.app is not None:
                return cast(None, await self.app(receive, send))
            for _ in self.given:
                await receive()
            for message in self.sent:
                await send(cast(Sent, message))

        async def main() -> None:
            try:
                await validate(app)(cast(Scope, self.scope), receive, send)
            except Mine:
                pass  # the app's own
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                await task

        run(main())
        return outbox


def http(*sent: object, given: tuple[Message, ...] = (REQUEST,), **scope: object) -> Example:
    return Example({**HTTP, **scope}, given, sent)


def offered(name: str, *sent: object) -> Example:
    return http(*sent, extensions={name: {}})


def ws(*sent: object, given: tuple[Message, ...] = (CONNECT,), **scope: object) -> Example:
    return Example({**WEBSOCKET, **scope}, given, sent)


def start(status: int = 200, **more: object) -> Message:
    return {**START, "status": status, **more}


def headed(*pairs: object) -> Message:
    return start(headers=list(pairs))


def body(data: object = b"", more_body: bool = False) -> Message:
    return {**END, "body": data, "more_body": more_body}


def scoped(**scope: object) -> Example:
    return Example({**HTTP, **scope}, (REQUEST,), (START, END))


def spoken(content: Message) -> Example:
    """The client says this on an open websocket, and leaves."""

    async def app(receive: Receive, send: Send) -> None:
        await receive()
        await send(cast(Sent, ACCEPT))
        await receive()
        await send(cast(Sent, CLOSE))

    return does(app, WEBSOCKET, CONNECT, {"type": "websocket.receive", **content})


def said(**content: object) -> Message:
    return {"type": "websocket.send", **content}


def two_bytes(status: int = 200) -> Message:
    return start(status, headers=[(b"content-length", b"2")])


def does(app: Callable[[Receive, Send], Awaitable[object]], scope: Message = HTTP, *given: Message) -> Example:
    return Example(scope, given, app=app)


S, E = cast(Sent, START), cast(Sent, END)


async def awaits(receive: Receive, send: Send) -> None:
    await send(S)
    await send(E)


async def forgets_the_first(receive: Receive, send: Send) -> None:
    send(S)
    await send(E)
    raise Mine  # too late


async def websocket_forgets(receive: Receive, send: Send) -> None:
    await receive()
    send(cast(Sent, CLOSE))


async def forgets_the_last(receive: Receive, send: Send) -> None:
    await send(S)
    send(E)


async def sends_twice_at_once(receive: Receive, send: Send) -> None:
    await send(S)
    slow = asyncio.ensure_future(send(cast(Sent, {**body(b"a", True), "slow": True})))
    await asyncio.sleep(0)
    try:
        await send(E)
    finally:
        slow.cancel()
        await asyncio.wait([slow])


async def websocket_sends_twice_at_once(receive: Receive, send: Send) -> None:
    await receive()
    await send(cast(Sent, ACCEPT))
    await asyncio.gather(*(send({"type": "websocket.send", "text": text}) for text in "ab"))
    await send(cast(Sent, CLOSE))


async def receives_twice_at_once(receive: Receive, send: Send) -> None:
    first = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    try:
        await receive()
    finally:
        first.cancel()
        await asyncio.wait([first])


async def receives_again_after_cancelling(receive: Receive, send: Send) -> None:
    first = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    await awaits(receive, send)


async def swallows(receive: Receive, send: Send) -> None:
    try:
        await send(E)
    except ProtocolError:
        pass
    await awaits(receive, send)


async def lets_through(receive: Receive, send: Send) -> None:
    try:
        await awaits(receive, send)
    except ProtocolError:
        await send(E)
        raise


async def returns_something(receive: Receive, send: Send) -> object:
    await awaits(receive, send)
    return "done"


async def raises(receive: Receive, send: Send) -> None:
    raise Mine


async def does_nothing(receive: Receive, send: Send) -> None:
    pass


async def gives_up_when_nobody_reads(receive: Receive, send: Send) -> None:
    await send(S)
    async with asyncio.timeout(0.5):
        await send(cast(Sent, {**body(b"a", True), "slow": True}))


async def gives_up_quietly(receive: Receive, send: Send) -> None:
    try:
        await gives_up_when_nobody_reads(receive, send)
    except TimeoutError:
        pass


async def stops_when_send_fails(receive: Receive, send: Send) -> None:
    await send(S)
    with pytest.raises(OSError):
        await send(cast(Sent, {**body(b"a", True), "broken": True}))


async def leaves_a_task(receive: Receive, send: Send) -> None:
    await send(S)
    background.add(asyncio.ensure_future(late(send)))
    await send(E)


async def awaits_its_task(receive: Receive, send: Send) -> None:
    await asyncio.ensure_future(awaits(receive, send))


async def late(send: Send) -> None:
    await asyncio.sleep(10)
    await send(E)


background: set[asyncio.Future[None]] = set()
TRAILERS = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]}
DENIAL = {"type": "websocket.http.response.start", "status": 401}
DENIED = {"type": "websocket.http.response.body"}
SPOKEN: Message = {"type": "websocket.receive", "text": "a"}
PUSH, COPY, PATH = "http.response.push", "http.response.zerocopysend", "http.response.pathsend"
HINT = "http.response.early_hint"

EXAMPLES: dict[str, tuple[list[Example], list[Example]]] = {  # rule: accepted, refused
    "scope-has-its-shape": (
        [
            scoped(),
            scoped(raw_path=None, client=None, state={}, extensions=None, mine=object()),
            does(raises, {"type": "raw"}),
        ],
        [
            scoped(method=b"GET"),
            scoped(headers=None),
            scoped(asgi={}),
            Example({"type": "http"}),
            Example({}),
            ws(subprotocols="chat"),
        ],
    ),
    "scope-has-versions": (
        [scoped(asgi={"version": "3.0"}), scoped(asgi={"version": "3.0", "spec_version": "2.5"})],
        [scoped(asgi={"version": "2.0"}), scoped(asgi={"version": "3.0", "spec_version": "new"})],
    ),
    "method-is-uppercase": (
        [scoped(method="PATCH"), scoped(method="M-SEARCH")],
        [scoped(method="get"), scoped(method="")],
    ),
    "http-version-is-known": ([scoped(http_version="2"), ws(CLOSE)], [scoped(http_version="HTTP/1.1")]),
    "scheme-is-not-empty": ([scoped(scheme="https")], [scoped(scheme=""), ws(CLOSE, scheme="")]),
    "raw-path-has-no-query": ([scoped(raw_path=b"/a")], [scoped(raw_path=b"/a?b")]),
    "scope-headers-are-pairs": (
        [scoped(headers=([b"a", b"b"], (b"a", b"c"))), scoped(headers=iter([(b"a", b"b")]))],
        [scoped(headers=[(b":authority", b"x")]), scoped(headers=[[b"a"]])],
    ),
    "addresses-are-host-and-port": (
        [scoped(client=["::1", 80], server=("x", 80)), scoped(client=None, server=["/run/x.sock", None])],
        [scoped(client=("::1", "80")), scoped(client=(80, "::1")), scoped(server=("x",))],
    ),
    "tls-is-of-secure-connections": (
        [scoped(scheme="https", extensions={"tls": {}}), ws(CLOSE, scheme="wss", extensions={"tls": {}})],
        [scoped(scheme="http", extensions={"tls": {}}), ws(CLOSE, scheme="ws", extensions={"tls": {}})],
    ),
    "received-has-its-shape": (
        [http(START, END, given=({**REQUEST, "more_body": True, "body": b"a"}, REQUEST, LEFT))],
        [
            http(given=({"type": "http.request", "body": "a"},)),
            http(given=({"type": "http.request", "more_body": 1},)),
            http(given=(CONNECT,)),
            http(given=({},)),
            http(given=(cast(Message, None),)),
        ],
    ),
    "received-in-order": (
        [http(START, END, given=(REQUEST, LEFT, LEFT)), ws(ACCEPT, CLOSE), ws(CLOSE)],
        [
            http(given=(REQUEST, REQUEST)),
            http(given=(LEFT, REQUEST)),
            ws(given=(CONNECT, CONNECT)),
            ws(given=(SPOKEN,)),
        ],
    ),
    "received-is-bytes-or-text": (
        [spoken({"text": "", "bytes": None}), spoken({"bytes": b"a"})],
        [spoken({}), spoken({"text": "a", "bytes": b"a"}), spoken({"text": None})],
    ),
    "nothing-after-return": ([does(awaits_its_task)], [does(leaves_a_task)]),
    "send-is-awaited": (
        [does(awaits)],
        [does(forgets_the_first), does(forgets_the_last), does(websocket_forgets, WEBSOCKET, CONNECT)],
    ),
    "one-send-at-a-time": (
        [does(awaits), does(websocket_sends_twice_at_once, WEBSOCKET, CONNECT)],
        [does(sends_twice_at_once)],
    ),
    "one-receive-at-a-time": ([does(receives_again_after_cancelling)], [does(receives_twice_at_once)]),
    "sent-has-its-shape": (
        [http(start(headers=iter([(b"a", b"b")])), {"type": "http.response.body"})],
        [
            http({"type": "http.response.begin"}),
            http({}),
            http(None),
            http({"type": "http.response.start"}),
            http(start(cast(int, True))),
            http(start(2**63)),
            http(start(-(2**63) - 1)),
            http(headed((b"a", b"b", b"c"))),
            http(headed({b"a", b"b"})),
            http(start(headers={"a": "b"})),
            http(headed(("a", "b"))),
            http(START, body("text")),
            http(START, body(bytearray(b"a"))),
            http(START, body(b"a", cast(bool, 1))),
            http(ACCEPT),
            ws({**ACCEPT, "subprotocol": b"chat"}),
            offered(HINT, {"type": HINT, "links": b"</a>"}),
            offered("http.response.debug", {"type": "http.response.debug", "info": {1: 2}}),
        ],
    ),
    "more-keys-are-plain": (
        [http(start(mine={"a": [1, 1.5, None, True, "a", b"a", {}]}), END), http(start(a=2**63 - 1, b=-(2**63)), END)],
        [
            http(start(mine=mine))
            for mine in ({1}, 2**63, -(2**63) - 1, float("nan"), float("inf"), {1: 2}, [object()], {"a": ({1},)})
        ],
    ),
    "extension-is-offered": (
        [
            offered("http.response.trailers", start(trailers=True), END, TRAILERS),
            offered(PUSH, START, {"type": PUSH, "path": "/a", "headers": []}, END),
            ws(DENIAL, DENIED, extensions={"websocket.http.response": {}}),
            http(start(trailers=False), END),
        ],
        [
            http(start(trailers=True)),
            http(START, {"type": PUSH, "path": "/a", "headers": []}),
            ws(DENIAL),
            http(START, {"type": PATH, "path": "/a"}, extensions=None),
            offered(PUSH, {"type": HINT, "links": []}),
            http({"type": "http.response.debug", "info": {}}),
            http(START, {"type": COPY, "file": 0}),
        ],
    ),
    "sent-in-order": (
        [http(START, body(b"a", True), END), offered("http.response.trailers", start(trailers=True), END, TRAILERS)],
        [
            http(END),
            http(START, START),
            http(START, END, END),
            offered("http.response.trailers", START, END, TRAILERS),
            offered("http.response.trailers", start(trailers=True), TRAILERS),
            offered(HINT, START, {"type": HINT, "links": []}),
            offered(PATH, START, body(b"a", True), {"type": PATH, "path": "/a"}),
            ws({"type": "websocket.send", "text": "a"}),
            ws(CLOSE, CLOSE),
            Example(LIFESPAN, (), ({"type": "lifespan.startup.complete"},)),
        ],
    ),
    "headers-are-pairs": ([http(headed([b"a", b"b"]), END)], [http(headed([b"a"])), http(headed([b"a", b"b", b"c"]))]),
    "no-pseudo-headers": (
        [http(headed((b"host", b"x")), END)],
        [http(headed((b":status", b"200"))), ws({**ACCEPT, "headers": [(b":path", b"/")]})],
    ),
    "header-names-are-lowercase-tokens": (
        [http(headed((b"x-a_b.c", b"")), END)],
        [http(headed((name, b""))) for name in (b"Content-Type", b"", b"a b", b"a\r\n", b"a:", b"\xe9", b"a\n")],
    ),
    "header-values-are-one-line": (
        [http(headed((b"a", b"\tb \xe9")), END), offered(HINT, {"type": HINT, "links": [b"</a>"]}, START, END)],
        [offered(PUSH, START, {"type": PUSH, "path": "/a", "headers": [(b"a", b"\n")]})]
        + [ws({**ACCEPT, "headers": [(b"a", b"\r")]})]
        + [ws({**DENIAL, "headers": [(b"a", b"\r")]}, extensions={"websocket.http.response": {}})]
        + [http(headed((b"a", value))) for value in (b"b\r\nset-cookie: c", b"b\r", b"\n", b"\0")]
        + [offered(HINT, {"type": HINT, "links": iter([b"</a>\n"])})]
        + [offered("http.response.trailers", start(trailers=True), END, {**TRAILERS, "headers": [(b"a", b"\n")]})],
    ),
    "status-is-final": (
        [http(start(status), END) for status in (200, 299, 418, 599)],
        [http(start(status)) for status in (0, 100, 103, 199, 600, -1)],
    ),
    "one-content-length": (
        [http(headed((b"content-length", b"0")), END), http(start(204), END)],
        [
            http(headed((b"content-length", b"1"), (b"content-length", b"1"))),
            http(headed((b"content-length", b"+1"))),
            http(headed((b"content-length", "\u0661".encode()))),
            http(start(204, headers=[(b"content-length", b"0")])),
        ],
    ),
    "no-body-where-none-may-be": (
        [http(start(204), END), http(start(304), body(b"")), http(START, body(b"a"), method="HEAD")],
        [http(start(status), body(b"a")) for status in (204, 205, 304)]
        + [offered(PATH, start(304), {"type": PATH, "path": "/a"})],
    ),
    "body-is-as-long-as-content-length": (
        [
            http(two_bytes(), body(b"ab")),
            http(two_bytes(), body(b"a", True), body(b"b")),
            http(two_bytes(), body(b"ab", True), END),
            http(two_bytes(), END, method="HEAD"),
            http(two_bytes(304), END),
            offered(PATH, two_bytes(), {"type": PATH, "path": "/a"}),
            offered(COPY, two_bytes(), {"type": COPY, "file": 0, "more_body": True}, END),
            http(START, body(b"abc")),
        ],
        [
            http(two_bytes(), body(b"a")),
            http(two_bytes(), body(b"abc")),
            http(two_bytes(), body(b"abc", True)),
            http(two_bytes(), body(b"a", True), body(b"bc")),
            http(two_bytes(404), END),
        ],
    ),
    "path-is-absolute": (
        [offered(PATH, START, {"type": PATH, "path": "/etc/hosts"})],
        [offered(PATH, START, {"type": PATH, "path": "etc/hosts"})],
    ),
    "sent-is-bytes-or-text": (
        [ws(ACCEPT, said(text=""), said(bytes=b"", text=None), CLOSE)],
        [ws(ACCEPT, said()), ws(ACCEPT, said(text="a", bytes=b"a")), ws(ACCEPT, said(text=None))],
    ),
    "subprotocol-is-offered": (
        [ws({**ACCEPT, "subprotocol": "chat"}, CLOSE), ws({**ACCEPT, "subprotocol": None}, CLOSE)],
        [ws({**ACCEPT, "subprotocol": "news"}), ws({**ACCEPT, "headers": [(b"sec-websocket-protocol", b"chat")]})],
    ),
    "close-fits-its-frame": (
        [ws({**CLOSE, "code": code}) for code in (1000, 1012, 4999)] + [ws({**CLOSE, "reason": "é" * 61 + "a"})],
        [ws({**CLOSE, "code": code}) for code in (999, 1004, 1005, 1006, 1015, 5000)]
        + [ws({**CLOSE, "reason": "é" * 62})],
    ),
    "unknown-scopes-are-refused": ([does(raises, {"type": "raw"})], [does(does_nothing, {"type": "raw"})]),
    "violations-are-not-swallowed": ([does(awaits)], [does(swallows)]),
    "returns-none": ([does(awaits)], [does(returns_something)]),
    "returns-when-complete": (
        [
            http(START, END),
            http(START, given=(REQUEST, LEFT)),
            ws(given=(CONNECT, {"type": "websocket.disconnect"})),
            ws(CLOSE),
            does(gives_up_quietly),
            does(stops_when_send_fails),
            Example(LIFESPAN, ({"type": "lifespan.startup"},), ({"type": "lifespan.startup.failed"},)),
        ],
        [
            http(),
            http(START),
            http(START, body(b"a", True)),
            offered("http.response.trailers", start(trailers=True), END),
            ws(),
            ws(ACCEPT),
            Example(LIFESPAN),
            Example(LIFESPAN, ({"type": "lifespan.startup"},), ({"type": "lifespan.startup.complete"},)),
        ],
    ),
}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_each_rule_accepts_and_refuses(rule: Rule) -> None:
    accepted, refused = EXAMPLES[rule.id]
    for example in accepted:
        example.play()
    for example in refused:
        with pytest.raises(ProtocolError) as caught:
            example.play()
        assert type(caught.value) is rule.fault
        assert f"({rule.id}; {rule.spec})" in str(caught.value)


def test_each_rule_has_both_examples_a_text_and_a_section() -> None:
    assert EXAMPLES.keys() == {rule.id for rule in rules()}
    assert all(accepted and refused for accepted, refused in EXAMPLES.values())
    assert all(rule.text.endswith(".") and rule.spec for rule in rules())
    assert len({rule.id for rule in rules()}) == len(rules())


def test_the_error_is_raised_where_it_happens() -> None:
    async def app(receive: Receive, send: Send) -> None:
        with pytest.raises(OutOfOrder, match=r"send http\.response\.start"):
            await send(E)
        raise Mine

    does(app).play()


def test_says_subject_rule_value_and_way_out() -> None:
    with pytest.raises(AppError) as caught:
        http(START, body("text")).play()
    assert str(caught.value) == (
        "http.response.body['body'] must be bytes, not 'text': encode() it (sent-has-its-shape; ASGI, Error Handling)"
    )


@pytest.mark.parametrize(
    ("example", "told"),
    [
        (http(START), "the app must not return when 'started': send http.response.body (returns"),
        (ws(given=()), "the app must not return when 'connecting': send websocket.close (returns"),
        (Example(LIFESPAN), "the app must not return when 'begin': receive() first (returns"),
        (ws(ACCEPT, said()), "websocket.send must have bytes or text, not neither (sent-is"),
        (ws(ACCEPT, said(text="a", bytes=b"a")), "websocket.send must have bytes or text, not both (sent-is"),
    ],
)
def test_says_what_is_missing(example: Example, told: str) -> None:
    with pytest.raises(AppError) as caught:
        example.play()
    assert str(caught.value).startswith(told)


def test_a_rule_can_be_left_out_by_name() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await awaits(receive, send)

    async def main(ignore: tuple[str, ...]) -> None:
        await validate(app, ignore=ignore)(cast(Scope, {**HTTP, "client": ("::1", "80")}), receive, send)

    async def receive() -> Received:
        raise AssertionError

    async def send(message: Sent) -> None:
        sent.append(message)

    sent: list[Sent] = []
    run(main(("addresses-are-host-and-port",)))
    assert sent == [S, E]
    with pytest.raises(ServerError):
        run(main(("no-pseudo-headers",)))
    with pytest.raises(ValueError, match="no-such-rule"):
        run(main(("no-such-rule",)))


def test_what_the_app_raises_goes_through_unchanged() -> None:
    async def app(receive: Receive, send: Send) -> None:
        await send(S)
        raise error

    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError) as caught:
        does(app).play()
    assert caught.value is error


def test_messages_reach_the_server_as_they_are_but_for_iterators() -> None:
    message = start(headers=iter([(b"a", b"b")]), mine="a")
    assert http(message, END).play() == [{**message, "headers": [(b"a", b"b")]}, END]
    sent = http(START, END).play()
    assert sent[0] is START
    assert sent[1] is END


def test_a_refused_message_does_not_reach_the_server() -> None:
    outbox: list[Message] = []

    async def app(receive: Receive, send: Send) -> None:
        try:
            await send(E)
        finally:
            outbox.extend(cast(list[Message], ()))

    with pytest.raises(OutOfOrder):
        does(app).play()
    assert outbox == []


def test_an_unknown_protocol_is_passed_on_unchecked() -> None:
    async def app(receive: Receive, send: Send) -> None:
        assert await receive() == {"type": "raw.bytes"}
        await send(cast(Sent, {"type": "raw.bytes"}))
        raise Mine

    assert does(app, {"type": "raw"}, {"type": "raw.bytes"}).play() == [{"type": "raw.bytes"}]
