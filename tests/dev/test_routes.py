"""The routes of an app are found wherever they are: in routers, mounts, sub-apps and hosts, behind middleware."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import nested_app as nested
import pytest
from clock import run
from starlette.applications import Starlette
from starlette.routing import Mount

from rawasgi import Router, respond
from rawasgi.dev.client import fetch
from rawasgi.dev.routes import WEBSOCKET, declaration, function_of, route_at, routes, unwrapped
from rawasgi.dev.samples import Given, Samples

EVERY = [
    "GET /fast/v1/outer/inner/{item_id} one",
    "WS /fast/v1/outer/inner/ws ws",
    "GET /fast/v1/ours/feed/{count:int} feed",
    "WS /fast/v1/ours/talk app",
    "POST /fast/tenants/{tenant}/chat chat",
    "GET /fast/starlette/x plain",
    "POST /fast/starlette/x plain",
    "GET /fast/starlette/things get",
    "POST /fast/starlette/things post",
    "GET /fast/starlette/bare __call__",
    "GET /fast/starlette/deep/rest/{rest:path} plain",
    "GET /fast/starlette/by-host plain",
]


def test_every_route_is_found_with_its_whole_path_and_its_function() -> None:
    found = routes(nested.drained)
    named = [f"{each} {function.__name__}" for each in found.found if (function := each.function()) is not None]
    assert named == EVERY
    assert found.unread == ["/fast/static (StaticFiles)"]


def test_every_route_answers_at_its_path_with_its_host() -> None:
    samples = Samples(Given())

    async def statuses() -> list[int]:
        found = []
        for route in routes(nested.drained).found:
            if route.method != WEBSOCKET:
                target = samples.target(route)
                answer = await fetch(nested.drained, target.path, method=target.method, headers=target.headers)
                found.append(answer.status)
        return found

    assert run(statuses()) == [200] * (len(EVERY) - 2)


def test_a_route_knows_the_app_that_it_belongs_to_and_its_host() -> None:
    found = {each.path: each for each in routes(nested.drained).found}
    chat = found["/fast/tenants/{tenant}/chat"]
    assert (chat.local_path, chat.app) == ("/chat", nested.tenants)
    assert found["/fast/starlette/by-host"].host == "api.example.org"
    included = found["/fast/v1/outer/inner/{item_id}"]
    assert (included.local_path, included.app) == ("/v1/outer/inner/{item_id}", nested.app)


def test_a_path_is_that_of_the_first_route_that_answers_it() -> None:
    found = routes(nested.drained).found
    route = route_at(found, "GET", "/fast/v1/outer/inner/7?a=b")
    assert route is not None
    assert route.path == "/fast/v1/outer/inner/{item_id}"
    rest = route_at(found, "GET", "/fast/starlette/deep/rest/a/b")
    assert rest is not None
    assert rest.path.endswith("{rest:path}")
    assert route_at(found, "GET", "/nowhere") is None
    assert route_at(found, "DELETE", "/fast/starlette/x") is None


def test_an_app_without_routes_has_none_and_is_named() -> None:
    assert routes(respond.text("x")).found == []
    assert routes(respond.text("x")).unread[0].startswith("/ (")


def test_what_is_no_route_is_named() -> None:
    found = routes(Starlette(routes=[object()]))  # type: ignore[list-item]  # as a framework's own kind may be
    assert (found.found, found.unread) == ([], ["/ (object)"])


def test_an_app_that_is_mounted_in_itself_is_read_once() -> None:
    app = Starlette()
    app.routes.append(Mount("/again", app))
    assert routes(app).found == []


def test_a_function_around_several_apps_is_around_none_in_particular() -> None:
    one, other = Router(), Router()

    async def either(scope: Any, receive: Any, send: Any) -> None:
        await (one if scope["path"] == "/" else other)(scope, receive, send)

    assert unwrapped(either) is None


def test_a_function_whose_variable_has_no_value_yet_is_around_none() -> None:
    def make() -> Callable[..., Awaitable[None]]:
        async def early(scope: Any, receive: Any, send: Any) -> None:
            await later(scope, receive, send)

        unwrapped(early)
        later = Router()
        return early

    assert isinstance(unwrapped(make()), Router)


def test_endless_middleware_is_no_app() -> None:
    class Around:
        @property
        def app(self) -> "Around":
            return self

    assert unwrapped(Around()) is None


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        (nested.plain, "plain"),
        (functools.partial(function_of, method="GET"), "function_of"),
        (nested.Things.get, "get"),
        (nested.Bare(), "__call__"),
        (print, None),
        (None, None),
        (int, None),
    ],
)
def test_the_function_of_an_endpoint_is_found_below_what_wraps_it(endpoint: object, name: str | None) -> None:
    function = function_of(endpoint)
    assert (function.__name__ if function is not None else None) == name


def test_what_is_not_written_in_python_is_declared_nowhere() -> None:
    assert declaration(None) == ("", 0)
    file, line = declaration(nested.plain)
    assert file.endswith("nested_app.py")
    assert line > 1
