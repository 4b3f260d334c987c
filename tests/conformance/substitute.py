"""A pytest plugin for the peers' own tests: our classes under their names, if OURS is set, and a report of each case.

The names are put in place before any test module is imported. Peers' tests call a response with scopes that lack what
the spec requires ("HTTP Connection Scope"); what is lacking is added, or no server's scope would ever be tested.
"""

import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import cast

import pytest
import starlette.background
import starlette.responses

from rawasgi import familiar
from rawasgi.asgi import Receive, Scope, Send

SERVER: Mapping[str, Mapping[str, object]] = {
    "http": {"method": "GET"},
    "websocket": {"scheme": "ws", "subprotocols": [], "extensions": {"websocket.http.response": {}}},
}
RESPONSES = (
    "FileResponse",
    "Response",
    "PlainTextResponse",
    "HTMLResponse",
    "JSONResponse",
    "RedirectResponse",
    "StreamingResponse",
)
outcomes: dict[str, tuple[str, str]] = {}


def substitute() -> None:
    for name in RESPONSES:
        setattr(starlette.responses, name, getattr(familiar, name))
    for name in ("BackgroundTask", "BackgroundTasks"):
        setattr(starlette.background, name, getattr(familiar, name))
    for module in map(import_module, ("sse_starlette", "sse_starlette.sse", "sse_starlette.event")):
        for name in ("EventSourceResponse", "ServerSentEvent"):
            if hasattr(module, name):
                setattr(module, name, getattr(familiar, name))
        if hasattr(module, "ensure_bytes"):
            setattr(module, "ensure_bytes", ensure_bytes)  # noqa: B010
    # Private hooks of theirs, which tests put something else into: it is not called, and the rest of the case counts.
    setattr(familiar.EventSourceResponse, "_listen_for_exit_signal", None)  # noqa: B010
    answer = familiar.Response.__call__

    async def called(self: familiar.Response, scope: Scope, receive: Receive, send: Send) -> None:
        common = {"asgi": {"version": "3.0"}, "http_version": "1.1", "path": "/", "query_string": b"", "headers": []}
        whole = {**common, **SERVER[scope["type"]], **scope}
        await answer(self, cast(Scope, whole), receive, send)

    setattr(familiar.Response, "__call__", called)  # noqa: B010  # mypy would have a method kept


def ensure_bytes(item: object, sep: str) -> bytes:
    return familiar.EventSourceResponse([], sep=sep)._encode(item)


def pytest_configure(config: pytest.Config) -> None:
    mode = os.environ.get("OURS")
    if mode:
        substitute()
        familiar.StreamingResponse.join = mode == "joined"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if "trio" not in item.name]  # asyncio only


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        error = getattr(report.longrepr, "reprcrash", None)
        outcomes[report.nodeid] = report.outcome, error.message if error else ""


def pytest_sessionfinish() -> None:
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(outcomes))
