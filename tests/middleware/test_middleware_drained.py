"""Drain inside of a middleware and around it: an open stream ends with its final record, its source is closed."""

import asyncio
from typing import Any

import pytest
import stacks
import twins
from exchanging import Reader, run_unwatched
from stacks import ROWS, STACKS

from rawasgi.asgi import App
from rawasgi.dev.client import connect
from rawasgi.shutdown import Drain

CODED = "what is in a content coding can only be cut: Drain belongs inside of what compresses"


async def drain_stream(app: App, drain: Drain, path: str, headers: list[tuple[str, str]]) -> tuple[str, str, int]:
    """Begin *drain* while a stream is open; return the rest of its body, the error, and the status of a new request."""
    twins.log.clear()
    body = error = ""
    try:
        async with asyncio.timeout(1000), connect(app, "GET", path, headers=headers) as client:
            reader = Reader(client)
            assert await reader.chunk() == b"first\n"
            await asyncio.sleep(1)
            drain.begin()
            while data := await reader.chunk():
                body += data.decode()
            await client.finished()
    except Exception as raised:
        error = type(raised).__name__
    async with connect(app, "GET", path, headers=headers) as client:
        status = await client.started()
        await client.finished()
    assert not drain.open
    return body, error, status


def check(app: App, drain: Drain, path: str, headers: Any) -> None:
    body, error, status = run_unwatched(drain_stream(app, drain, path, headers))
    assert ("shutdown" in body, error, status) == (True, "", 503)
    assert twins.log == ["idle stopped", "idle closed"]


@pytest.mark.parametrize(("place", "name"), [each for each in STACKS if each[0] != "familiar"])
def test_drain_inside(place: str, name: str) -> None:
    drain = Drain()
    stack = stacks.stack(place, name, drain(twins.router))
    if (place, name) == ("around a router", "slowapi asgi"):
        pytest.skip("SlowAPIASGIMiddleware sends http.response.start again with each http.response.body")
    check(stack.ours, drain, f"{stack.prefix}/idle", ROWS[name].headers)


@pytest.mark.parametrize(("place", "name"), STACKS)
def test_drain_outside(place: str, name: str) -> None:
    drain = Drain()
    stack = stacks.stack(place, name)
    app, path = drain(stack.ours), f"{stack.prefix}/idle"
    if ROWS[name].adds != "content-encoding":
        check(app, drain, path, ROWS[name].headers)
    else:
        body, error, status = run_unwatched(drain_stream(app, drain, path, ROWS[name].headers))
        assert (body, error, status) == ("", "CutOff", 503), CODED
        assert twins.log == ["idle stopped", "idle closed"]
