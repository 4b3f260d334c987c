"""Twenty clients leave each streaming route of an app on a real server; what became of the sources is counted."""

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from adopting import PROJECT, adopt, copy
from clients import Client
from serving import Server
from watching import watch

TWENTY = 20
LARGE_BYTES = 64 << 20  # more than the sockets take
JOB = re.compile(rb'"id":(\d+)')
WORDS = "word " * 400  # 10 ms each


class Request(NamedTuple):
    """A request to a route, and what of its response a client reads before it leaves. "{job}" is a job that runs."""

    method: str
    path: str
    until: str
    body: object = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


PROMPT = {"messages": [{"content": "What is a river?"}]}
ASSISTANT = [
    Request("POST", "/v1/chat/completions", "word", PROMPT),
    Request("POST", "/v1/text", "word", PROMPT),
    Request("GET", "/rooms/blue/events", "welcome"),
    Request("POST", "/rooms/red/posts", "WORD", {"text": WORDS}),
    Request("GET", "/orders.csv?count=1000000000", "1.5"),
    Request("GET", "/orders.jsonl?count=1000000000", "1.5"),
    Request("GET", "/files/large.bin", "\0"),
    Request("GET", "/files/large.bin/chunks", "\0"),
    Request("GET", "/jobs/{job}/events", "progress"),
    Request("GET", "/jobs/{job}/log", "step 2"),
    Request("POST", "/agent", "event: call", {"question": "why", "tool_seconds": 60}),
    Request("GET", "/agent/{words}/trace", '"kind":"word"'),
]


def prepare(folder: Path, ours: bool) -> None:
    """Lay the app out in *folder*, watched, with our classes or with FastAPI's, and a large file."""
    changes = [adopt] if ours else []
    copy(PROJECT / "assistant", folder / "assistant", *changes, watch)
    with (folder / "large.bin").open("wb") as file:
        file.truncate(LARGE_BYTES)


@dataclass(frozen=True)
class Result:
    """Of so many *calls*: those whose sources were all *closed*, *in_time* (before any dependency was), in their *own*
    task, and *finished* their clean-up. A source that runs in a thread is in no task."""

    calls: int
    closed: int
    in_time: int
    own: int
    finished: int

    @classmethod
    def of(cls, calls: list[list[str]]) -> "Result":
        return cls(len(calls), *(sum(map(judge, calls)) for judge in (is_closed, is_in_time, is_own, is_finished)))


def is_closed(events: list[str]) -> bool:
    return events.count("source opened") == sum(event.startswith("source closing") for event in events)


def is_in_time(events: list[str]) -> bool:
    """Return whether all sources were through before the first dependency was closed and the call returned."""
    ends = [number for number, event in enumerate(events) if event.startswith(("dependency closing", "returned"))]
    return is_closed(events) and is_finished(events[: min(ends, default=0)])


def is_own(events: list[str]) -> bool:
    return is_closed(events) and "source closing in another task" not in events


def is_finished(events: list[str]) -> bool:
    return events.count("source opened") == events.count("source closed")


async def calls_of(server: Server, since: int = 0) -> list[list[str]]:
    """Return the events of each call since the call number *since*."""
    calls: list[list[str]] = (await server.seen("/calls"))["calls"]
    return calls[since:]


async def twenty_leave(server: Server, app: str, request: Request, seconds: float) -> Result:
    """Have 20 clients read the beginning of a response and leave; wait *seconds* at most for what follows."""
    path = app + request.path.replace("{words}", WORDS.replace(" ", "%20"))
    if "{job}" in path:
        started = await server.open(f"{app}/jobs?steps=100000", "POST", extra="connection: close\r\n")
        path = path.replace("{job}", JOB.findall(await started.whole())[0].decode())
    before = len(await calls_of(server))
    body = b"" if request.body is None else json.dumps(request.body).encode()
    extra = "content-type: application/json\r\n"
    clients = [await server.open(path, request.method, extra, body) for _ in range(TWENTY)]
    for client in clients:
        await client.until(request.until.encode())
    leave(clients)
    until = asyncio.get_running_loop().time() + seconds
    while True:
        calls = await calls_of(server, before)
        result = Result.of(calls)
        is_over = all("returned" in events for events in calls) and result.closed == result.finished == TWENTY
        if is_over or asyncio.get_running_loop().time() > until:
            return result
        await asyncio.sleep(0.02)


def leave(clients: list[Client]) -> None:
    """Half by FIN (RST where they have not read all), half by RST."""
    for number, client in enumerate(clients):
        client.reset() if number % 2 else client.leave()
