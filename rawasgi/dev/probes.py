"""What the checker's client does: each probe is a script for one exchange, as a real client or server would act."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from rawasgi.dev.client import HTTPClient, WebSocketClient
from rawasgi.dev.personalities import PERSONALITIES
from rawasgi.dev.places import is_own, is_source
from rawasgi.dev.watching import Watch

Client = HTTPClient | WebSocketClient
EVERY = tuple(PERSONALITIES)
TURNS = 8  # so many turns of the loop after the request, the client leaves after each
THOROUGH = 64
LATE = 100  # the last message at which it leaves
PAUSE = 0.1  # seconds until a send that can be blocked is


class Injected(Exception):
    """What a source is made to raise."""


class Failure:
    """``with failure:`` lets a source of the app's own fail, at the next line that it runs in this thread.

    ``is_late``: then no more. What runs after the body is no source: a dependency of FastAPI's that yields, too.
    """

    def __init__(self) -> None:
        self.error: Injected | None = None
        self.is_late: Callable[[], bool] = lambda: False

    def __enter__(self) -> None:
        self._tracer = sys.gettrace()
        sys.settrace(self._enter_frame)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._tracer)  # pragma: no cover

    # Trace functions; while they are set, coverage's is not

    def _enter_frame(self, frame: FrameType, event: str, _: object) -> Any:  # pragma: no cover
        return self._in_frame if is_source(frame.f_code) else None

    def _in_frame(self, frame: FrameType, event: str, _: object) -> Any:  # pragma: no cover
        if event == "line" and self.error is None and not self.is_late():
            self.error = Injected("the checker made this source fail")
            raise self.error  # as if that line had raised it: so it is with a trace function
        return self._in_frame

    @property
    def escaped(self) -> bool:
        """Whether the error left the app's own code, so that the framework had to deal with it."""
        traceback = self.error.__traceback__ if self.error is not None else None
        while traceback is not None:
            if not is_own(traceback.tb_frame.f_code.co_filename):
                return True
            traceback = traceback.tb_next
        return False


@dataclass(slots=True)
class Run:
    """One exchange under way."""

    client: Client
    watch: Watch
    seconds: float
    failure: Failure

    async def leave(self) -> None:
        await self.client.leave()
        self.watch.leave()

    async def read(self, most: int = -1) -> int:
        """Read *most* pieces of the body, or for as long as there is time; return how many there were."""
        count = 0
        with suppress(TimeoutError, EOFError, ConnectionRefusedError):
            async with asyncio.timeout(self.seconds):
                if isinstance(self.client, WebSocketClient):
                    await self.client.accepted()
                while count != most:
                    if not await (self.client.chunk() if isinstance(self.client, HTTPClient) else self.client.hear()):
                        break
                    count += 1
                else:
                    return count
                if isinstance(self.client, HTTPClient):  # pragma: no branch  # a websocket that is over raises EOFError
                    await self.client.finished()
        return count


@dataclass(frozen=True, slots=True)
class Probe:
    """*name* says what the client, or the server, does; *script* does it. *servers*: as which it is done."""

    name: str
    script: Callable[[Run], Awaitable[None]]
    servers: tuple[str, ...] = ("uvicorn",)
    spec: str = "2.3"
    method: str | None = None
    grows: bool = False  # memory is measured
    cuts: bool = True  # clean-up is watched


async def read_all(run: Run) -> None:
    await run.read()
    await run.leave()


async def leave_at_once(run: Run) -> None:
    await run.leave()


def leave_after_turns(turns: int) -> Callable[[Run], Awaitable[None]]:
    async def script(run: Run) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await run.leave()

    return script


def leave_at(message: int) -> Callable[[Run], Awaitable[None]]:
    async def script(run: Run) -> None:
        await run.read(message)
        await run.leave()

    return script


async def stall_and_leave(run: Run) -> None:
    run.client.stall(1)
    await asyncio.sleep(PAUSE)
    await run.leave()


async def stall(run: Run) -> None:
    run.client.stall(1 << 16)
    await asyncio.sleep(PAUSE)


async def half_close(run: Run) -> None:
    await run.read(1)
    if isinstance(run.client, HTTPClient):
        await run.client.half_close()
    await run.read()
    await run.leave()


async def be_cancelled(run: Run) -> None:
    """The client goes on reading: what it does not read may hold up a cancellation, and other probes are about that."""
    await run.read(1)
    reading = asyncio.create_task(run.read())
    await asyncio.sleep(0)
    cancelling = asyncio.create_task(run.client.cancel())
    cancelling.add_done_callback(lambda _: reading.cancel())
    run.watch.leave()
    await asyncio.wait([cancelling, reading])  # pragma: no cover  # by whoever is measuring: see Watch
    if not cancelling.cancelled():  # pragma: no cover
        cancelling.result()


async def fail(run: Run) -> None:
    await run.read(1)
    run.failure.is_late = lambda: run.client.order.complete
    with run.failure:
        await run.read()  # pragma: no cover  # by whoever is measuring: see Failure
    await run.leave()  # pragma: no cover


WHOLE = Probe("the client reads to the end", read_all, cuts=False)
HEAD = Probe("HEAD", read_all, method="HEAD", cuts=False)
FAILS = Probe("the source fails after the first message", fail, cuts=False)
GROWS = Probe("the client does not read", stall, grows=True, cuts=False)


def probes(pieces: int, thorough: bool = False) -> Iterator[Probe]:
    """Yield what is tried on a response whose body came in so many *pieces*.

    *thorough*: the client leaves at each message, and in each turn of the loop for longer; not only at the first ones.
    """
    yield Probe("the client leaves before the start", leave_at_once, EVERY)
    for turns in range(1, (THOROUGH if thorough else TURNS) + 1):
        yield Probe(f"the client leaves after {turns} turns of the loop", leave_after_turns(turns))
    if pieces < 1:
        return
    last = min(max(pieces - 1, 1), LATE)
    for message in range(1, last + 1) if thorough else sorted({1, 2, last}):
        yield Probe(f"the client leaves at message {message}", leave_at(message), EVERY)
    yield Probe("the client leaves at message 1, and send raises OSError", leave_at(1), spec="2.4")
    yield Probe("the client stops reading, then leaves", stall_and_leave, ("uvicorn", "hypercorn", "granian"))
    yield Probe("the client stops reading, then leaves, and send raises OSError", stall_and_leave, spec="2.4")
    yield Probe("the client closes its half at message 1, and reads on", half_close, ("hypercorn",))
    yield Probe("the server cancels the call, as at a shutdown", be_cancelled)
    yield GROWS
    if pieces > 1:
        yield FAILS
