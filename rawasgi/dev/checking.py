"""``check(app, target)``: behaviour that no type and no order of messages shows.

Theory of operation. One exchange after the other is run with the app, in process: each *probe* (probes.py) is what a
client or a server does, under each server's *personality* (personalities.py). Meanwhile the app is watched
(watching.py), and its messages are held to the rules (tracing.py). What is found is told once for each place, with the
first probe that showed it. Nothing is guessed: each finding was seen, in the exchange that it names.
"""

import asyncio
import gc
import re
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.dev.client import connect, websocket
from rawasgi.dev.exchange import Frozen
from rawasgi.dev.findings import Finding, Limits, NotAnswered, Outcome, Target
from rawasgi.dev.lifetime import lifespan
from rawasgi.dev.personalities import PERSONALITIES
from rawasgi.dev.probes import HEAD, WHOLE, Client, Failure, Probe, Run, probes
from rawasgi.dev.tracing import trace
from rawasgi.dev.watching import Watch, Watchdog
from rawasgi.errors import AppError
from rawasgi.streams import owned

LAST_BYTES = 4096  # of a body: there a failure is told
TOLD = re.compile(rb"error|fail|problem", re.IGNORECASE)


async def check(
    app: App, *targets: Target, limits: Limits | None = None, thorough: bool = False
) -> AsyncIterator[Finding]:
    """Try each of *targets* of *app*, and yield what is found, as it is found: each fault of a place once.

    *thorough*: see ``probes``. The app's lifespan is run around all. Raises: LifespanFailed, NotAnswered.
    """
    async with Session(app, limits, thorough) as session:
        for target in targets:
            async with owned(session.check(target)) as found:
                async for finding in found:
                    yield finding


class Session:
    """The lifespan of *app*, in which any number of targets is checked, one after the other.

    ``state`` is what the lifespan gives to requests. Raises, on entering and leaving: LifespanFailed.
    """

    def __init__(self, app: App, limits: Limits | None = None, thorough: bool = False) -> None:
        self.app = app
        self._limits = limits or Limits()
        self._thorough = thorough
        self._lifespan = lifespan(or_none(app), validated=False)
        self.state: dict[str, object] = {}

    async def __aenter__(self) -> Self:
        self.state = (await self._lifespan.__aenter__()).state
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._lifespan.__aexit__(kind, error, traceback)

    async def check(self, target: Target) -> AsyncGenerator[Finding, None]:
        """Yield what is found at *target*, as it is found: each fault of a place once.

        Raises: NotAnswered, after the first exchange, if the app does not answer with the status that is expected.
        """
        seen: set[tuple[str, str]] = set()
        checker = _Checker(self.app, target, self.state, self._limits, self._thorough)
        async with owned(checker.run()) as found:
            async for finding, subject in found:
                if (finding.id, subject) not in seen:
                    seen.add((finding.id, subject))
                    yield finding


def or_none(app: App) -> App:
    """*app*, for which a lifespan that it refuses is one that it does not have, as for every server."""

    async def living(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except AppError as error:
            raise RuntimeError("no lifespan") from error

    return living


@dataclass(slots=True)
class _Checker:
    app: App
    target: Target
    state: dict[str, object]
    limits: Limits
    thorough: bool

    async def run(self) -> AsyncIterator[tuple[Finding, str]]:
        await self._exchange(WHOLE, "uvicorn")  # what is made once, at the first request, is no finding
        whole = await self._exchange(WHOLE, "uvicorn")
        for found in whole.findings():
            yield found
        if isinstance(whole.error, Frozen):  # so would everything else be
            return
        if whole.error is None and not self.target.expects(whole.status):
            raise NotAnswered(self.target, whole.status)
        heads = [HEAD] if self.target.method == "GET" else []
        for probe in [*heads, *probes(whole.pieces, self.thorough)]:
            for server in probe.servers:
                outcome = await self._exchange(probe, server)
                for finding, subject in outcome.findings():
                    if finding.id != "error-raised" or not whole.failed_by_itself(outcome.error):
                        yield finding, subject

    async def _exchange(self, probe: Probe, server: str) -> "Outcome":
        outcome = Outcome(self.target, probe, server, self.limits)
        with ExitStack() as stack:
            dog = stack.enter_context(Watchdog(self.limits.blocked))
            watch = stack.enter_context(Watch(cuts=probe.cuts))
            failure = Failure()
            client = self._connect(trace(self._watched(watch), outcome.messages.append), probe, server)
            try:
                async with client:
                    await probe.script(Run(client, watch, self.limits.whole, failure))
                    if probe.grows:  # pragma: no branch  # where clean-up is watched, coverage is not
                        outcome.grown_bytes = await self._growth()
            except Exception as error:
                outcome.note(error)
            outcome.note_failure(failure)
            outcome.pieces = sum(1 for each in outcome.messages if each.arrow == ">" and each.size)
            outcome.complete = client.order.complete
            outcome.status = status_of(client)
            outcome.told = TOLD.search(getattr(client, "body", b"")[-LAST_BYTES:]) is not None
            del client, failure  # what they hold is not what the app has left
        outcome.cuts, outcome.blocked = watch.cuts, dog.blocked
        outcome.ran = watch.ran
        outcome.left = await watch.settled(self.limits.grace)
        if outcome.left:
            gc.collect()
        return outcome

    def _watched(self, watch: Watch) -> App:
        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await self.app(scope, receive, send)
            finally:
                watch.over()

        return watched

    def _connect(self, app: App, probe: Probe, server: str) -> Client:
        target, personality = self.target, PERSONALITIES[server]
        if target.method == "WS":
            return websocket(
                app, target.path, headers=target.headers, spec_version=probe.spec, state=self.state,
                personality=personality, validated=False, patience=self.limits.whole,
            )  # fmt: skip
        return connect(
            app, probe.method or target.method, target.path, body=target.body, headers=target.headers,
            spec_version=probe.spec, state=self.state, personality=personality, validated=False,
            patience=self.limits.whole,
        )  # fmt: skip

    async def _growth(self) -> int:
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            await asyncio.sleep(self.limits.whole / 2)
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()


def status_of(client: Client) -> int:
    """Return the status that *client* has received; 0 if none has come."""
    try:
        return client.status
    except LookupError:
        return 0
