"""An app that says what is open in its process: tasks, threads, file descriptors, generators, followers."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from rawasgi import Event, Request, Response, Router, WebSocket, lifespan, respond, streams
from rawasgi.compression import compress
from rawasgi.journal import MemoryJournal, Runs

LIMIT = 0.3  # seconds, for a reader that has stopped
router, coded = Router(), Router()
router.mount("/coded", compress(coded))
journals = [MemoryJournal("audit")]
opened = generators = 0


def journal(name: str, owner: str) -> MemoryJournal:
    journals.append(MemoryJournal(name, owner))
    return journals[-1]


runs = Runs(journal)


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    await journals[0].append(Event("first"))
    async with runs:
        yield


app = lifespan(router, living)


@router.get("/counts")
async def counts(request: Request) -> dict[str, int]:
    return {
        "opened": opened,  # ever
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "fds": len(os.listdir("/proc/self/fd")),
        "generators": generators,
        "followers": sum(each.counters.followers for each in journals),
    }


@contextmanager
def counted() -> Iterator[None]:
    global opened, generators
    opened += 1
    generators += 1
    try:
        yield
    finally:
        generators -= 1


async def source(items: int, then: str = "end") -> AsyncIterator[str]:
    """So many *items*, and then the end, or nothing for ever ("wait")."""
    with counted():
        try:
            for _ in range(items):
                yield "first\n"
                await asyncio.sleep(0)
            if then == "wait":
                await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.001)  # as a clean-up that has something to wait for


def blocking() -> Iterator[str]:
    with counted():
        while True:
            yield "first\n"
            time.sleep(0.02)


@router.get("/complete")
async def complete(request: Request) -> Response:
    return respond.sse(source(5))


@router.get("/silent/{items}")
async def silent(request: Request) -> Response:
    return respond.sse(source(request.param("items", int), "wait"))


@router.get("/stuck")
async def stuck(request: Request) -> Response:
    async def blocks() -> AsyncIterator[bytes]:
        with counted():
            while True:
                yield bytes(65536)

    return respond.stream(blocks(), send=LIMIT)


@router.get("/thread")
async def thread(request: Request) -> Response:
    return respond.stream(streams.from_thread(blocking()))


@router.get("/follow")
async def follow(request: Request) -> Response:
    return respond.sse(journals[0].follow(request.last_event_id))


@router.post("/run")
async def run(request: Request) -> Response:
    name = await runs.start(source(1, "wait"))
    return respond.sse(runs.follow(name), headers={"x-run": name})


@router.delete("/run/{name}")
async def cancel(request: Request) -> str:
    await runs.cancel(request.param("name"))
    return "cancelled"


@router.websocket("/ws")
async def talk(websocket: WebSocket) -> None:
    with counted():
        await websocket.accept()
        await websocket.send("first")
        async for _ in websocket:
            pass


@coded.get("/silent")
async def compressed(request: Request) -> Response:
    return respond.sse(source(20, "wait"))


@router.get("/merge")
async def merge(request: Request) -> Response:
    return respond.sse(streams.merge(source(1, "wait"), source(2, "wait"), streams.from_thread(blocking())))


@router.post("/upload")
async def upload(request: Request) -> str:
    with counted():
        return str(len([chunk async for chunk in request.stream()]))


# What must not be, and is found

let_go: list[Callable[[], object]] = []


@router.post("/leak/{what}")
async def leak(request: Request) -> str:
    what = request.param("what")
    if what == "tasks":
        let_go.append(asyncio.create_task(asyncio.Event().wait()).cancel)
    if what == "threads":
        done = threading.Event()
        threading.Thread(target=done.wait).start()
        let_go.append(done.set)
    if what == "fds":
        left = os.open(os.devnull, os.O_RDONLY)
        let_go.append(lambda: os.close(left))
    if what == "generators":
        items = source(1)
        await anext(items)
        let_go.append(lambda: asyncio.ensure_future(streams.close(items)))
    if what == "followers":
        following = journals[0].follow()
        await anext(following)
        let_go.append(lambda: asyncio.ensure_future(following.aclose()))
    return "leaked"


@router.delete("/leak")
async def free(request: Request) -> str:
    while let_go:
        let_go.pop()()
    return "free"
