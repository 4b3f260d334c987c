"""Apps under a prefix, and what servers make of a root_path."""

import clock
import pytest

from rawasgi import respond
from rawasgi.asgi import App, HTTPScope, Receive, Scope, Send
from rawasgi.dev.client import Result, fetch, websocket
from rawasgi.paths import route_path
from rawasgi.request import Request
from rawasgi.routing import Router
from rawasgi.websocket import WebSocket


async def seen(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what a mounted app sees of its place."""
    assert scope["type"] == "http"
    await respond.json([scope["root_path"], scope["path"], route_path(scope)])(scope, receive, send)


def nested() -> Router:
    outer, middle, inner = Router(), Router(), Router()
    outer.mount("/a", middle)
    middle.mount("/b", inner)
    inner.mount("/seen", seen)

    @outer.get("/a/kept")
    async def kept(request: Request) -> str:
        return "outer's"

    @outer.get("/top/{n:int}")
    async def top(request: Request) -> str:
        return "outer's"

    @inner.get("/x/{n:int}")
    async def number(request: Request) -> str:
        return f"inner's {request.param('n')}"

    @inner.get("/")
    async def home(request: Request) -> str:
        return "inner's home"

    @inner.websocket("/talk")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send(websocket.scope["root_path"])

    return outer


def ask(app: App, path: str, root: str | None = "", method: str = "GET") -> Result:
    scope = {"path": path, "root_path": root} if root is not None else {"path": path}
    return clock.run(fetch(app, method=method, scope=scope))


# uvicorn --root-path /api gives the path with it, hypercorn and granian without: protocol, "root_path"
SERVERS = pytest.mark.parametrize(
    ("root", "before"),
    [("", ""), ("/api", "/api"), ("/api", ""), ("/api/v1", "/api/v1")],
    ids=["no root_path", "uvicorn", "hypercorn", "deeper"],
)


@SERVERS
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/a/kept", "outer's"),
        ("/a/b/x/7", "inner's 7"),
        ("/a/b", "inner's home"),
        ("/a/b/", "inner's home"),
        ("/a", None),
        ("/a/bb", None),
        ("/ab/x/7", None),
        ("/b/x/7", None),
        ("/a/b/x/y", None),
        ("/a/b/x/7/", None),
    ],
)
def test_a_path_is_found_below_its_mounts_on_every_server(root: str, before: str, path: str, text: str | None) -> None:
    result = ask(nested(), before + path, root)
    assert (result.status, result.text) == ((200, text) if text else (404, "Not Found"))


@SERVERS
def test_a_mounted_app_sees_its_root_path_grown_and_in_its_path(root: str, before: str) -> None:
    place = ask(nested(), f"{before}/a/b/seen/more", root).json()
    assert place == [f"{root}/a/b/seen", f"{root}/a/b/seen/more", "/more"]
    assert ask(nested(), f"{before}/a/b/seen", root).json() == [f"{root}/a/b/seen", f"{root}/a/b/seen", "/"]


@SERVERS
def test_a_websocket_is_found_below_its_mounts(root: str, before: str) -> None:
    async def script() -> None:
        scope = {"path": f"{before}/a/b/talk", "root_path": root}
        async with websocket(nested(), scope=scope) as client:
            await client.accepted()
            assert await client.hear() == f"{root}/a/b"

    clock.run(script())


@pytest.mark.parametrize(
    ("path", "root", "own"),
    [
        ("/x", None, "/x"),
        ("/x", "", "/x"),
        ("/api/x", "/api", "/x"),
        ("/api", "/api", "/"),
        ("/api/", "/api", "/"),
        ("/apix", "/api", "/apix"),
        ("/x", "/api", "/x"),
        ("", "/api", ""),
    ],
)
def test_the_own_path_is_what_is_left_below_the_root_path(path: str, root: str | None, own: str) -> None:
    scope: HTTPScope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [],
    }
    if root is not None:
        scope["root_path"] = root
    assert route_path(scope) == own


def test_a_root_path_may_be_absent() -> None:
    router = Router()
    router.mount("/a", seen)

    async def absent(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        scope = scope.copy()
        del scope["root_path"]
        await router(scope, receive, send)

    assert ask(absent, "/a/x", None).json() == ["/a", "/a/x", "/x"]


def test_the_longest_mount_goes_first_and_a_route_before_it() -> None:
    router = Router()
    router.mount("/a", respond.text("short"))
    router.mount("/a/b/c", respond.text("long"))
    router.mount("/a/b", respond.text("middle"))
    router.route("GET", "/a/b/route", respond.text("route"))
    texts = [ask(router, path).text for path in ("/a/x", "/a/b/c/x", "/a/b/cc", "/a/b/route", "/a/b/route/x")]
    assert texts == ["short", "long", "middle", "route", "middle"]


def test_a_method_that_a_route_has_not_goes_to_the_mount() -> None:
    router = Router()
    router.route("GET", "/a/x", respond.text("route"))
    router.mount("/a", respond.text("mount"))
    assert ask(router, "/a/x", method="POST").text == "mount"


@pytest.mark.parametrize("prefix", ["a", "/a/", "a/", "//"])
def test_a_prefix_begins_with_a_slash_and_does_not_end_with_it(prefix: str) -> None:
    with pytest.raises(ValueError, match="must begin with / and not end with it"):
        Router().mount(prefix, seen)


@pytest.mark.parametrize("path", ["/a/kept", "/top/7", "/a/b/x/7", "/a/b/seen", "/none"])
def test_of_the_scope_that_was_given_no_key_of_the_spec_is_changed(path: str) -> None:
    async def kept(scope: Scope, receive: Receive, send: Send) -> None:
        before = dict(scope)
        await nested()(scope, receive, send)
        added = {"route", "endpoint", "path_params", "rawasgi.router"}
        assert {key: value for key, value in scope.items() if key not in added} == before

    assert ask(kept, f"/api{path}", "/api").status == (404 if path == "/none" else 200)
