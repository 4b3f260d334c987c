"""The app of the chaos: events of one topic, kept in Redis, followed from any of its processes."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rawasgi import Event, Request, Response, Router, lifespan, respond
from rawasgi.journal.redis import RedisJournals
from rawasgi.shutdown import Drain

router = Router()
drain = Drain(retry=(0.05, 0.2))
journals = RedisJournals(os.environ["REDIS_URL"])


@asynccontextmanager
async def living() -> AsyncIterator[None]:
    async with drain.on_signals(), journals:
        yield


app = lifespan(drain(router), living)


@router.get("/")
async def page(request: Request) -> Response:
    return respond.html("<!doctype html><title>chaos</title>")


@router.get("/follow")
async def follow(request: Request) -> Response:
    return respond.sse(journals.topic("chaos").follow(request.last_event_id), heartbeat=1.0)


@router.post("/append")
async def append(request: Request) -> str:
    return await journals.topic("chaos").append(Event((await request.body()).decode()))
