"""A small MCP server (streamable HTTP): a tool call is a run, whose stream is cut, and gone on with by GET."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rawasgi import Event, HTTPError, Request, Response, Router, lifespan, respond
from rawasgi.journal import Entry, Gap, Runs
from rawasgi.streams import DeadlineExceeded, Stream, owned

STEPS = 12
TOOL = {"name": "count", "inputSchema": {"type": "object"}}
router = Router()
runs = Runs()
calls = 0
resumed: list[str] = []
cut: dict[str, list[int]] = {}  # after which steps, by the name of the run


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    async with runs:
        yield


app = lifespan(router, living)


@router.post("/mcp")
async def post(request: Request) -> Response:
    message: Any = await request.json()
    if "id" not in message:
        return respond.empty(202)
    params = message.get("params", {})
    if message["method"] == "tools/call":
        how, cuts = params["arguments"]["how"], params["arguments"]["cuts"]
        name = await runs.start(call(message["id"], params["_meta"]["progressToken"], cuts))
        cut[name] = cuts
        return respond.sse(broken_off(cuts, runs.follow(name), how))
    if message["method"] == "initialize":
        server = {"name": "rawasgi", "version": "1"}
        result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": server}
    else:
        result = {"tools": [TOOL]}
    return respond.json({"jsonrpc": "2.0", "id": message["id"], "result": result})


@router.get("/mcp")
async def resume(request: Request) -> Response:
    name = runs.named(request.last_event_id)
    if name is None:
        raise HTTPError(404, "nothing of that id is here")
    resumed.append(str(request.last_event_id))
    return respond.sse(broken_off(cut[name], runs.follow(name, request.last_event_id), "end"))


@router.get("/seen")
async def seen(request: Request) -> dict[str, object]:
    """What was asked for since this was."""
    global calls
    found = {"calls": calls, "resumed": resumed.copy()}
    calls = 0
    resumed.clear()
    return found


left: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)


async def call(id: object, token: object, cuts: list[int]) -> AsyncIterator[Event]:
    """The work: what its client misses at each cut, is said while nobody follows."""
    global calls
    calls += 1
    left.clear()
    yield Event("", retry=50)
    for step in range(1, STEPS + 1):
        params = {"progressToken": token, "progress": step, "total": STEPS}
        yield Event(json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
        if step in cuts:
            await left[step].wait()
    result = {"content": [{"type": "text", "text": f"counted to {STEPS}"}], "isError": False}
    yield Event(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}))


def broken_off(cuts: list[int], following: Stream[Entry | Gap], how: str) -> Stream[Entry | Gap]:
    """Yield from *following* up to the first of the steps *cuts*, and then "end" or "break" off."""

    async def items() -> AsyncIterator[Entry | Gap]:
        async with owned(following) as entries:
            async for entry in entries:
                yield entry
                if isinstance(entry, Entry) and entry.number - 1 in cuts:
                    break
            else:
                return
        left[entry.number - 1].set()
        if how == "break":
            await asyncio.sleep(0)  # what was said is sent when we wait; an error before is an answer of its own
            raise DeadlineExceeded("it was cut", "total")

    return Stream(items(), following)
