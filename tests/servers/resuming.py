"""An app whose generations go on without their clients: started by POST, followed again by GET or POST."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from rawasgi import HTTPError, Request, Response, Router, lifespan, respond
from rawasgi.journal import MemoryJournal, NoSuchRun, Runs

COUNT = 300
ABANDONED = 0.5  # seconds, for the kind "hasty"
router = Router()
made: list[MemoryJournal] = []


def journal(name: str, owner: str) -> MemoryJournal:
    made.append(MemoryJournal(name, owner))
    return made[-1]


kinds = {"patient": Runs(journal), "hasty": Runs(journal, abandoned=ABANDONED)}
happened: Counter[str] = Counter()


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    async with kinds["patient"], kinds["hasty"]:
        yield


app = lifespan(router, living)


async def generation(count: int) -> AsyncIterator[dict[str, int]]:
    """So many tokens; then, if they are fewer than COUNT, nothing more for ever."""
    happened["begun"] += 1
    try:
        for token in range(count):
            await asyncio.sleep(0.001)
            happened["said"] += 1
            yield {"token": token}
        if count < COUNT:
            await asyncio.Event().wait()
        happened["ended"] += 1
    finally:
        await asyncio.sleep(0.01)
        happened["closed"] += 1


@router.post("/{kind}")
async def start(request: Request) -> Response:
    """Begin one, or go on with that of the last id."""
    runs = kinds[request.param("kind")]
    name = runs.named(request.last_event_id) or await runs.start(generation(request.query("count", int, COUNT)))
    return respond.sse(runs.follow(name, request.last_event_id), headers={"x-run": name})


@router.get("/{kind}/{name}")
async def follow(request: Request) -> Response:
    return respond.sse(kinds[request.param("kind")].follow(request.param("name"), request.last_event_id))


@router.delete("/{kind}/{name}")
async def cancel(request: Request) -> str:
    try:
        await kinds[request.param("kind")].cancel(request.param("name"))
    except NoSuchRun:
        raise HTTPError(404, "there is no such run") from None
    return "cancelled"


@router.get("/happened")
async def counts(request: Request) -> dict[str, object]:
    return {**happened, "followers": sum(asdict(each.counters)["followers"] for each in made)}
