"""What extensions send where they are offered, and what stands in for them elsewhere."""

from collections.abc import AsyncIterator, Callable

import pytest
from clock import run

from rawasgi import HTTPError, respond
from rawasgi.asgi import App, Sent
from rawasgi.dev.client import Result, connect, fetch, websocket
from rawasgi.extensions import TLS, debug, early_hints, offers, push, tls
from rawasgi.handling import handler
from rawasgi.request import Request
from rawasgi.websocket import WebSocket, websocket_app

Offer = dict[str, dict[str, object]]
HINTS: Offer = {"http.response.early_hint": {}}
PUSH: Offer = {"http.response.push": {}}
DEBUG: Offer = {"http.response.debug": {}}
STYLE = "</style.css>; rel=preload; as=style"
page = respond.html("<p>hello")


def sent(result: Result) -> list[object]:
    return [each.message["type"] for each in result.messages if each.direction == "send"]


def links(result: Result) -> list[bytes]:
    return [value for name, value in result.headers if name == b"link"]


async def lines() -> AsyncIterator[str]:
    yield "one"
    yield "two"


async def gone(message: Sent) -> None:
    raise BrokenPipeError("the client left")


# offers


@pytest.mark.parametrize("offered", [{}, {"extensions": None}, {"extensions": {}}, {"extensions": PUSH}])
def test_what_is_not_there_is_not_offered(offered: dict[str, object]) -> None:
    scope = connect(page, scope=offered).scope
    assert not offers(scope, "http.response.early_hint")


def test_what_is_there_is_offered_whatever_it_says() -> None:
    assert offers(connect(page, extensions=HINTS).scope, "http.response.early_hint")


def test_a_lifespan_is_offered_nothing() -> None:
    assert not offers({"type": "lifespan", "asgi": {"version": "3.0"}}, "http.response.push")


# early_hints


def test_hints_are_sent_before_the_app_begins() -> None:
    begun = []

    async def app(request: Request) -> str:
        begun.append("app")
        return "hello"

    async def script() -> None:
        async with connect(early_hints(handler(app), [STYLE, b"</app.js>"]), extensions=HINTS) as client:
            assert (await client.message()) == {
                "type": "http.response.early_hint",
                "links": [STYLE.encode(), b"</app.js>"],
            }
            await client.finished()

    run(script())
    assert begun == ["app"]


@pytest.mark.parametrize("extensions", [HINTS, {}, None])
def test_the_answer_has_the_links_too_after_its_own(extensions: Offer | None) -> None:
    """RFC 8297, 2: the final answer has them, for whoever has not seen the hint."""
    app = respond.text("hello", headers=[("link", "</next>; rel=next")])
    result = run(fetch(early_hints(app, [STYLE]), extensions=extensions))
    assert links(result) == [b"</next>; rel=next", STYLE.encode()]
    assert sent(result) == (["http.response.early_hint"] if extensions else []) + [
        "http.response.start",
        "http.response.body",
    ]


def test_an_error_that_is_an_answer_has_the_links() -> None:
    async def app(request: Request) -> str:
        raise HTTPError(404, "not here")

    result = run(fetch(early_hints(handler(app), [STYLE])))
    assert (result.status, links(result)) == (404, [STYLE.encode()])


def test_no_links_are_no_hint() -> None:
    result = run(fetch(early_hints(page, []), extensions=HINTS))
    assert sent(result) == ["http.response.start", "http.response.body"]


def test_the_app_may_send_more_hints() -> None:
    result = run(fetch(early_hints(early_hints(page, ["</inner>"]), ["</outer>"]), extensions=HINTS))
    assert sent(result)[:3] == ["http.response.early_hint", "http.response.early_hint", "http.response.start"]
    assert links(result) == [b"</inner>", b"</outer>"]


@pytest.mark.parametrize(
    "link", ["/style.css", "<a b>; rel=preload", "</a>, </b>", "</a> rel=next", "", "</a", "<<a>>"]
)
def test_a_link_has_its_target_in_angle_brackets(link: str) -> None:
    """RFC 8288, 3."""
    with pytest.raises(ValueError, match="a link must be <target>"):
        early_hints(page, [link])


@pytest.mark.parametrize("end", ["\r", "\n", "\0"])
def test_a_link_is_one_line(end: str) -> None:
    with pytest.raises(ValueError, match="header link must be one line without NUL"):
        early_hints(page, [f"</a>; rel=next{end}x: y"])


def test_the_app_runs_though_the_client_left_before_the_hint() -> None:
    """It may have a source to close."""
    closed = []

    class Source:
        def __aiter__(self) -> AsyncIterator[str]:
            return lines()

        async def aclose(self) -> None:
            closed.append("closed")

    async def script() -> None:
        client = connect(page, extensions=HINTS)
        await early_hints(respond.stream(Source()), [STYLE])(client.scope, client.receive, gone)

    run(script())
    assert closed == ["closed"]


# push


@pytest.mark.parametrize(
    ("app", "body"), [(page, ["http.response.body"]), (respond.stream(lines(), join=False), ["http.response.body"] * 3)]
)
def test_a_push_follows_the_start_of_wholes_and_streams(app: App, body: list[str]) -> None:
    """Extensions, "HTTP/2 Server Push": after the start, before the last body."""
    result = run(fetch(push(app, "/style.css", [(b"Accept", b"text/css")]), extensions=PUSH))
    assert sent(result) == ["http.response.start", "http.response.push", *body]
    [pushed] = [each.message for each in result.messages if each.message["type"] == "http.response.push"]
    assert pushed == {"type": "http.response.push", "path": "/style.css", "headers": [(b"accept", b"text/css")]}


@pytest.mark.parametrize("extensions", [PUSH, None])
def test_what_is_pushed_is_a_preload_too(extensions: Offer | None) -> None:
    """RFC 9113, 8.4: a client may refuse pushes, and the server does not say so."""
    result = run(fetch(push(page, "/style.css?v=1", destination="style"), extensions=extensions))
    assert links(result) == [b"</style.css?v=1>; rel=preload; as=style"]
    assert ("http.response.push" in sent(result)) is (extensions is not None)


def test_a_preload_for_nothing_in_particular_does_not_say_what_for() -> None:
    assert links(run(fetch(push(page, "/data")))) == [b"</data>; rel=preload"]


def test_what_is_pushed_pushes_not_itself() -> None:
    result = run(fetch(push(page, "/style.css"), "/style.css", extensions=PUSH))
    assert (sent(result), links(result)) == (["http.response.start", "http.response.body"], [])


def test_two_pushes_are_two() -> None:
    result = run(fetch(push(push(page, "/a"), "/b"), extensions=PUSH))
    assert sent(result).count("http.response.push") == 2
    assert links(result) == [b"</a>; rel=preload", b"</b>; rel=preload"]


@pytest.mark.parametrize(
    "path", ["style.css", "", "/a b", "/é", "/a\r\nx: y", "https://example.com/", "*", "/a>;rel=next,<b"]
)
def test_a_pushed_path_is_a_percent_encoded_one(path: str) -> None:
    with pytest.raises(ValueError, match="the path of a push must begin with / and be percent-encoded, not"):
        push(page, path)


# debug


def test_what_a_test_wants_to_know_comes_once_before_the_start() -> None:
    said: list[str] = []

    async def app(request: Request) -> str:
        said.append("rows: 3")
        return "hello"

    result = run(fetch(debug(handler(app), lambda: {"said": list(said)}), extensions=DEBUG))
    assert sent(result) == ["http.response.debug", "http.response.start", "http.response.body"]
    assert [m["info"] for _, m in result.messages if m["type"] == "http.response.debug"] == [{"said": ["rows: 3"]}]


def test_no_server_is_told_and_nobody_asked() -> None:
    def info() -> dict[str, object]:
        raise AssertionError("nobody may ask")

    result = run(fetch(debug(page, info)))
    assert sent(result) == ["http.response.start", "http.response.body"]


def test_two_that_tell_are_one_message_in_which_the_inner_wins() -> None:
    """Extensions, "Debug": once."""
    inner = debug(page, lambda: {"who": "inner", "inner": 1})
    result = run(fetch(debug(inner, lambda: {"who": "outer", "outer": 2}), extensions=DEBUG))
    assert sent(result) == ["http.response.debug", "http.response.start", "http.response.body"]
    assert result.messages[0].message["info"] == {"who": "inner", "inner": 1, "outer": 2}


# What is not http


@pytest.mark.parametrize(
    "wrap",
    [
        lambda app: early_hints(app, [STYLE]),
        lambda app: push(app, "/style.css"),
        lambda app: debug(app, dict),
    ],
    ids=["early_hints", "push", "debug"],
)
def test_websockets_pass_untouched(wrap: Callable[[App], App]) -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send("hello")

    async def script() -> None:
        async with websocket(wrap(websocket_app(talk)), "/style", extensions={**HINTS, **PUSH, **DEBUG}) as client:
            assert await client.accepted() is None
            assert await client.hear() == "hello"

    run(script())


# tls


def facts(**known: object) -> TLS | None:
    return tls(connect(page, scope={"extensions": {"tls": known}}).scope)


def test_without_tls_there_are_no_facts() -> None:
    assert tls(connect(page).scope) is None


def test_the_facts_of_tls_are_those_of_the_scope() -> None:
    found = facts(
        server_cert="-----BEGIN",
        client_cert_chain=["first", "second"],
        client_cert_name="CN=x",
        client_cert_error="expired",
        tls_version=0x0304,
        cipher_suite=0x1301,
    )
    assert found == TLS("-----BEGIN", ("first", "second"), "CN=x", "expired", 0x0304, 0x1301)
    assert found.version == "TLSv1.3"


@pytest.mark.parametrize("known", [{}, dict.fromkeys(TLS.__slots__)])
def test_facts_that_the_server_does_not_know_are_none(known: dict[str, object]) -> None:
    found = facts(**known)
    assert found == TLS()
    assert found.version is None


@pytest.mark.parametrize(
    ("number", "name"),
    [(0x0300, "SSLv3"), (0x0301, "TLSv1"), (0x0302, "TLSv1.1"), (0x0303, "TLSv1.2"), (0x0F1C, "0x0f1c")],
)
def test_a_version_has_the_name_that_ssl_gives_it_or_its_number(number: int, name: str) -> None:
    assert TLS(tls_version=number).version == name
