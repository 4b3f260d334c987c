"""The app that the tests of proxies are about: streams that wait until they are told to go on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from rawasgi import Request, Response, Router, handler, respond
from rawasgi.compression import compress

CHUNK, CHUNKS = bytes(65536), 1000  # 64 MB, more than all buffers between two sockets
HELD = {"x-accel-buffering": "yes"}  # to nginx the same as nothing, which is what others send
router = Router()
app = router
taken: Counter[str] = Counter()
left: Counter[str] = Counter()
gates: dict[str, asyncio.Event] = {}


def gate(request: Request) -> asyncio.Event:
    return gates.setdefault(request.param("name"), asyncio.Event())


@router.post("/open/{name}")
async def go_on(request: Request) -> str:
    gate(request).set()
    return "open"


@router.get("/seen/{name}")
async def seen(request: Request) -> list[int]:
    """How many chunks were taken, and how many clients were seen to leave."""
    return [taken[request.param("name")], left[request.param("name")]]


async def two(name: str, opened: asyncio.Event) -> AsyncIterator[str]:
    yield "first"
    taken[name] += 1  # now it is sent
    try:
        await opened.wait()
    except asyncio.CancelledError:
        left[name] += 1
        raise
    yield "second"


async def gated(request: Request) -> Response:
    """One event, and a second when its gate is open."""
    return respond.sse(two(request.param("name"), gate(request)), heartbeat=None)


@router.get("/lines/{name}")
async def lines(request: Request) -> AsyncIterator[str]:
    """The same as text."""
    async for item in two(request.param("name"), gate(request)):
        yield f"data: {item}\n\n"


router.route("GET", "/gated/{name}", handler(gated))
router.route("GET", "/coded/{name}", compress(handler(gated)))


@router.get("/buffered/{name}")
async def buffered(request: Request) -> Response:
    """The same, without the header that asks nginx not to hold it back."""
    return respond.stream(two(request.param("name"), gate(request)), "text/event-stream", headers=HELD)


def flooding(name: str, headers: dict[str, str] | None) -> Response:
    """As much as is taken of 64 MB."""

    async def chunks() -> AsyncIterator[bytes]:
        try:
            for _ in range(CHUNKS):
                yield CHUNK
                taken[name] += 1
        finally:
            left[name] += 1

    return respond.stream(chunks(), headers=headers, send=3600)


@router.get("/flood/{name}")
async def flood(request: Request) -> Response:
    return flooding(request.param("name"), None)


@router.get("/buffered-flood/{name}")
async def buffered_flood(request: Request) -> Response:
    return flooding(request.param("name"), HELD)


@router.get("/silent/{beat:float}")
async def silent(request: Request) -> Response:
    """One event, then nothing but heartbeats, if *beat* is not 0."""

    async def source() -> AsyncIterator[str]:
        yield "first"
        await asyncio.Event().wait()

    return respond.sse(source(), heartbeat=request.param("beat", float) or None)
