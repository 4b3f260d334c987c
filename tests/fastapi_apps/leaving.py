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
from watching import watch, with_session

TWENTY = 20
LARGE_BYTES = 24 << 20  # more than the sockets take
LINE = bytes(1023) + b"\n"  # a tutorial sends a video line by line
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


VARIANTS = ("", "-no-async", "-no-annotation", "-no-async-no-annotation")
# FastAPI's tutorials that stream: their routes, and what comes first
TUTORIALS = {
    "stream_data-tutorial001": [
        Request("GET", f"/story/stream{variant}{kind}", "Rick") for kind in ("", "-bytes") for variant in VARIANTS
    ],
    "stream_data-tutorial002": [
        Request("GET", f"/image/stream{variant}", "PNG") for variant in (*VARIANTS, "-no-async-yield-from")
    ],
    "stream_json_lines-tutorial001": [Request("GET", f"/items/stream{variant}", "Plumbus") for variant in VARIANTS],
    "server_sent_events-tutorial001": [Request("GET", f"/items/stream{variant}", "Plumbus") for variant in VARIANTS],
    "server_sent_events-tutorial002": [Request("GET", "/items/stream", "Plumbus")],
    "server_sent_events-tutorial003": [Request("GET", "/logs/stream", "DEBUG")],
    "server_sent_events-tutorial004": [Request("GET", "/items/stream", "Portal")],
    "server_sent_events-tutorial005": [Request("POST", "/chat/stream", "hello", {"text": "hello world"})],
    "custom_response-tutorial007": [Request("GET", "/", "video")],
    "custom_response-tutorial008": [Request("GET", "/", "\0")],
    "custom_response-tutorial009": [Request("GET", "/", "\0")],
    "custom_response-tutorial009b": [Request("GET", "/", "\0")],
}
LARGE = ("large.bin", "large-video-file.mp4")


def prepare(folder: Path, ours: bool, docs: Path | None = None) -> None:
    """Lay the app out in *folder*, watched, with our classes or with FastAPI's, and large files.

    *docs*: the folder ``docs_src`` of FastAPI's sdist, of which the tutorials that stream are laid out beside.
    """
    changes = [adopt] if ours else []
    copy(PROJECT / "assistant", folder / "assistant", *changes, watch)
    if docs is not None:
        for name in TUTORIALS:
            chapter, _, tutorial = name.partition("-")
            text = with_session(watch((docs / chapter / f"{tutorial}.py").read_text(), endless=True))
            (folder / "docs_src" / chapter).mkdir(parents=True, exist_ok=True)
            (folder / "docs_src" / chapter / f"{tutorial}.py").write_text(adopt(text) if ours else text)
    for name in LARGE:
        with (folder / name).open("wb") as file:
            file.write(LINE * (LARGE_BYTES // len(LINE)))


@dataclass(frozen=True)
class Result:
    """Of so many *calls*: those whose sources were all *closed*; *early*, before any dependency was; *finished* their
    clean-up; *in_order*, finished before any dependency was closed; were closed in their *own* task, or in a thread.
    """

    calls: int
    closed: int
    early: int
    finished: int
    in_order: int
    own: int

    @classmethod
    def of(cls, calls: list[list[str]]) -> "Result":
        judges = (is_closed, is_early, is_finished, is_in_order, is_own)
        return cls(len(calls), *(sum(map(judge, calls)) for judge in judges))


def is_closed(events: list[str]) -> bool:
    return events.count("source opened") == sum(event.startswith("source closing") for event in events)


def is_early(events: list[str]) -> bool:
    return is_closed(events) and is_closed(before_end(events))


def is_finished(events: list[str]) -> bool:
    return events.count("source opened") == events.count("source closed")


def is_in_order(events: list[str]) -> bool:
    return is_finished(events) and is_finished(before_end(events))


def is_own(events: list[str]) -> bool:
    return is_closed(events) and "source closing in another task" not in events


def before_end(events: list[str]) -> list[str]:
    """Return what happened before the first dependency was closed, and the call returned."""
    ends = [number for number, event in enumerate(events) if event.startswith(("dependency closing", "returned"))]
    return events[: min(ends, default=len(events))]


async def twenty_leave(server: Server, app: str, request: Request, seconds: float) -> Result:
    """Have 20 clients read the beginning of a response and leave; wait *seconds* at most for what follows."""
    path = app + request.path.replace("{words}", WORDS.replace(" ", "%20"))
    if "{job}" in path:
        started = await server.open(f"{app}/jobs?steps=100000", "POST", extra="connection: close\r\n")
        path = path.replace("{job}", JOB.findall(await started.whole())[0].decode())
    before = (await server.seen("/calls?since=1000000"))["count"]
    body = b"" if request.body is None else json.dumps(request.body).encode()
    extra = "content-type: application/json\r\n"
    clients = [await server.open(path, request.method, extra, body) for _ in range(TWENTY)]
    for client in clients:
        await client.until(request.until.encode())
    leave(clients)
    until = asyncio.get_running_loop().time() + seconds
    while True:
        calls = (await server.seen(f"/calls?since={before}"))["calls"]
        result = Result.of(calls)
        is_over = all("returned" in events for events in calls) and result.closed == result.finished == TWENTY
        if is_over or asyncio.get_running_loop().time() > until:
            return result
        await asyncio.sleep(0.02)


def leave(clients: list[Client]) -> None:
    """Half by FIN (RST where they have not read all), half by RST."""
    for number, client in enumerate(clients):
        client.reset() if number % 2 else client.leave()
