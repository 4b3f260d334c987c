"""An app at the root, and a single-page app: what is theirs, and what stays another's."""

import asyncio
from pathlib import Path

import clock
import pytest

from rawasgi import Request, Router, WebSocket, files, respond
from rawasgi.asgi import App
from rawasgi.dev.client import Result, connect, fetch, websocket

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """What a build of a single-page app leaves."""
    (tmp_path / "assets").mkdir()
    for name in ("index.html", "app.js", "assets/logo.svg", "200.html"):
        (tmp_path / name).write_text(name)
    return tmp_path


def site(build: Path, prefix: str = "/", fallback: str | None = "index.html") -> Router:
    router = Router()

    @router.get("/api/word")
    async def word(request: Request) -> str:
        return "word"

    @router.websocket("/api/talk")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send("talk")

    router.mount(prefix, files.directory(build, fallback=fallback, headers={"Cache-Control": "max-age=60"}))
    router.mount("/docs", respond.text("docs"))
    return router


def ask(app: App, path: str, method: str = "GET", accept: str | None = BROWSER, **headers: str) -> Result:
    pairs = {name.replace("_", "-"): value for name, value in headers.items()}
    if accept is not None:
        pairs["accept"] = accept
    return asyncio.run(fetch(app, path, method=method, headers=pairs))  # files are opened in a thread


# At the root


@pytest.mark.parametrize("prefix", ["/", ""])
@pytest.mark.parametrize("fallback", [None, "index.html"])
def test_an_app_at_the_root_takes_what_nothing_else_takes(build: Path, prefix: str, fallback: str | None) -> None:
    app = site(build, prefix, fallback)
    paths = ("/api/word", "/docs", "/docs/x", "/app.js", "/assets/logo.svg", "/")
    assert [ask(app, path, accept="*/*").text for path in paths] == [
        *("word", "docs", "docs", "app.js", "assets/logo.svg", "index.html")
    ]


def test_an_app_at_the_root_hides_no_method_of_a_route(build: Path) -> None:
    for method, status in (("POST", 405), ("DELETE", 405), ("OPTIONS", 204), ("HEAD", 200)):
        answer = ask(site(build), "/api/word", method)
        assert answer.status == status
        assert status == 200 or answer.header("allow") == "GET, HEAD, OPTIONS"
    assert ask(site(build), "/app.js", "POST").header("allow") == "GET, HEAD"


def test_an_app_at_the_root_hides_no_websocket_and_files_deny_theirs(build: Path) -> None:
    async def script() -> None:
        async with websocket(site(build), "/api/talk") as client:
            await client.accepted()
            assert await client.hear() == "talk"
        for path in ("/none", "/app.js", "/"):
            async with websocket(site(build), path, extensions={"websocket.http.response": {}}) as client:
                await client.finished()
            assert (client.status, client.body) == (404, b"Not Found")

    clock.run(script())


@pytest.mark.parametrize(("root", "before"), [("", ""), ("/api", "/api"), ("/api", "")])
def test_an_app_at_the_root_sees_its_root_path_as_it_is(root: str, before: str) -> None:
    router = Router()
    seen: list[object] = []

    async def inner(scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # any app
        seen.extend((scope["root_path"], scope["path"]))
        await respond.text("")(scope, receive, send)

    router.mount("/", inner)
    assert clock.run(fetch(router, scope={"path": f"{before}/a/b", "root_path": root})).status == 200
    assert seen == [root, f"{root}/a/b"]


@pytest.mark.parametrize("path", ["*", "evil", "@evil.example"])
def test_what_is_no_path_is_404_also_with_an_app_at_the_root(path: str) -> None:
    router = Router()
    router.mount("/", respond.text("root"))
    assert clock.run(fetch(router, scope={"path": path})).status == 404


def test_routers_at_the_root_are_asked_in_turn_only_outside_in() -> None:
    outer, inner = Router(), Router()
    inner.route("GET", "/inner", respond.text("inner"))
    outer.route("POST", "/inner", respond.text("outer"))
    outer.mount("/", inner)
    assert clock.run(fetch(outer, "/inner", method="POST")).text == "outer"
    assert clock.run(fetch(outer, "/inner")).status == 405  # the route of the outer one takes the path


# The fallback


@pytest.mark.parametrize("path", ["/login", "/c/1", "/c/1/", "/assets/", "/%E4%BD%A0", "/docs.d/x", "/api/none"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_of_a_single_page_app_is_its_fallback(build: Path, path: str, method: str) -> None:
    answer = ask(site(build), path, method)
    assert (answer.status, answer.text) == (200, "index.html" if method == "GET" else "")
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert [value for name, value in answer.headers if name == b"cache-control"] == [b"no-cache"]
    assert answer.header("vary") == "Accept"


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        *(("/login", accept) for accept in (None, "", "*/*", "text/*", "application/json", "text/html;q=0, */*")),
        *((path, BROWSER) for path in ("/none.js", "/users/j.doe", "/assets/x.svg", "/.well-known", "//a", "/a//b")),
        *((path, BROWSER) for path in ("/%00", "/a%5Cb")),
    ],
)
def test_what_is_no_page_stays_404(build: Path, path: str, accept: str | None) -> None:
    answer = ask(site(build), path, accept=accept)
    assert (answer.status, answer.header("vary")) == (404, "Accept")


def test_a_path_that_leads_out_is_404_and_not_the_page(build: Path) -> None:
    for path in ("/../x", "/assets/../app.js", "/..", "/../../etc/passwd"):
        answer = asyncio.run(fetch(site(build), scope={"path": path}, headers={"accept": BROWSER}))
        assert (answer.status, answer.text) == (404, "Not Found")


@pytest.mark.parametrize(
    "accept", ["text/html", "TEXT/HTML", "text/html, */*", "*/*, text/html ; level=1", "a/b,text/html"]
)
def test_a_client_asks_for_a_page_by_naming_html(build: Path, accept: str) -> None:
    assert ask(site(build), "/login", accept=accept).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_a_fallback_is_for_get_and_head(build: Path, method: str) -> None:
    assert ask(site(build), "/login", method).status == 405


def test_the_fallback_is_never_kept_and_what_it_names_is(build: Path) -> None:
    app = site(build)
    for path in ("/", "/index.html", "/login"):
        assert ask(app, path).header("cache-control") == "no-cache"
    assert ask(app, "/app.js").header("cache-control") == "max-age=60"
    tag = ask(app, "/login").header("etag")
    assert tag is not None
    again = ask(app, "/c/1", if_none_match=tag)
    assert (again.status, again.header("cache-control"), again.header("vary")) == (304, "no-cache", "Accept")
    assert ask(app, "/login", range="bytes=0-4").text == "index"


def test_a_fallback_need_not_be_the_index(build: Path) -> None:
    app = site(build, fallback="200.html")
    assert [ask(app, path).text for path in ("/", "/login")] == ["index.html", "200.html"]
    assert [ask(app, path).header("cache-control") for path in ("/", "/login")] == ["max-age=60", "no-cache"]


def test_a_folder_without_a_slash_is_redirected_also_with_a_fallback(build: Path) -> None:
    (build / "help").mkdir()
    (build / "help" / "index.html").write_text("help")
    answer = ask(site(build), "/help")
    assert (answer.status, answer.header("location")) == (307, "help/")
    assert ask(site(build), "/help/").text == "help"


def test_a_folder_in_the_place_of_an_index_is_404_or_the_fallback(build: Path) -> None:
    (build / "odd" / "index.html").mkdir(parents=True)
    assert ask(site(build, fallback=None), "/odd/").status == 404
    assert ask(site(build), "/odd/").text == "index.html"


@pytest.mark.parametrize("fallback", ["none.html", "../200.html", "assets", "", "a//b", "/"])
def test_a_fallback_must_be_a_file_below_the_root(build: Path, fallback: str) -> None:
    with pytest.raises(FileNotFoundError, match="must be a file below"):
        files.directory(build, fallback=fallback)


def test_a_fallback_must_not_be_a_link_that_leads_out(build: Path) -> None:
    (build.parent / "secret.html").write_text("secret")
    (build / "out.html").symlink_to(build.parent / "secret.html")
    with pytest.raises(FileNotFoundError, match=r"not 'out\.html'"):
        files.directory(build, fallback="out.html")


def test_a_fallback_that_is_removed_later_is_404(build: Path) -> None:
    app = site(build)
    (build / "index.html").unlink()
    assert ask(app, "/login").status == 404


def test_a_single_page_app_may_have_a_prefix(build: Path) -> None:
    router = Router()
    router.mount("/app", files.directory(build, fallback="index.html"))
    paths = {"/app/": 200, "/app/login": 200, "/app/app.js": 200, "/app/none.js": 404, "/login": 404, "/app": 307}
    assert {path: ask(router, path).status for path in paths} == paths


def test_a_client_that_leaves_while_the_fallback_is_sent_is_no_error(build: Path) -> None:
    (build / "index.html").write_text("x" * 4_000_000)

    async def script() -> None:
        async with connect(site(build), "GET", "/login", headers={"accept": BROWSER}) as client:
            await client.started()
            await client.leave()
            await client.finished()

    asyncio.run(script())
