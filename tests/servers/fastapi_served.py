"""The app of tests/fastapi_apps on a server, and FastAPI's tutorials, each generator watched; below /2.4 by that spec.

The environment variable WATCHED_APPS names the folder that ``leaving.prepare`` has made: it decides which classes they
use.
"""

import os
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["WATCHED_APPS"])
sys.path[:0] = [str(FOLDER), str(Path(__file__).parents[1] / "fastapi_apps")]

import watched  # noqa: E402
from house import with_2_4  # noqa: E402

from rawasgi import Request, Router, respond, streams  # noqa: E402

os.environ["FILES"] = str(FOLDER)
os.chdir(FOLDER)
TUTORIALS = (FOLDER / "docs_src").glob("*/tutorial*.py")
apps: dict[str, Any] = {"assistant": import_module("assistant.main").app}
for path in TUTORIALS:
    apps[f"{path.parent.name}-{path.stem}"] = import_module(f"docs_src.{path.parent.name}.{path.stem}").app
measured = Router()


@measured.get("/calls")
async def calls(request: Request) -> dict[str, object]:
    since = request.query("since", int, default=0)
    return {"count": len(watched.calls), "calls": [call.events for call in watched.calls[since:]]}


@measured.get("/open-files")
async def open_files(request: Request) -> dict[str, int]:
    return {name: watched.open_files(f"{FOLDER}/{name}") for name in ("large.bin", "large-video-file.mp4")}


@measured.post("/upstream/chat/completions")
async def provider(request: Request) -> Any:
    await request.body()

    async def events() -> AsyncIterator[str]:
        while True:
            yield 'data: {"choices": [{"delta": {"content": "word "}}]}\n\n'
            await watched.pause()

    return respond.stream(streams.map(events(), str.encode), "text/event-stream")


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The app whose name is the first part of the path, or what was measured."""
    if scope["type"] == "lifespan":
        await measured(scope, receive, send)
        return
    os.environ.setdefault("LLM_URL", f"http://127.0.0.1:{scope['server'][1]}/upstream")
    is_2_4 = scope["path"].startswith("/2.4/")
    path = scope["path"].removeprefix("/2.4")
    name, _, rest = path[1:].partition("/")
    if name not in apps:
        await measured(scope, receive, send)
        return
    inner, scope = watched.watch_calls(apps[name]), {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
    if is_2_4:
        scope["asgi"] = {"version": "3.0", "spec_version": "2.4"}
        await with_2_4(receive, send, lambda *both: inner(scope, *both))
    else:
        await inner(scope, receive, send)
