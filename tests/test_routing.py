"""Which app answers which path. Mounts: test_mounts.py."""

import time
from typing import Unpack

import clock
import pytest

from rawasgi import respond
from rawasgi.dev.client import Result, fetch, lifespan, websocket
from rawasgi.dev.scopes import Options
from rawasgi.errors import AppError
from rawasgi.request import Request
from rawasgi.routing import Router
from rawasgi.websocket import WebSocket

router = Router()


@router.get("/")
async def home(request: Request) -> str:
    return "home"


@router.get("/items", name="list")
async def items(request: Request) -> str:
    return "items"


@router.post("/items")
async def add(request: Request) -> str:
    return "added"


@router.delete("/items/special")
async def remove(request: Request) -> None:
    return None


router.route("GET", "/items/special", respond.text("special"))


@router.get("/items/{id:int}")
async def item(request: Request) -> str:
    return f"item {request.param('id', int)}"


@router.put("/items/{id:int}")
async def put(request: Request) -> str:
    return f"put {request.param('id')}"


@router.patch("/items/{name}")
async def patch(request: Request) -> str:
    return f"patched {request.param('name')}"


@router.get("/files/{path:path}")
async def file(request: Request) -> str:
    return f"file {request.param('path')}"


@router.get("/count/{to:int}", kind=respond.ndjson)
async def count(request: Request):  # type: ignore[no-untyped-def]  # a handler may be without types
    for number in range(request.param("to", int)):
        yield number


@router.websocket("/talk/{room}")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send(f"room {websocket.scope['path_params']['room']}")


@router.websocket("/bare")
async def bare(websocket: WebSocket) -> None:
    await websocket.accept()


def ask(method: str, target: str, **options: Unpack[Options]) -> Result:
    return clock.run(fetch(router, target, method=method, **options))


# Finding


@pytest.mark.parametrize(
    ("method", "target", "text"),
    [
        ("GET", "/", "home"),
        ("GET", "/?q=1", "home"),
        ("GET", "/items", "items"),
        ("POST", "/items", "added"),
        ("GET", "/items/special", "special"),
        ("GET", "/items/7", "item 7"),
        ("PUT", "/items/7", "put 7"),
        ("PATCH", "/items/7", "patched 7"),
        ("PATCH", "/items/special", "patched special"),
        ("PATCH", "/items/%E4%BD%A0", "patched 你"),
        ("GET", "/files/a/b%20c", "file a/b c"),
        ("GET", "/files/", "file "),
        ("GET", "/count/2", "0\n1\n"),
    ],
)
def test_a_path_and_a_method_have_their_handler(method: str, target: str, text: str) -> None:
    result = ask(method, target)
    assert (result.status, result.text) == (200, text)


@pytest.mark.parametrize("target", ["/none", "/items/", "/items/1/2", "//", "/ITEMS", "/bare", "/talk/x"])
def test_no_route_is_404(target: str) -> None:
    for method in ("GET", "OPTIONS", "POST"):
        result = ask(method, target)
        assert (result.status, result.text, result.header("allow")) == (404, "Not Found", None)


@pytest.mark.parametrize(
    ("target", "allow"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/items", "GET, HEAD, OPTIONS, POST"),
        ("/items/7", "GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/items/special", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/items/other", "OPTIONS, PATCH"),
    ],
)
def test_another_method_is_405_and_options_says_which(target: str, allow: str) -> None:
    refused = ask("TRACE", target)
    assert (refused.status, refused.text, refused.header("allow")) == (405, "Method Not Allowed", allow)
    options = ask("OPTIONS", target)
    assert (options.status, options.body, options.header("allow")) == (204, b"", allow)


@pytest.mark.parametrize("method", ["__INIT__", "__CLASS__", "GET ", "?", "G\u0130T", "CONNECT", "A" * 60_000])
def test_no_method_is_an_attribute_or_500_starlette_2026(method: str) -> None:
    assert ask(method, "/items").status == 405


def test_a_route_of_options_or_head_goes_before_the_routers_own() -> None:
    own = Router()
    own.route("GET", "/", respond.text("get"))
    own.route("HEAD", "/", respond.text("head", 299))
    own.route("OPTIONS", "/", respond.text("options", 298))
    assert clock.run(fetch(own, method="HEAD")).status == 299
    assert clock.run(fetch(own, method="OPTIONS")).status == 298


def test_head_follows_get() -> None:
    result = ask("HEAD", "/items")
    assert (result.status, result.body, result.header("content-length")) == (200, b"", "5")
    assert ask("HEAD", "/none").status == 404
    only_post = Router()
    only_post.route("POST", "/", respond.text("a"))
    result = clock.run(fetch(only_post, method="HEAD"))
    assert (result.status, result.header("allow")) == (405, "OPTIONS, POST")


# What a client may try


@pytest.mark.parametrize("path", ["evil", "@evil.example", "", "*", "http://evil.example/items", "\0", "..", "?", "%"])
def test_a_target_without_a_slash_is_404_cve_2026_54282(path: str) -> None:
    assert ask("GET", "/", scope={"path": path}).status == 404


@pytest.mark.parametrize("host", [b"", b"\xff\xfe", b"[::1", b"evil.example/x", b"a:b:c", b"@", b"a b"])
def test_a_garbage_host_is_neither_500_nor_shown_cve_2026_48710(host: bytes) -> None:
    for target, status in [("/items", 200), ("/items/", 404), ("/none", 404)]:
        result = ask("GET", target, headers=[(b"host", host)])
        assert result.status == status
        assert result.header("location") is None


@pytest.mark.parametrize(
    "path",
    [
        *("//evil.example", "//evil.example/..", "/\\evil.example", "///evil.example", "//evil.example/%2e%2e"),
        *("/items//", "//items/", "/.//evil.example", "/\r\nlocation: x", "/;@evil.example", "/items/\t//evil.example"),
    ],
)
def test_nothing_is_redirected_cve_2021_28861(path: str) -> None:
    result = ask("GET", "/", scope={"path": path})
    assert 400 <= result.status < 500
    assert result.header("location") is None


@pytest.mark.parametrize("path", ["/" * 60_000, "/a" * 30_000, "/items/" + "9" * 60_000, "/items/" + "%" * 60_000])
def test_no_path_of_60_kb_costs_more_than_20_ms(path: str) -> None:
    spent = []
    for _ in range(5):
        before = time.process_time()
        assert next(router._table.matches(path), None) is None or path.startswith("/items/")
        spent.append(time.process_time() - before)
    assert min(spent) < 0.020
    assert ask("GET", "/", scope={"path": path}).status in (404, 405)


def test_many_headers_cost_no_more_than_their_bytes_cve_2026_22815() -> None:
    headers = [(b"x-%d" % number, b"x") for number in range(10_000)]
    assert ask("GET", "/items", headers=headers).text == "items"


# Names


@pytest.mark.parametrize(
    ("name", "params", "path"),
    [
        ("home", {}, "/"),
        ("list", {}, "/items"),
        ("add", {}, "/items"),
        ("item", {"id": 7}, "/items/7"),
        ("patch", {"name": "a/b"}, None),
        ("patch", {"name": "你 ?"}, "/items/%E4%BD%A0%20%3F"),
        ("file", {"path": "a/b"}, "/files/a/b"),
        ("talk", {"room": "x"}, "/talk/x"),
        ("item", {}, None),
        ("item", {"id": "x"}, None),
    ],
)
def test_a_route_has_a_url_by_its_name(name: str, params: dict[str, object], path: str | None) -> None:
    if path is not None:
        assert router.url_for(name, **params) == path
        return
    with pytest.raises(ValueError):
        router.url_for(name, **params)


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="items"):
        router.url_for("items")  # its name is list


# Registering


def test_a_method_of_a_path_has_one_handler() -> None:
    own = Router()
    own.get("/")(home)
    own.websocket("/")(bare)
    with pytest.raises(ValueError, match="GET / must have one handler"):
        own.get("/")(items)
    with pytest.raises(ValueError, match="websocket / must have one handler"):
        own.websocket("/")(bare)


@pytest.mark.parametrize("path", ["x", "", "//x", "/{a}{b}", "/{a:none}", "/{a:path}/b", "/{a}/{a}"])
def test_a_bad_pattern_is_a_value_error_each_time(path: str) -> None:
    own = Router()
    for _ in range(2):
        with pytest.raises(ValueError):
            own.get(path)(home)


def test_what_is_no_handler_is_a_type_error_at_registering() -> None:
    with pytest.raises(TypeError, match="async function"):
        router.get("/new")(lambda request: "x")  # type: ignore[type-var]  # that is what is tried
    assert ask("GET", "/new").status == 404


# Websockets


def test_a_websocket_has_its_handler() -> None:
    async def script() -> None:
        async with websocket(router, "/talk/7") as client:
            await client.accepted()
            assert await client.hear() == "room 7"
            assert await client.closed() == 1000
        async with websocket(router, "/bare") as client:
            await client.accepted()
            assert await client.closed() == 1000

    clock.run(script())


@pytest.mark.parametrize("target", ["/none", "/items", "/talk/a/b", "/items/special"])
@pytest.mark.parametrize(("extensions", "status"), [(None, 403), ({"websocket.http.response": {}}, 404)])
def test_a_websocket_without_a_handler_is_denied(
    target: str, extensions: dict[str, dict[str, object]] | None, status: int
) -> None:
    async def script() -> None:
        async with websocket(router, target, extensions=extensions) as client:
            with pytest.raises(ConnectionRefusedError):
                await client.accepted()
            assert client.status == status

    clock.run(script())


def test_a_router_does_not_answer_a_lifespan() -> None:
    async def script() -> None:
        with pytest.raises(AppError, match=r"not lifespan: wrap it in lifespan\(\)"):
            async with lifespan(router):
                pass

    clock.run(script())
