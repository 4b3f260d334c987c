"""Jobs that run in tasks of their own; their progress and their log are followed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

from assistant.session import CurrentSession

router = APIRouter(prefix="/jobs")
numbers = count(1)


class LogLine(BaseModel):
    number: int
    text: str


@dataclass
class Job:
    steps: int
    log: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_done(self) -> bool:
        return len(self.log) == self.steps

    async def run(self) -> None:
        for step in range(1, self.steps + 1):
            await asyncio.sleep(0.01)
            self.log.append(f"step {step} of {self.steps}")
            self.changed.set()
            self.changed = asyncio.Event()

    async def lines(self) -> AsyncIterator[tuple[int, str]]:
        number = 0
        while number < self.steps:
            if number == len(self.log):
                await self.changed.wait()
            number += 1
            yield number, self.log[number - 1]


jobs: dict[int, tuple[Job, asyncio.Task[None]]] = {}


@router.post("", status_code=202)
async def start(session: CurrentSession, steps: int = 3) -> dict[str, int]:
    job, id = Job(steps), next(numbers)
    jobs[id] = job, asyncio.create_task(job.run())
    return {"id": id}


def get_job(id: int) -> Job:
    if id not in jobs:
        raise HTTPException(404, f"There is no job {id}.")
    return jobs[id][0]


CurrentJob = Annotated[Job, Depends(get_job)]


@router.get("/{id}/events")
async def follow_progress(job: CurrentJob, session: CurrentSession) -> EventSourceResponse:
    async def events() -> AsyncIterator[dict[str, str]]:
        async for number, _ in job.lines():
            yield {"event": "progress", "id": str(number), "data": f"{100 * number // job.steps}"}
        yield {"event": "done", "data": session.user}

    return EventSourceResponse(events(), ping=15, headers={"x-steps": str(job.steps)})


@router.get("/{id}/log")
async def follow_log(job: CurrentJob, session: CurrentSession) -> AsyncIterator[LogLine]:
    async for number, text in job.lines():
        yield LogLine(number=number, text=text)
