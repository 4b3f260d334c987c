"""An error of a middleware ends the stream that it has begun: at once, and without a busy loop."""

import asyncio
from typing import Any

import pytest
import twins
from exchanging import FEW, iterations_until
from stacks import PLACES, Next, Row
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response

from rawasgi.asgi import App


async def fail_after_start(request: Request, call_next: Next) -> Response:
    await call_next(request)
    raise LookupError("in the middleware")


async def iterations_to_end(app: App, path: str) -> int:
    """Return how many iterations of a real loop go by until the call of *app* has raised."""
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
    }

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None: ...

    async def call() -> None:
        await app(scope, receive, send)

    task = asyncio.create_task(call())
    iterations = await iterations_until(task.done)
    with pytest.raises(LookupError):
        await task
    return iterations


@pytest.mark.parametrize("source", ["ready", "paced", "idle", "hot"])
@pytest.mark.parametrize("place", PLACES)
def test_a_middleware_that_raises_after_the_start_ends_the_stream_at_once(place: str, source: str) -> None:
    """anyio cancels the app anew in each iteration until it ends, and the app waits in a send() that never returns."""
    stack = PLACES[place](Row(lambda app: BaseHTTPMiddleware(app, fail_after_start)), twins.router)
    assert asyncio.run(iterations_to_end(stack.ours, f"{stack.prefix}/{source}")) < FEW
