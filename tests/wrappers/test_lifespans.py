"""What lives as long as the app: its opening, its state, its end, and what fails on the way."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

import pytest
from clock import run

from rawasgi import respond
from rawasgi.asgi import Receive, Received, Scope, Send, Sent
from rawasgi.dev.client import fetch, websocket
from rawasgi.dev.client import lifespan as life
from rawasgi.errors import ServerError
from rawasgi.lifespans import lifespan

STARTUP, SHUTDOWN = "lifespan.startup", "lifespan.shutdown"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    state = scope.get("state", {})
    await respond.text(f"hello {state.get('name')}")(scope, receive, send)


class Opened:
    """A manager that tells what became of it."""

    def __init__(self, state: Mapping[str, object] | None = None, entering: str = "", leaving: str = "") -> None:
        self.state, self.entering, self.leaving = state, entering, leaving
        self.events: list[str] = []

    def __call__(self) -> "Opened":
        return self

    async def __aenter__(self) -> Mapping[str, object] | None:
        await asyncio.sleep(1)
        self.events.append("open")
        if self.entering:
            raise LookupError(self.entering)
        return self.state

    async def __aexit__(self, *error: object) -> None:
        await asyncio.sleep(1)
        self.events.append(f"closed with {error[0]}")
        if self.leaving:
            raise LookupError(self.leaving)


def test_it_is_open_from_startup_to_shutdown() -> None:
    opened = Opened()

    async def main() -> list[str]:
        async with life(lifespan(hello, opened)) as server:
            assert opened.events == ["open"]
            assert server.state == {}
        return [str(message["type"]) for _, message in server.messages]

    assert run(main()) == [STARTUP, f"{STARTUP}.complete", SHUTDOWN, f"{SHUTDOWN}.complete"]
    assert opened.events == ["open", "closed with None"]


def test_what_the_manager_gives_is_each_requests_state() -> None:
    @asynccontextmanager
    async def named() -> AsyncIterator[dict[str, object]]:
        yield {"name": "Wang"}

    async def main() -> str:
        app = lifespan(hello, named)
        async with life(app, state={"server": "its own"}) as server:
            assert server.state == {"server": "its own", "name": "Wang"}
            return (await fetch(app, state=server.state)).text

    assert run(main()) == "hello Wang"


def test_requests_and_websockets_go_to_the_app() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await hello(scope, receive, send)

    async def main() -> None:
        await fetch(lifespan(app, Opened()))
        async with websocket(lifespan(app, Opened())) as client:
            await client.finished()

    run(main())
    assert seen == ["http", "websocket"]


def test_a_failing_start_says_its_kind_and_text_and_is_raised() -> None:
    opened = Opened(entering="no database")
    failed, error = run(converse(opened, ["lifespan.startup"]))
    assert failed == {"type": "lifespan.startup.failed", "message": "LookupError: no database"}
    assert repr(error) == "LookupError('no database')"
    assert opened.events == ["open"]


def test_a_failing_end_says_its_kind_and_text_and_is_raised() -> None:
    async def main() -> list[str]:
        server = life(lifespan(hello, Opened(leaving="not flushed")))
        with pytest.raises(LookupError, match="not flushed"):
            async with server:
                pass
        return [str(message.get("message")) for _, message in server.messages]

    assert run(main())[-1] == "LookupError: not flushed"


def test_a_state_for_a_server_that_has_none_fails_the_start_and_closes() -> None:
    opened = Opened({"name": "Wang"})
    failed, error = run(converse(opened, ["lifespan.startup"]))
    assert failed is not None
    assert failed["type"] == "lifespan.startup.failed"
    assert failed["message"].startswith("ServerError: the server has no lifespan state")
    assert isinstance(error, ServerError)
    assert opened.events == ["open", f"closed with {ServerError}"]


def test_no_state_needs_none_of_the_server() -> None:
    last, error = run(converse(Opened({}), ["lifespan.startup", "lifespan.shutdown"]))
    assert (last, error) == ({"type": "lifespan.shutdown.complete"}, None)


def test_a_server_that_says_something_else_is_at_fault_and_told_nothing() -> None:
    opened = Opened()
    last, error = run(converse(opened, ["lifespan.shutdown"]))
    assert (last, str(error)) == (None, "the server must send lifespan.startup, not 'lifespan.shutdown'")
    assert opened.events == []
    last, error = run(converse(opened, ["lifespan.startup", "lifespan.startup"]))
    assert last == {"type": "lifespan.startup.complete"}
    assert isinstance(error, ServerError)
    assert opened.events == ["open", f"closed with {ServerError}"]


def test_a_cancelled_server_closes_it_all_the_same() -> None:
    opened = Opened()

    async def main() -> None:
        async with life(lifespan(hello, opened)) as server:
            await server.cancel()

    run(main())
    assert opened.events == ["open", f"closed with {asyncio.CancelledError}"]


async def converse(opened: Opened, types: list[str]) -> tuple[Sent | None, Exception | None]:
    """The last message to a server that has no state and says *types*, and what the app raised."""
    sent: list[Sent | None] = [None]
    received = [cast(Received, {"type": each}) for each in types]

    async def receive() -> Received:
        return received.pop(0)

    async def send(message: Sent) -> None:
        sent.append(message)

    try:
        await lifespan(hello, opened)({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    except Exception as error:
        return sent[-1], error
    return sent[-1], None
