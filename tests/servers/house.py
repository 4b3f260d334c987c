"""The app that the tests of real servers are about: its sources count what they opened and what they released."""

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from examples.raw.routes import router as rows
from rawasgi import HTTPError, Request, Response, Router, files, handler, respond, streams
from rawasgi.asgi import Receive, Received, Scope, Send, Sent
from rawasgi.compression import compress
from rawasgi.failures import told
from rawasgi.formats.multipart import Part

T = TypeVar("T")
opened: Counter[str] = Counter()
released: Counter[str] = Counter()
last: dict[str, float] = {}
router = Router()


def release(name: str) -> None:
    released[name] += 1
    last[name] = time.monotonic()


@asynccontextmanager
async def resource(name: str) -> AsyncIterator[None]:
    """Something whose release takes 10 ms of waiting, as giving a connection back to its pool does."""
    opened[name] += 1
    try:
        yield
    finally:
        await asyncio.sleep(0.01)
        release(name)


@router.get("/counts")
async def counts(request: Request) -> dict[str, object]:
    return {
        "opened": opened,
        "released": released,
        "last": last,
        "threads": threading.active_count(),
        "memory_bytes": memory_bytes(),
    }


def memory_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@router.get("/ping")
async def ping(request: Request) -> str:
    return "pong"


@router.get("/offers")
async def offers(request: Request) -> list[str]:
    """What the server offers of what only some do."""
    extensions = request.scope.get("extensions") or {}
    found = {
        "state": "state" in request.scope,
        "pathsend": "http.response.pathsend" in extensions,
        "hints": {"http.response.early_hint", "http.response.push"} <= extensions.keys(),
        "trailers": "http.response.trailers" in extensions,
    }
    return [name for name, is_there in found.items() if is_there]


# Where a source may be when its client leaves


@router.get("/own-await")
async def own_await(request: Request) -> AsyncIterator[str]:
    async with resource("own-await"):
        yield "first\n"
        await asyncio.Event().wait()


@router.get("/at-yield")
async def at_yield(request: Request) -> AsyncIterator[bytes]:
    async with resource("at-yield"):
        while True:
            yield bytes(65536)


class Claimed:
    """A source that holds its resource from the beginning, and is told of its end only by aclose()."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False
        opened[name] += 1

    def __aiter__(self) -> "Claimed":
        return self

    async def __anext__(self) -> str:
        await asyncio.sleep(3600)
        return ""

    async def aclose(self) -> None:
        if not self.closed:
            self.closed = True
            await asyncio.sleep(0.01)
            release(self.name)


@router.get("/never-started", cancel_on_disconnect=False)
async def never_started(request: Request) -> Response:
    source = Claimed("never-started")
    await gone(request)
    return respond.stream(source)


@router.get("/never-started-under-wrappers", cancel_on_disconnect=False)
async def never_started_under_wrappers(request: Request) -> Response:
    source = Claimed("never-started-under-wrappers")
    await gone(request)
    return respond.sse(source)


async def gone(request: Request) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(0.001)


@router.get("/claimed")
async def claimed(request: Request) -> Response:
    return respond.sse(Claimed("claimed"), heartbeat=0.5)


@router.get("/thread")
async def thread(request: Request) -> Response:
    return respond.stream(streams.from_thread(lines("thread", 0.01)))


@router.get("/thread-at-yield")
async def thread_at_yield(request: Request) -> Response:
    return respond.stream(streams.from_thread(lines("thread-at-yield", 0)))


def lines(name: str, pause: float) -> Iterator[str]:
    home = threading.get_ident()
    opened[name] += 1
    try:
        while True:
            yield "line" * 250 + "\n"
            if pause:
                time.sleep(pause)
    finally:
        if threading.get_ident() == home:
            release(name)


@router.get("/idle")
async def idle(request: Request) -> Response:
    async def silence() -> AsyncIterator[str]:
        async with resource("idle"):
            yield "first"
            await asyncio.Event().wait()

    return respond.sse(silence(), heartbeat=0.5)


@router.get("/hot/{size:int}")
async def hot(request: Request) -> AsyncIterator[str]:
    item = "x" * request.param("size", int)
    async with resource(f"hot/{len(item)}"):
        while True:
            yield item


@router.get("/grinding")
async def grinding(request: Request) -> AsyncIterator[str]:
    """As ``hot``, but each item takes the processor for 2 ms."""
    async with resource("grinding"):
        while True:
            until = time.perf_counter() + 0.002
            while time.perf_counter() < until:
                pass
            yield "ground\n"


@router.get("/stuck")
async def stuck(request: Request) -> Response:
    async def blocks() -> AsyncIterator[bytes]:
        async with resource("stuck"):
            while True:
                yield bytes(65536)

    return respond.stream(blocks(), send=0.5)


@router.post("/posted")
async def posted(request: Request) -> AsyncIterator[str]:
    async with resource("posted"):
        yield "first\n"
        await asyncio.Event().wait()


@router.post("/posted-at-yield")
async def posted_at_yield(request: Request) -> AsyncIterator[str]:
    async with resource("posted-at-yield"):
        while True:
            yield "first\n" * 10_000


# How a source may end


@router.get("/error/{when}")
async def error(request: Request) -> AsyncIterator[str]:
    when = request.param("when")
    if when == "known":
        raise HTTPError(409, "taken")
    if when == "before":
        raise LookupError("a secret")
    yield "first\n"
    await asyncio.sleep(0.01)
    raise LookupError("a secret")


@router.get("/few")
async def few(request: Request) -> AsyncIterator[str]:
    for number in range(3):
        yield f"{number}\n"
        await asyncio.sleep(0.05)


taken = asyncio.Semaphore(0)


async def stepping(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item
        await taken.acquire()


PARTS: list[dict[str, object]] = [{"type": "data-word", "data": word} for word in ("你", "好", "！")]
PICTURES = [Part(f"picture {number}".encode(), ((b"content-type", b"image/png"),)) for number in range(3)]
STEPS: dict[str, Callable[[], Response]] = {
    "text": lambda: respond.stream(stepping(["0\n", "1\n", "2\n"])),
    "array": lambda: respond.json_array(stepping(PARTS)),
    "json-seq": lambda: respond.json_seq(stepping(PARTS)),
    "ndjson": lambda: respond.ndjson(stepping(PARTS)),
    "sse": lambda: respond.sse(stepping(PARTS)),
    "ui": lambda: respond.ui_messages(stepping(PARTS)),
    "pictures": lambda: respond.multipart(stepping(PICTURES), "x-mixed-replace"),
}


@router.get("/steps/{format}")
async def steps_in(request: Request) -> Response:
    """Goes on when its client says that it has what came before."""
    return STEPS[request.param("format")]()


@router.get("/took")
async def took(request: Request) -> dict[str, object]:
    taken.release()
    return {}


# Deadlines

LIMIT = 0.3  # seconds


async def silent_after(name: str, items: int) -> AsyncIterator[str]:
    async with resource(name):
        for _ in range(items):
            yield "item\n"
        await asyncio.Event().wait()


def blocked_after(name: str, items: int) -> Iterator[str]:
    opened[name] += 1
    try:
        for _ in range(items):
            yield "item\n"
        time.sleep(1)
        yield "too late\n"
    finally:
        release(name)


def slow(name: str, items: int) -> AsyncIterable[str]:
    """A source that gives *items* and then nothing more; in a thread, if its name says so."""
    return streams.from_thread(blocked_after(name, items)) if "thread" in name else silent_after(name, items)


async def ticking(name: str) -> AsyncIterator[str]:
    async with resource(name):
        while True:
            yield "tick\n"
            await asyncio.sleep(0.02)


def ticking_thread(name: str) -> Iterator[str]:
    opened[name] += 1
    try:
        while True:
            yield "tick\n"
            time.sleep(0.02)
    finally:
        release(name)


@router.get("/late/{which}/{kind}")
async def late(request: Request) -> Response:
    """A source that breaks the deadline *which*, and is (*kind*) "async" or a "thread"."""
    which, kind = request.param("which"), request.param("kind")
    name = f"late/{which}/{kind}"
    if which == "first":
        return respond.stream(await streams.begun(streams.timeout(slow(name, 0), 60, first=LIMIT)))
    if which == "idle":
        return respond.stream(streams.timeout(slow(name, 1), LIMIT))
    if which == "total":
        source = streams.from_thread(ticking_thread(name)) if kind == "thread" else ticking(name)
        return respond.stream(streams.deadline(source, LIMIT))
    if kind == "thread":
        return respond.stream(streams.from_thread(lots(name)), send=LIMIT)
    return respond.stream(lots_async(name), send=LIMIT)


def lots(name: str) -> Iterator[bytes]:
    opened[name] += 1
    try:
        while True:
            yield bytes(4096)
    finally:
        release(name)


async def lots_async(name: str) -> AsyncIterator[bytes]:
    async with resource(name):
        while True:
            yield bytes(65536)


@router.get("/told-late/{which}", max_start_delay=0)
async def told_late(request: Request) -> Response:
    """As ``late``, but the client is told in the stream's own format."""
    which = request.param("which")
    name = f"told-late/{which}"
    if which == "total":
        return respond.sse(told(streams.deadline(ticking(name), LIMIT)))
    return respond.sse(told(streams.timeout(slow(name, int(which == "idle")), LIMIT)))


class Unwilling:
    """A source whose clean-up hangs; *items*, and then it is over, or silent for ever."""

    def __init__(self, name: str, items: int, silent: bool) -> None:
        self.name, self.left, self.silent = name, items, silent
        self.closed = False
        opened[name] += 1

    def __aiter__(self) -> "Unwilling":
        return self

    async def __anext__(self) -> str:
        await asyncio.sleep(0)  # or granian has it all in one message, and sends no chunks
        if self.left:
            self.left -= 1
            return "item\n"
        if self.silent:
            await asyncio.Event().wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if not self.closed:
            self.closed = True
            try:
                await asyncio.Event().wait()
            finally:
                release(self.name)


@router.get("/unwilling/{how}")
async def unwilling(request: Request) -> Response:
    """It "ends" by itself, or its client "leaves" it, or it is "late" while its client stays."""
    how = request.param("how")
    source: AsyncIterable[str] = Unwilling(f"unwilling/{how}", 1, how != "ends")
    if how == "late":
        source = streams.timeout(source, LIMIT, cleanup=LIMIT)
    return respond.stream(source, cleanup=LIMIT)


# Files: those beside the server's log

if folder := os.environ.get("HOUSE_FILES"):
    router.mount("/files", files.directory(folder))


# Formats and codings

router.mount("/rows", rows)


async def coded(scope: Scope, receive: Receive, send: Send) -> None:
    """Events in the coding that the path names, whatever the client says it takes."""
    scope = scope.copy()
    assert scope["type"] == "http"
    coding = scope["path"].rpartition("/")[2]
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    scope["headers"] = [*headers, (b"accept-encoding", coding.encode())]
    await compress(handler(events_in_steps if "/steps/" in scope["path"] else ticks))(scope, receive, send)


async def events_in_steps(request: Request) -> Response:
    return STEPS["sse"]()


async def ticks(request: Request) -> Response:
    async def ticking() -> AsyncIterator[dict[str, object]]:
        for number in range(5):
            yield {"tick": number}
            await asyncio.sleep(0.02)

    return respond.sse(ticking())


router.mount("/coded", coded)

# The spec that the server says it keeps to


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The router; below /2.3 or /2.4 as a server of that spec would call it."""
    version = scope["path"][1:4] if scope["type"] == "http" else ""
    if scope["type"] != "http" or version not in ("2.3", "2.4"):
        await router(scope, receive, send)
        return
    scope = scope.copy()
    scope["path"] = scope["path"][len("/2.x") :]
    scope["asgi"] = {"version": "3.0", "spec_version": version}
    if version == "2.3":
        await router(scope, receive, send)
    else:
        await with_2_4(receive, send, lambda *both: router(scope, *both))


async def with_2_4(receive: Receive, send: Send, inner: Callable[[Receive, Send], Awaitable[None]]) -> None:
    """Let ``send`` raise OSError from the moment on when the client left, whether or not the app was told."""
    left = False
    messages: asyncio.Queue[Received] = asyncio.Queue()

    async def listen() -> None:
        nonlocal left
        while not left:
            message = await receive()
            left = message["type"] == "http.disconnect"
            messages.put_nowait(message)

    async def receive_2_4() -> Received:
        if left and messages.empty():
            return {"type": "http.disconnect"}
        return await messages.get()

    async def send_2_4(message: Sent) -> None:
        if left:
            raise BrokenPipeError("the client left")
        await send(message)

    listener = asyncio.create_task(listen())
    try:
        await inner(receive_2_4, send_2_4)
    finally:
        listener.cancel()
