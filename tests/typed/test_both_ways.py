"""What both_ways.py mounts and wraps does not only pass the type checkers: it is served."""

import both_ways
import clock
import pytest

from rawasgi.app_types import App
from rawasgi.dev.client import Result, fetch, websocket

ITEMS = '{"number":0}\n{"number":1}\n'


def get(app: App, target: str) -> Result:
    result = clock.run(fetch(app, target))
    assert result.status == 200
    return result


@pytest.mark.parametrize("prefix", ["", "/fastapi", "/base", "/cors", "/composed"])
@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/router/items", ITEMS),
        ("/precise/", "by hand"),
        ("/greeting/", "hello FastAPI"),
        ("/response/", "a response"),
        ("/wrapped/items", ITEMS),
        ("/dispatched/items", ITEMS),
        ("/user?token=an", '{"name":"AN"}'),
        ("/stream?token=an", "hello AN"),
    ],
)
def test_fastapi_serves_what_is_mounted_in_it(prefix: str, target: str, body: str) -> None:
    result = get(both_ways.FRONT if prefix else both_ways.API, prefix + target)
    assert result.body.decode() == body
    assert "FastAPI" in [value.decode() for name, value in result.headers if name == b"x-tag"]


@pytest.mark.parametrize("prefix", ["", "/starlette", "/gzip"])
@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/page", "a page"),
        ("/ours", "onetwo"),
        ("/router/items", ITEMS),
        ("/precise/", "by hand"),
        ("/greeting/", "hello Starlette"),
        ("/response/", "a response"),
        ("/familiar/", "a familiar response"),
        ("/wrapped/items", ITEMS),
    ],
)
def test_starlette_serves_what_is_mounted_in_it(prefix: str, target: str, body: str) -> None:
    result = get(both_ways.FRONT if prefix else both_ways.pages, prefix + target)
    assert result.body.decode() == body
    tags = [value.decode() for name, value in result.headers if name == b"x-tag"]
    assert tags == (["mount", "Starlette"] if target.startswith("/wrapped") else ["Starlette"])


@pytest.mark.parametrize(("target", "body"), [("/timed/items", ITEMS), ("/page", "a response of Starlette's")])
def test_a_router_serves_what_is_mounted_in_it(target: str, body: str) -> None:
    assert get(both_ways.FRONT, target).body.decode() == body


@pytest.mark.parametrize(
    ("app", "target", "answer"),
    [
        (both_ways.API, "/router/echo", "hello"),
        (both_ways.API, "/echo?token=an", "AN: hello"),
        (both_ways.FRONT, "/fastapi/router/echo", "hello"),
        (both_ways.FRONT, "/fastapi/echo?token=an", "AN: hello"),
        (both_ways.FRONT, "/composed/echo?token=an", "AN: hello"),
        (both_ways.FRONT, "/starlette/router/echo", "hello"),
        (both_ways.FRONT, "/timed/echo", "hello"),
    ],
)
def test_a_websocket_goes_through_both(app: App, target: str, answer: str) -> None:
    async def script() -> None:
        async with websocket(app, target) as client:
            await client.accepted()
            await client.say("hello")
            assert await client.hear() == answer
            await client.leave()

    clock.run(script())
