"""Lifespans inside of lifespans: wrapped apps, mounted apps, FastAPI's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from clock import run
from fastapi import FastAPI, Request

from rawasgi import Router, respond
from rawasgi.asgi import App, LifespanScope, Receive, Scope, Send
from rawasgi.dev.client import fetch
from rawasgi.dev.client import lifespan as life
from rawasgi.dev.lifetime import LifespanFailed
from rawasgi.errors import AppError
from rawasgi.lifespans import lifespan, lifespans, running

State = dict[str, object]
SCOPE: LifespanScope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}


def noting(events: list[str], name: str) -> Callable[..., AbstractAsyncContextManager[State]]:
    """A context manager that notes in *events* what becomes of it, and gives *name* as state."""

    @asynccontextmanager
    async def context(*_: object) -> AsyncIterator[State]:
        events.append(f"{name} opens")
        try:
            yield {name: name}
            events.append(f"{name} closes")
        except BaseException as error:
            events.append(f"{name} fails with {type(error).__name__}")
            raise

    return context


def fastapi_app(context: Callable[..., AbstractAsyncContextManager[State]]) -> App:
    app = FastAPI(lifespan=context)

    @app.get("/")
    async def state(request: Request) -> State:
        return {name: getattr(request.state, name) for name in ("outer", "inner")}

    return app


def wrapped(app: App) -> App:
    return app


def mounted(app: App) -> App:
    router = Router()
    router.mount("/fastapi", app)
    return router


@pytest.mark.parametrize("place", [wrapped, mounted])
def test_the_lifespan_of_fastapi_runs_inside_and_shares_the_state(place: Callable[[App], App]) -> None:
    events: list[str] = []
    app = lifespan(place(fastapi_app(noting(events, "inner"))), noting(events, "outer"))

    async def main() -> object:
        async with life(app) as server:
            assert events == ["outer opens", "inner opens"]
            assert server.state == {"outer": "outer", "inner": "inner"}
            assert set(server.scope) == {"type", "asgi", "state"}  # Starlette writes "app" and "router" into its own
            target = "/fastapi/" if place is mounted else "/"
            return (await fetch(app, target, state=server.state)).json()

    assert run(main()) == {"outer": "outer", "inner": "inner"}
    assert events == ["outer opens", "inner opens", "inner closes", "outer closes"]


def test_lifespans_nest_as_deep_as_they_are_written() -> None:
    events: list[str] = []
    app = lifespan(lifespan(lifespan(respond.text("x"), noting(events, "c")), noting(events, "b")), noting(events, "a"))

    async def main() -> None:
        async with life(app) as server:
            assert server.state == {"a": "a", "b": "b", "c": "c"}

    run(main())
    assert events == [*(f"{name} opens" for name in "abc"), *(f"{name} closes" for name in "cba")]


@asynccontextmanager
async def failing(*_: object) -> AsyncIterator[State]:
    raise LookupError("no database")
    yield {}


@asynccontextmanager
async def failing_to_close(*_: object) -> AsyncIterator[State]:
    yield {}
    raise LookupError("not flushed")


@pytest.mark.parametrize("inner", [lambda: lifespan(respond.text("x"), failing), lambda: fastapi_app(failing)])
def test_a_startup_that_fails_inside_fails_the_whole_and_closes_what_was_opened(inner: Callable[[], App]) -> None:
    events: list[str] = []

    async def main() -> None:
        with pytest.raises(LifespanFailed, match=r"^LookupError: no database$"):
            async with life(lifespan(inner(), noting(events, "outer"))):
                events.append("started")

    run(main())
    assert events == ["outer opens", "outer fails with LookupError"]


def test_a_shutdown_that_fails_inside_is_reported_after_the_outer_one_closed() -> None:
    events: list[str] = []

    async def main() -> None:
        async with life(lifespan(fastapi_app(failing_to_close), noting(events, "outer"))):
            pass

    with pytest.raises(LookupError, match="not flushed"):
        run(main())
    assert events == ["outer opens", "outer fails with LookupError"]


@pytest.mark.parametrize("kind", ["startup", "shutdown"])
def test_a_failure_without_an_error_becomes_one(kind: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if kind == "startup":
            await send({"type": "lifespan.startup.failed", "message": "no disk"})
        else:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.failed"})
        await receive()  # as on a server, the lifespan is over

    async def main() -> None:
        async with running(app, SCOPE):
            assert kind == "shutdown"

    with pytest.raises(AppError, match="failed: no disk" if kind == "startup" else "failed: $"):
        run(main())


async def returning(scope: Scope, receive: Receive, send: Send) -> None:
    """No lifespan, and no error."""


async def receiving_only(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


@pytest.mark.parametrize("app", [respond.text("x"), Router(), returning, receiving_only])
def test_an_app_without_a_lifespan_is_left_alone(app: App) -> None:
    events: list[str] = []

    async def main() -> None:
        async with life(lifespan(app, noting(events, "outer"))):
            events.append("started")

    run(main())
    assert events == ["outer opens", "started", "outer closes"]


def test_an_app_that_raises_before_it_has_started_fails_the_start() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise LookupError("no database")

    async def main() -> None:
        async with life(lifespan(app, noting([], "outer"))):
            pass

    with pytest.raises(LifespanFailed, match="LookupError: no database"):
        run(main())


def test_an_app_that_raises_while_it_runs_fails_the_shutdown() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.sleep(0.5)
        raise LookupError("connection lost")

    async def main() -> None:
        async with life(lifespan(app, noting([], "outer"))) as server:
            await asyncio.sleep(1)
            assert [message["type"] for _, message in server.messages][-1] == "lifespan.startup.complete"

    with pytest.raises(LookupError, match="connection lost"):
        run(main())


def test_the_mounted_apps_start_in_order_once_each_and_shut_down_in_reverse() -> None:
    events: list[str] = []
    apps = [lifespan(respond.text("x"), noting(events, name)) for name in "abc"]
    router = Router()
    for prefix, app in [("/a", apps[0]), ("/longer/b", apps[1]), ("/c", apps[2]), ("/again", apps[0])]:
        router.mount(prefix, app)

    async def main() -> None:
        async with life(router) as server:
            assert server.state == {"a": "a", "b": "b", "c": "c"}

    run(main())
    assert events == [*(f"{name} opens" for name in "abc"), *(f"{name} closes" for name in "cba")]


def test_what_has_started_is_shut_down_when_the_next_one_fails() -> None:
    events: list[str] = []
    app = lifespans([lifespan(respond.text("x"), noting(events, "a")), fastapi_app(failing)])

    async def main() -> None:
        async with life(app):
            pass

    with pytest.raises(LifespanFailed, match="no database"):
        run(main())
    assert events == ["a opens", "a closes"]


def test_lifespans_answer_nothing_else() -> None:
    with pytest.raises(AppError, match="no answer to http"):
        run(fetch(lifespans([])))


def test_a_cancelled_server_cancels_the_inner_lifespan_first_and_waits_for_it() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def inner() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(1)
            events.append("inner is released")

    async def main() -> None:
        async with life(lifespan(lifespan(respond.text("x"), inner), noting(events, "outer"))) as server:
            await server.cancel()

    run(main())
    assert events == ["outer opens", "inner is released", "outer fails with CancelledError"]


def test_an_inner_app_may_finish_after_it_has_reported_its_shutdown() -> None:
    events: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        await asyncio.sleep(1)
        events.append("finished")

    async def main() -> None:
        async with life(lifespan(app, noting(events, "outer"))):
            pass

    run(main())
    assert events == ["outer opens", "finished", "outer closes"]
