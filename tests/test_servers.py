"""The table of servers is true of the servers that are installed: their own classes are asked."""

import asyncio
from collections.abc import Callable
from typing import Any

import clock
import pytest
from hypercorn.config import Config
from hypercorn.protocol.events import Request
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.utils import UnexpectedMessageError

from rawasgi.servers import SERVERS, sends_trailers, server_of

BY_NAME = {server.name: server for server in SERVERS}


async def hypercorn(version: str) -> tuple[HTTPStream, list[object]]:
    """A stream of hypercorn's that has begun, and the events that it sends on."""
    sent: list[object] = []

    async def send(event: object) -> None:
        sent.append(event)

    class Group:
        async def spawn_app(self, *_: object) -> Callable[[object], object]:
            return asyncio.Queue[object]().put

    config: Any = Config()
    nothing: Any = None
    state: Any = {}
    group: Any = Group()
    stream = HTTPStream(nothing, config, nothing, group, True, None, None, send, 1)
    headers = [(b"te", b"trailers"), (b"host", b"a")]
    await stream.handle(
        Request(stream_id=1, headers=headers, http_version=version, method="GET", raw_path=b"/", state=state)
    )
    return stream, sent


@pytest.mark.parametrize("version", ["1.1", "2", "3"])
def test_hypercorn_is_recognized_and_offers_what_the_docstrings_say(version: str) -> None:
    async def script() -> None:
        stream, _ = await hypercorn(version)
        assert server_of(stream.app_send) is BY_NAME["hypercorn"]
        offered = set(stream.scope["extensions"])
        names = {"http.response.early_hint", "http.response.push", "http.response.trailers"}
        assert offered == (set() if version == "1.1" else names)

    clock.run(script())


def test_hypercorn_refuses_hints_after_the_start() -> None:
    async def script() -> None:
        stream, _ = await hypercorn("2")
        start: Any = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
        hint: Any = {"type": "http.response.early_hint", "links": []}
        await stream.app_send(hint)
        await stream.app_send(start)
        with pytest.raises(UnexpectedMessageError):
            await stream.app_send(hint)

    clock.run(script())
    assert BY_NAME["hypercorn"].refuses_late_hints


def test_trailers_are_not_sent_where_a_server_breaks_them() -> None:
    assert [version for version in ("1.0", "1.1", "2", "3") if not sends_trailers(version)] == ["3"]
