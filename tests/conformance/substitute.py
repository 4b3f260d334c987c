"""A pytest plugin for the peers' own tests: our classes under their names, if OURS is set, and a report of each case.

OURS is "familiar" or "fastapi". The names are put in place before any test module is imported. Peers' tests call a
response with scopes that lack what the spec requires ("HTTP Connection Scope"); what is lacking is added, or no
server's scope would ever be tested.
"""

import json
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest

from rawasgi import familiar
from rawasgi.asgi import Receive, Scope, Send
from rawasgi.familiar import fastapi

SERVER: Mapping[str, Mapping[str, object]] = {
    "http": {"method": "GET"},
    "websocket": {"scheme": "ws", "subprotocols": [], "extensions": {"websocket.http.response": {}}},
}
# The modules in which a peer has its classes, and the classes that replace them
RESPONSES = (
    "FileResponse",
    "Response",
    "PlainTextResponse",
    "HTMLResponse",
    "JSONResponse",
    "RedirectResponse",
    "StreamingResponse",
)
EVENTS = ("EventSourceResponse", "ServerSentEvent")
SSE_STARLETTE = ("sse_starlette", "sse_starlette.sse", "sse_starlette.event")
REPLACED: Mapping[str, list[tuple[str, object, tuple[str, ...]]]] = {
    "familiar": [
        ("starlette.responses", familiar, RESPONSES),
        ("starlette.background", familiar, ("BackgroundTask", "BackgroundTasks")),
        *((module, familiar, EVENTS) for module in SSE_STARLETTE),
    ],
    "fastapi": [
        ("starlette.responses", fastapi, ("FileResponse", "StreamingResponse")),
        *((module, fastapi, EVENTS) for module in SSE_STARLETTE),
        ("fastapi.responses", fastapi, ("FileResponse", "StreamingResponse", "EventSourceResponse")),
        ("fastapi.sse", fastapi, EVENTS),
        ("fastapi", fastapi, ("FastAPI", "APIRouter")),
    ],
}
outcomes: dict[str, tuple[str, str]] = {}


def substitute(kit: str) -> None:
    import_module("fastapi.applications")  # what FastAPI itself uses stays its own, as when an app changes its imports
    for module, ours, names in REPLACED[kit]:
        place = import_module(module)
        for name in names:
            if hasattr(place, name):
                setattr(place, name, getattr(ours, name))
    events: Any = familiar.EventSourceResponse if kit == "familiar" else fastapi.EventSourceResponse
    for module in SSE_STARLETTE:
        setattr(import_module(module), "ensure_bytes", ensure_bytes(events))  # noqa: B010
    # Private hooks of theirs, which tests put something else into: it is not called, and the rest of the case counts.
    setattr(events, "_listen_for_exit_signal", None)  # noqa: B010
    respond = familiar.Response.__call__

    async def called(self: familiar.Response, scope: Scope, receive: Receive, send: Send) -> None:
        common = {"asgi": {"version": "3.0"}, "http_version": "1.1", "path": "/", "query_string": b"", "headers": []}
        whole = {**common, **SERVER[scope["type"]], **scope}
        await respond(self, cast(Scope, whole), receive, send)

    setattr(familiar.Response, "__call__", called)  # noqa: B010  # mypy would have a method kept
    for streaming in (familiar.StreamingResponse, fastapi.StreamingResponse):
        setattr(streaming, "join", False)  # noqa: B010


def ensure_bytes(events: Any) -> Callable[[object, str], bytes]:
    def encode(item: object, sep: str) -> bytes:
        response = events([], sep=sep)
        return cast(bytes, getattr(response, "_sender", response)._encode(item))

    return encode


def pytest_configure() -> None:
    kit = os.environ.get("OURS")
    if kit:
        substitute(kit)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if "trio" not in item.name]  # asyncio only


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        error = getattr(report.longrepr, "reprcrash", None)
        outcomes[report.nodeid] = report.outcome, error.message if error else ""


def pytest_sessionfinish() -> None:
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(outcomes))
