"""An agent: it plans, calls tools side by side, and streams each event; a run can be traced."""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

from fastapi import APIRouter
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from assistant.session import CurrentSession

router = APIRouter(prefix="/agent")


class Task(BaseModel):
    question: str
    tools: list[str] = ["search", "calculator"]
    tool_seconds: float = 0.01


class AgentEvent(BaseModel):
    kind: Literal["plan", "call", "result", "word", "done"]
    text: str


async def call_tool(name: str, task: Task) -> str:
    """Ask two sources at once, and return what both know."""

    async def ask(source: str) -> str:
        await asyncio.sleep(task.tool_seconds)
        return f"{source} knows {task.question}"

    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(ask(f"{name} {number}")) for number in (1, 2)]
    return ", ".join(answer.result() for answer in answers)


async def call_tools(task: Task) -> AsyncIterator[AgentEvent]:
    """Call all tools at once; yield the results as they come."""
    results: asyncio.Queue[AgentEvent] = asyncio.Queue()

    async def call(name: str) -> None:
        await results.put(AgentEvent(kind="result", text=await call_tool(name, task)))

    calls = []
    try:
        for name in task.tools:
            yield AgentEvent(kind="call", text=name)
            calls.append(asyncio.create_task(call(name)))
        for _ in task.tools:
            yield await results.get()
    finally:
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def run(task: Task) -> AsyncIterator[AgentEvent]:
    yield AgentEvent(kind="plan", text=f"ask {len(task.tools)} tools")
    async for event in call_tools(task):
        yield event
    for word in task.question.split():
        await asyncio.sleep(0.01)
        yield AgentEvent(kind="word", text=word)
    yield AgentEvent(kind="done", text="")


@router.post("", response_class=EventSourceResponse)
async def run_agent(task: Task, session: CurrentSession) -> AsyncIterator[ServerSentEvent]:
    number = 0
    async for event in run(task):
        number += 1
        yield ServerSentEvent(data=event, event=event.kind, id=str(number))


@router.get("/{question}/trace")
async def trace_agent(question: str, session: CurrentSession) -> AsyncIterator[AgentEvent]:
    async for event in run(Task(question=question)):
        yield event
