"""Random schedules of one response: whatever comes when, the same things hold.

What is drawn: when the source is ready and what its waits are made of, how it ends, when the client leaves and what the
server then does with ``send`` and ``receive``, how long each ``send`` takes, and when the server cancels the task.
What must hold stands in ``judge``.
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, field

import anyio
import clock
import pytest
from known_server import KnownServer

from rawasgi import respond, sending
from rawasgi.asgi import App, HTTPScope, Receive, Received, Send, Sent
from rawasgi.dev.validation import validate
from rawasgi.response import Response
from rawasgi.sending import Streaming

RUNS = int(os.environ.get("SCHEDULES", "20000"))
SEED = 20261121
WHOSE: ContextVar[str] = ContextVar("whose", default="")


class Planned(Exception):
    """The source's own error."""


@dataclass
class Plan:
    """One schedule, drawn from *random*; and what happened."""

    random: random.Random
    spec: str = "2.3"
    waits: list[str] = field(default_factory=list)
    end: str = "stop"
    cleanup: list[str] = field(default_factory=list)
    leaves: float | None = None
    cancels: float | None = None
    body: int = 0
    slow: float = 0.0
    stuck: bool = False
    blocks_after: bool = False
    wrapped: str = "plain"
    around: str = "nothing"
    many: int = 0
    delay: float = 0.0

    started: bool = False
    released: bool = False
    ending: bool = False
    cancelled: bool = False
    given: list[bytes] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    left: bool = False
    leaked: str = ""

    @classmethod
    def draw(cls, seed: int) -> "Plan":
        draw = random.Random(seed)
        plan = cls(draw, spec=draw.choice(["2.0", "2.1", "2.2", "2.3", "2.4", "2.5"]))
        kinds = ["ready", "turn", "sleep", "future", "timeout", "group", "task"]
        mood = draw.choice([kinds, kinds[:1], kinds[:2], kinds[2:]])
        plan.waits = [draw.choice(mood) for _ in range(draw.randrange(8))]
        plan.end = draw.choice(["stop", "stop", "raise", "hang", "catch"])
        plan.cleanup = [draw.choice(["turn", "sleep", "task"]) for _ in range(draw.randrange(3))]
        plan.leaves = draw.choice([None, 0.0, draw.random() * 4])
        plan.cancels = draw.choice([None, None, None, draw.random() * 4])
        if plan.end in ("hang", "catch") and plan.leaves is None and plan.cancels is None:
            plan.leaves = 5.0
        plan.body = draw.choice([0, 0, 1, 3])
        plan.slow = draw.choice([0.0, 0.0, 0.3])
        plan.stuck = plan.leaves is not None and draw.random() < 0.2
        plan.blocks_after = draw.random() < 0.5
        plan.wrapped = draw.choice(["plain", "plain", "sse", "iterator"])
        plan.around = draw.choice(["nothing", "server", "anyio", "context", "timeout", "shield"])
        # Always ready, one send each: together they take longer than one send may.
        plan.many = draw.choice([0, 0, 0, 40]) if plan.wrapped == "plain" else 0
        if draw.random() < 0.1:
            plan.waits.append("scoped")
        plan.delay = draw.choice([0.0, 0.0, 0.5, 5.0])
        return plan

    # The source

    async def wait(self, kind: str) -> None:
        loop = asyncio.get_running_loop()
        if kind == "turn":
            await asyncio.sleep(0)
        elif kind == "sleep":
            await asyncio.sleep(self.random.random())
        elif kind == "future":
            future = loop.create_future()
            loop.call_later(self.random.random(), resolve, future)
            await future
        elif kind == "timeout":
            try:
                async with asyncio.timeout(self.random.random()):
                    await asyncio.sleep(10)
            except TimeoutError:
                pass
        elif kind == "group":
            async with asyncio.TaskGroup() as group:
                for _ in range(2):
                    group.create_task(asyncio.sleep(self.random.random()))
        elif kind == "task":
            await asyncio.create_task(asyncio.sleep(self.random.random() / 4))

    async def source(self) -> AsyncGenerator[bytes, None]:
        self.started = True
        WHOSE.set("source")
        try:
            for number, kind in enumerate(self.waits):
                item = b"%d;" % number
                if kind == "scoped":  # bad practice (PEP 789), and seen everywhere
                    try:
                        async with asyncio.timeout(self.random.random()):
                            self.given.append(item)
                            yield item
                            await asyncio.sleep(self.random.random())
                    except TimeoutError:
                        pass
                    continue
                await self.wait(kind)
                self.given.append(item)
                yield item
            for number in range(self.many):
                self.given.append(b"%d," % number)
                yield self.given[-1]
            if self.end == "raise":
                raise Planned
            if self.end == "hang":
                await asyncio.Event().wait()
            if self.end == "catch":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.given.append(b"caught")
                    yield b"caught"
                    raise
        finally:
            # A source that is ending by itself is a source that waits, for all that anybody can see.
            self.ending = not isinstance(sys.exception(), asyncio.CancelledError | GeneratorExit)
            for kind in self.cleanup:
                await self.wait(kind)
            self.released = True

    def response(self) -> tuple[Response, AsyncGenerator[bytes, None]]:
        source = self.source()
        if self.wrapped == "sse":
            return respond.sse(decoded(source), heartbeat=0.7, max_start_delay=self.delay), source
        if self.wrapped == "iterator":
            return respond.stream(Iterator(source), send=3.0, max_start_delay=self.delay), source
        body = Streaming(source, not self.many, send=3.0, max_start_delay=self.delay)
        return Response(body, 200, ((b"content-type", b"text/plain"),)), source

    # The server

    async def receive(self) -> Received:
        if self.body:
            self.body -= 1
            if self.random.random() < 0.5:
                await asyncio.sleep(self.random.random())
            return {"type": "http.request", "body": b"x", "more_body": self.body > 0}
        if self.left and self.blocks_after:
            await asyncio.Event().wait()
        await self.gone.wait()
        self.left = True
        return {"type": "http.disconnect"}

    async def send(self, message: Sent) -> None:
        if self.gone.is_set():
            if self.spec >= "2.4":
                raise BrokenPipeError
            return
        if self.stuck and self.random.random() < 0.3:
            await asyncio.Event().wait()
        if self.slow:
            await asyncio.sleep(self.random.random() * self.slow)
        self.sent.append(message)

    def callables(self) -> tuple[Receive, Send]:
        """Return *receive* and *send* as the app gets them: a known server's, or with a middleware around."""
        if self.around == "server":
            server = KnownServer(self.receive, self.send)
            return server.receive, server.send

        async def receive() -> Received:
            if WHOSE.get() == "source":
                self.leaked = "the source's context is that of receive()"
            WHOSE.set("receive")
            with self.scope():
                message = await self.receive()
            return message

        async def send(message: Sent) -> None:
            if self.around == "timeout":
                try:
                    async with asyncio.timeout(0.05):
                        await asyncio.sleep(0.1)
                except TimeoutError:
                    pass
            with self.scope():
                await self.send(message)

        return (self.receive, self.send) if self.around == "nothing" else (receive, send)

    def scope(self) -> anyio.CancelScope:
        return anyio.CancelScope(shield=self.around == "shield")

    def cancel(self, task: asyncio.Future[None]) -> None:
        self.cancelled = task.cancel()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self.gone = asyncio.Event()
        response, self.generator = self.response()
        scope: HTTPScope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": self.spec},
            "http_version": "1.1",
            "method": "GET",
            "path": "/",
            "query_string": b"",
            "headers": [],
        }
        app: App = validate(response)
        timers = []
        if self.leaves is not None:
            timers.append(loop.call_later(self.leaves, self.gone.set))
        task = asyncio.ensure_future(app(scope, *self.callables()))
        if self.cancels is not None:
            timers.append(loop.call_later(self.cancels, self.cancel, task))
        async with asyncio.timeout(100):
            await asyncio.wait([task])
        for timer in timers:
            timer.cancel()
        self.outcome: BaseException | None = None
        if task.cancelled():
            self.outcome = asyncio.CancelledError()
        else:
            self.outcome = task.exception()
        self.tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


def judge(plan: Plan) -> list[str]:
    """What is wrong after *plan* has run."""
    wrong = [plan.leaked] if plan.leaked else []
    if plan.tasks:
        wrong.append(f"tasks left: {plan.tasks}")
    if plan.generator.ag_frame is not None:  # type: ignore[attr-defined]  # every generator of Python's own has one
        wrong.append("the source is open")
    disturbed = plan.gone.is_set() or plan.stuck or plan.cancelled
    if plan.started and not plan.released and not (plan.ending and disturbed):
        wrong.append("a clean-up was cut off")
    outcome = plan.outcome
    scoped = "scoped" in plan.waits  # its timeout may end the send: then the stream is cut, visibly
    if isinstance(outcome, asyncio.CancelledError):
        if plan.cancels is None and not scoped:
            wrong.append("cancelled, and nobody did")
    elif isinstance(outcome, Planned):
        if plan.end != "raise":
            wrong.append("an error that was not the source's")
    elif outcome is not None:
        wrong.append(f"raised {outcome!r}")
    types = [message["type"] for message in plan.sent]
    if types and types[0] != "http.response.start":
        wrong.append("a body before the start")
    bodies = [message for message in plan.sent if message["type"] == "http.response.body"]
    got = b"".join(message.get("body", b"") for message in bodies)
    if plan.wrapped == "sse":
        got = got.replace(b": \n\n", b"").replace(b":\n\n", b"").replace(b"data: ", b"").replace(b"\n\n", b"")
    whole = b"".join(plan.given)
    if not whole.startswith(got):
        wrong.append(f"sent {got!r}, of {whole!r}")
    ended = bool(bodies) and not bodies[-1].get("more_body", False)
    undisturbed = plan.leaves is None and plan.cancels is None and not scoped
    if undisturbed and plan.end == "stop" and not (ended and got == whole):
        wrong.append(f"not all was sent: {got!r} of {whole!r}")
    if ended and plan.end != "stop":
        wrong.append("a clean end, and the source did not come to it")
    return wrong


def resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def decoded(source: AsyncGenerator[bytes, None]) -> AsyncIterator[str]:
    try:
        async for item in source:
            yield item.decode()
    finally:
        await source.aclose()


class Iterator:
    """An async iterator that is no generator."""

    def __init__(self, source: AsyncGenerator[bytes, None]) -> None:
        self.source = source

    def __aiter__(self) -> "Iterator":
        return self

    async def __anext__(self) -> bytes:
        return await self.source.__anext__()

    async def aclose(self) -> None:
        await self.source.aclose()


async def run(first: int, count: int) -> list[tuple[int, list[str]]]:
    broken = []
    for seed in range(first, first + count):
        plan = Plan.draw(seed)
        await plan.run()
        if wrong := judge(plan):
            broken.append((seed, wrong))
    return broken


def test_whatever_comes_when_the_same_things_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    broken = clock.run(run(SEED, RUNS), debug=False)
    assert broken == []
    assert unraisable == []


def test_they_hold_where_the_machine_is_busy_with_other_things(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then more time has passed between two items than the source took, and what would be joined is sent."""
    draw, now = random.Random(SEED), 0.0

    def held_up() -> float:
        nonlocal now
        now += draw.choice([0, 0, 0, 0.0005, 0.002, 0.01])
        return now

    monkeypatch.setattr(sending, "monotonic", held_up)
    assert clock.run(run(1, RUNS // 8), debug=False) == []
