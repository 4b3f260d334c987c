"""What a Request and a WebSocket have in common: the client, the URL, cookies, repeated parameters, names of routes."""

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit
from uuid import UUID

import clock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawasgi import HTTPError, Request, Router, WebSocket, respond
from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.cookies import parse
from rawasgi.dev.client import fetch, websocket
from rawasgi.handling import handler
from rawasgi.url import URL, Address, address_of


def seen(read: Callable[[Request], object], target: str = "/", **options: Any) -> Any:
    """What *read* returned for a request."""
    values: list[object] = []

    async def answer(request: Request) -> None:
        values.append(read(request))

    result = clock.run(fetch(handler(answer), target, **options))
    if result.status != 204:
        raise HTTPError(result.status, result.text)
    return values[0]


# The client


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("10.0.0.1", 5000), Address("10.0.0.1", 5000)),
        (["::1", 80], Address("::1", 80)),
        (None, None),
        ((), None),
    ],
)
def test_the_client_is_an_address_or_none(client: object, address: Address | None) -> None:
    assert seen(lambda request: request.client, scope={"client": client}) == address


def test_a_client_has_a_host_and_a_port() -> None:
    assert seen(lambda request: (request.client.host, request.client.port)) == ("127.0.0.1", 50000)  # type: ignore[union-attr]

    async def absent(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        scope = scope.copy()
        del scope["client"]
        await handler(shows)(scope, receive, send)

    async def shows(request: Request) -> str:
        return repr(request.client)

    assert clock.run(fetch(absent)).text == "None"


def test_granian_has_the_port_as_a_str() -> None:
    assert address_of(("10.0.0.1", "5000")) == Address("10.0.0.1", 5000)
    assert address_of(("10.0.0.1", "x")) is None
    assert address_of(("/run/app.sock", None)) is None


# The URL


@pytest.mark.parametrize(
    ("scope", "url"),
    [
        ({}, "http://testserver/a%20b/%E4%BD%A0?q=1&q=%20"),
        ({"scheme": "https"}, "https://testserver/a%20b/%E4%BD%A0?q=1&q=%20"),
        ({"query_string": b""}, "http://testserver/a%20b/%E4%BD%A0"),
        ({"query_string": "q=你#<\n".encode()}, "http://testserver/a%20b/%E4%BD%A0?q=%E4%BD%A0%23<%0A"),
        # uvicorn has the root_path in both paths, hypercorn in none, and no server has what a mount adds.
        (
            {"path": "/api/x", "raw_path": b"/api/x", "root_path": "/api", "query_string": b""},
            "http://testserver/api/x",
        ),
        ({"path": "/x", "raw_path": b"/x", "root_path": "/api", "query_string": b""}, "http://testserver/api/x"),
        ({"path": "/m/x", "raw_path": b"/x", "root_path": "/m", "query_string": b""}, "http://testserver/m/x"),
        (
            {"path": "/é /x", "raw_path": b"/x", "root_path": "/é ", "query_string": b""},
            "http://testserver/%C3%A9%20/x",
        ),
        # What the raw path alone knows.
        ({"path": "/a/b", "raw_path": b"/a%2Fb", "query_string": b""}, "http://testserver/a%2Fb"),
        ({"path": "/a/b", "raw_path": None, "query_string": b""}, "http://testserver/a/b"),
        ({"path": "/rewritten", "raw_path": b"/a%2Fb", "query_string": b""}, "http://testserver/rewritten"),
        ({"path": "/a?b#c", "raw_path": b"/a%3Fb#c", "query_string": b""}, "http://testserver/a%3Fb%23c"),
        ({"path": "*", "raw_path": b"*", "query_string": b""}, "http://testserver/*"),
        ({"path": "/\udc80", "raw_path": b"", "query_string": b""}, "http://testserver/%3F"),  # as quote() has it
    ],
)
def test_the_url_is_what_the_client_asked_for(scope: dict[str, object], url: str) -> None:
    found = seen(lambda request: request.url, "/a%20b/%E4%BD%A0?q=1&q=%20", scope=scope)
    assert (type(found), str(found)) == (URL, url)


@pytest.mark.parametrize(
    ("host", "server", "netloc"),
    [
        *(
            (host, ("1.2.3.4", 80), host)
            for host in ("a.example", "a.example:8000", "[::1]:80", "[::1]", "A_b-c.", "1.2.3.4")
        ),
        *(
            (host, ("1.2.3.4", 8000), "1.2.3.4:8000")
            for host in (
                "",
                "a b",
                "evil.example/x",
                "a@b",
                "a:b:c",
                "[::1",
                "[::x]",
                "[1:2]",
                "a:",
                "a:99999",
                "a?b",
                "a#b",
                "\xff",
                "a\\b",
            )
        ),
        (None, ("1.2.3.4", 80), "1.2.3.4"),
        (None, ("::1", 8000), "[::1]:8000"),
    ],
)
def test_the_host_is_that_of_the_client_if_it_is_one(host: str | None, server: object, netloc: str) -> None:
    headers = [(b"x-none", b"1")] if host is None else [(b"host", host.encode("latin-1"))]
    scope = {"server": server, **({"headers": headers} if host is None else {})}
    url = seen(lambda request: request.url, "/x?y", headers=headers, scope=scope)
    assert str(url) == f"http://{netloc}/x?y"
    assert (url.scheme, url.netloc, url.path, url.query) == ("http", netloc, "/x", "y")
    assert url.origin == f"http://{netloc}"


@pytest.mark.parametrize("server", [None, ("/run/app.sock", None), ()])
def test_a_url_without_a_host_is_a_path(server: object) -> None:
    scope = {"server": server, "headers": [], "path": "//evil.example/x", "raw_path": b"//evil.example/x"}
    url = seen(lambda request: request.url, "/", scope=scope)
    assert url == "/%2Fevil.example/x"
    assert (url.origin, url.hostname, url.port) == ("", None, None)
    scope = {"server": server, "headers": [], "path": "/x", "raw_path": b"/x", "query_string": b"q"}
    assert seen(lambda request: request.url, "/", scope=scope) == "/x?q"


def test_the_port_of_a_scheme_is_none() -> None:
    url = seen(lambda request: request.url, headers={"host": "EXAMPLE.com:443"}, scope={"scheme": "https"})
    assert (url.hostname, url.port, url) == ("example.com", 443, "https://EXAMPLE.com:443/")
    url = seen(lambda request: request.url, scope={"scheme": "https", "server": ("h", 443), "headers": []})
    assert (url.port, url) == (None, "https://h/")


@given(st.binary(max_size=30), st.binary(max_size=30), st.binary(max_size=30))
def test_a_url_can_be_read_whatever_came(host: bytes, raw: bytes, query: bytes) -> None:
    raw = raw.replace(b"?", b"")
    scope = {"raw_path": b"/" + raw, "path": "/" + unquote(raw.decode("latin-1")), "query_string": query}
    url = seen(lambda request: request.url, headers=[(b"host", host)], scope=scope)
    parts = (url.scheme, url.netloc, url.hostname, url.port, url.origin)
    assert parts[0] == "http"
    assert url.isascii()
    assert unquote_to_bytes(url.path) == unquote_to_bytes(b"/" + raw)
    assert not set(url) & set(" \r\n\t\0")
    assert urlsplit(url).fragment == ""


# Cookies


@pytest.mark.parametrize(
    ("headers", "cookies"),
    [
        ([], {}),
        (["a=b"], {"a": "b"}),
        (["a=b; c=d=e;f=;  g = h "], {"a": "b", "c": "d=e", "f": "", "g": "h"}),
        (["a=b", "c=d"], {"a": "b", "c": "d"}),  # crumbs (RFC 9113, 8.2.3)
        (["sid=deep; sid=root"], {"sid": "deep"}),
        (["a; =b; ;; ;=; c=d"], {"c": "d"}),
        (['a="b c"; d="'], {"a": "b c", "d": '"'}),
        ([r'a="b\073\"\\\351"'], {"a": 'b;"\\é'}),
        ([r'a="\9\x\400\"'], {"a": "9x400\\"}),
        (["a=你".encode(), b"b=\xff"], {"a": "你", "b": "\ufffd"}),
        (["__Host-a=1; $Version=1"], {"__Host-a": "1", "$Version": "1"}),
    ],
)
def test_cookies_are_what_a_browser_sends(headers: list[str], cookies: dict[str, str]) -> None:
    assert seen(lambda request: dict(request.cookies), headers=[("cookie", value) for value in headers]) == cookies


def test_every_cookie_of_a_name_can_be_had() -> None:
    assert parse(b"sid=deep; a=1; sid=root") == [("sid", "deep"), ("a", "1"), ("sid", "root")]


@given(st.binary(max_size=60))
def test_no_cookie_header_raises(header: bytes) -> None:
    assert all(name for name, _ in parse(header))


@given(st.text(st.characters(max_codepoint=255), min_size=1, max_size=20))
def test_a_cookie_that_python_has_quoted_comes_back(value: str) -> None:
    jar: SimpleCookie = SimpleCookie()
    jar["a"] = value
    assert parse(jar["a"].OutputString().encode("utf-8")) == [("a", value)]


# Repeated parameters


def test_a_query_parameter_may_come_more_than_once() -> None:
    assert seen(lambda request: request.query_list("q"), "/?q=b&r=x&q=a&q") == ["b", "a", ""]
    assert seen(lambda request: request.query_list("q", int), "/?q=2&q=1") == [2, 1]
    assert seen(lambda request: request.query_list("none", int), "/?q=2") == []
    with pytest.raises(HTTPError, match="must be an integer"):
        seen(lambda request: request.query_list("q", int), "/?q=2&q=x")
    with pytest.raises(HTTPError, match="must be 1 or more"):
        seen(lambda request: request.query_list("q", int, minimum=1), "/?q=2&q=0")


def test_a_default_needs_no_type() -> None:
    def read(request: Request) -> tuple[str, str | None]:
        word: str = request.query("q", default="")
        none: str | None = request.query("r", default=None)
        return word, none

    assert seen(read) == ("", None)
    assert seen(read, "/?q=a&r=b") == ("a", "b")


# Path parameters


def test_a_path_parameter_is_what_its_converter_gives() -> None:
    router = Router()

    @router.get("/{id:int}/{ratio:float}/{key:uuid}/{word}/{rest:path}")
    async def all_of_them(request: Request) -> None:
        number: int = request.param("id", int)
        values = [request.param(name) for name in ("id", "ratio", "key", "word", "rest")]
        assert values == [7, 0.5, UUID(int=1), "w", "a/b"]
        assert [type(value) for value in values] == [int, float, UUID, str, str]
        key: UUID = request.param("key", UUID)
        assert (number, key) == (7, UUID(int=1))
        with pytest.raises(HTTPError, match="must be 6 or less"):
            request.param("id", int, maximum=6)

    assert clock.run(fetch(router, f"/7/0.5/{UUID(int=1)}/w/a/b")).status == 204


def test_the_parameters_of_the_mounts_around_stay() -> None:
    router = Router()

    @router.get("/items/{id:int}")
    async def item(request: Request) -> str:
        return f"{request.param('tenant')} {request.param('id')}"

    scope = {"path_params": {"tenant": "a", "id": "outer"}}  # as from Starlette's Mount("/{tenant}")
    assert clock.run(fetch(router, "/items/7", scope=scope)).text == "a 7"


# A websocket


def test_a_websocket_has_all_of_them() -> None:
    router = Router()

    @router.websocket("/talk/{room:int}", name="talk")
    async def talk(websocket: WebSocket) -> None:
        assert websocket.param("room") == 7
        assert (websocket.query("q", int), websocket.query_list("r")) == (1, ["a", "b"])
        assert websocket.client == ("127.0.0.1", 50000)
        assert websocket.cookies == {"sid": "1"}
        assert websocket.header("cookie") == "sid=1"
        assert (b"cookie", b"sid=1") in [tuple(pair) for pair in websocket.headers]
        assert websocket.url == "ws://testserver/talk/7?q=1&r=a&r=b"
        assert websocket.url_for("talk", room=8) == "/talk/8"
        await websocket.accept()

    @router.websocket("/strict")
    async def strict(websocket: WebSocket) -> None:
        websocket.query("q", int)

    async def script() -> None:
        async with websocket(router, "/talk/7?q=1&r=a&r=b", headers={"cookie": "sid=1"}) as client:
            await client.accepted()
            assert await client.closed() == 1000
        async with websocket(router, "/strict?q=x", extensions={"websocket.http.response": {}}) as client:
            await client.finished()
            assert (client.status, client.header("content-type")) == (422, "application/problem+json")

    clock.run(script())


# Names of routes


def named() -> Router:
    outer, middle, inner = Router(), Router(), Router()

    @outer.get("/", name="home")
    @middle.get("/", name="middle")
    @inner.get("/item/{id:int}", name="item")
    async def links(request: Request) -> list[str]:
        return [request.url_for(name, **params) for name, params in (("home", {}), ("middle", {}), ("item", {"id": 7}))]

    @outer.get("/same", name="same")
    @inner.get("/same-inner", name="same")
    async def same(request: Request) -> str:
        return request.url_for("same")

    @inner.get("/none")
    async def none(request: Request) -> str:
        with pytest.raises(KeyError, match="nothing"):
            request.url_for("nothing")
        with pytest.raises(ValueError, match="needs id"):
            request.url_for("item")
        return "none"

    outer.mount("/m n", middle)
    middle.mount("/i", inner)
    return outer


@pytest.mark.parametrize(
    ("root", "before"),
    [("", ""), ("/api", "/api"), ("/api", ""), ("/a b", "/a b")],
    ids=["no", "uvicorn", "hypercorn", "space"],
)
def test_a_url_has_the_root_path_wherever_it_is_made(root: str, before: str) -> None:
    quoted = root.replace(" ", "%20")
    links = [f"{quoted}/", f"{quoted}/m%20n/", f"{quoted}/m%20n/i/item/7"]

    def ask(path: str) -> Any:
        return clock.run(fetch(named(), scope={"path": before + path, "root_path": root}))

    for path in ("/", "/m n", "/m n/", "/m n/i/item/1"):
        assert ask(path).json() == links
    assert [ask(path).text for path in ("/same", "/m n/i/same-inner")] == [
        f"{quoted}/same",
        f"{quoted}/m%20n/i/same-inner",
    ]
    assert ask("/m n/i/none").text == "none"


def test_a_router_knows_the_names_of_what_is_mounted() -> None:
    assert named().url_for("item", id=7) == "/m%20n/i/item/7"
    assert named().url_for("same") == "/same"
    other = named()
    other.mount("/text", respond.text(""))
    with pytest.raises(KeyError, match="nothing"):
        other.url_for("nothing")


def test_a_handler_without_a_router_knows_no_names() -> None:
    with pytest.raises(KeyError, match="home"):
        seen(lambda request: request.url_for("home"))


def test_a_handler_that_is_mounted_knows_the_names_of_its_router() -> None:
    router = Router()
    router.route("GET", "/home", respond.text("home"), name="home")

    async def link(request: Request) -> str:
        return request.url_for("home")

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        await handler(link)(scope, receive, send)

    apps: list[App] = [handler(link), middleware]
    for number, app in enumerate(apps):
        router.mount(f"/{number}", app)
    for number in range(2):
        assert clock.run(fetch(router, scope={"path": f"/api/{number}", "root_path": "/api"})).text == "/api/home"
