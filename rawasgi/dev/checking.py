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
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.dev.client import connect, websocket
from rawasgi.dev.exchange import Frozen, Unfinished
from rawasgi.dev.lifetime import lifespan
from rawasgi.dev.personalities import PERSONALITIES
from rawasgi.dev.probes import HEAD, WHOLE, Client, Failure, Probe, Run, probes
from rawasgi.dev.tracing import Traced, trace
from rawasgi.dev.watching import Left, Watch, Watchdog
from rawasgi.errors import AppError
from rawasgi.streams import owned

FAULTS = {
    "app-failed": "A request that is read to its end does not make the app raise.",
    "clean-up-cut": "Clean-up that awaits runs to its end: nothing cancels it again.",
    "error-raised": "A client that leaves is no error: the app raises nothing but what send raised, or a cancellation.",
    "error-swallowed": "A body that ends well-formed is taken for whole: a source that failed is told, or cut off.",
    "head-runs-stream": "HEAD sends no body, so it runs no source.",
    "loop-blocked": "What takes long does not stand in the way of every other request.",
    "memory-grows": "What a client does not read is not collected in memory.",
    "never-ends": "The app returns when its client has left, whatever receive() does after that.",
    "never-gives-way": "send() need not let other tasks run: who sends much gives way by itself.",
    "source-collected": "A source is closed by who reads it, not by the garbage collector.",
    "source-left-open": "A source is closed when its response is over.",
    "task-left": "A task ends with its response; one that is meant to live on is given a name.",
    "thread-left": "A thread ends with its response.",
}
GROWTH_BYTES = 4 << 20
LAST_BYTES = 4096  # of a body: there a failure is told
TOLD = re.compile(rb"error|fail|problem", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """*id*: of FAULTS, or of a rule. *path*: method and target. *server*, *probe*: what showed it. *what*: was seen."""

    id: str
    path: str
    server: str
    probe: str
    what: str


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for. The method ``WS`` is a websocket."""

    path: str = "/"
    method: str = "GET"
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds. *whole*: a body is read, and the app has this to return when its client has left. *grace*: until
    what is left must be gone. *blocked*: the event loop may be held up for this."""

    whole: float = 2.0
    grace: float = 1.0
    blocked: float = 0.1


async def check(
    app: App, *targets: Target, limits: Limits | None = None, thorough: bool = False
) -> AsyncIterator[Finding]:
    """Try each of *targets* of *app*, and yield what is found, as it is found: each fault of a place once.

    *thorough*: see ``probes``. The app's lifespan is run around all. Raises: LifespanFailed.
    """
    async with lifespan(or_none(app), validated=False) as life:
        for target in targets:
            seen: set[tuple[str, str]] = set()
            checker = _Checker(app, target, life.state, limits or Limits(), thorough)
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
        heads = [HEAD] if self.target.method == "GET" else []
        for probe in [*heads, *probes(whole.pieces, self.thorough)]:
            for server in probe.servers:
                outcome = await self._exchange(probe, server)
                for finding, subject in outcome.findings():
                    if finding.id != "error-raised" or not whole.failed_by_itself(outcome.error):
                        yield finding, subject

    async def _exchange(self, probe: Probe, server: str) -> "_Outcome":
        outcome = _Outcome(self.target, probe, server, self.limits)
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


class _Outcome:
    """What one exchange showed."""

    def __init__(self, target: Target, probe: Probe, server: str, limits: Limits) -> None:
        self.target, self.probe, self.server, self.limits = target, probe, server, limits
        self.messages: list[Traced] = []
        self.pieces = 0
        self.complete = self.told = False
        self.error: BaseException | None = None
        self.failed = self.escaped = False
        self.cuts: list[str] = []
        self.blocked: dict[str, float] = {}
        self.grown_bytes = 0
        self.ran = False
        self.left = Left()

    def note(self, error: Exception) -> None:
        """Keep *error*, and not what it holds: that would not be closed."""
        leaf: BaseException = error
        while isinstance(leaf, BaseExceptionGroup):
            leaf = leaf.exceptions[0]
        self.error = type(leaf)(*leaf.args) if isinstance(leaf, Frozen | Unfinished) else Exception(_said(leaf))

    def note_failure(self, failure: Failure) -> None:
        self.failed, self.escaped = failure.error is not None, failure.escaped
        if failure.error is not None:
            failure.error.__traceback__ = None

    def failed_by_itself(self, error: BaseException | None) -> bool:
        """Whether *error* was raised here, too, when nobody had left."""
        return str(error) == str(self.error) and any(id == "app-failed" for id, _, _ in self._about_the_end())

    def findings(self) -> Iterator[tuple[Finding, str]]:
        """Yield each finding, and what it is about: so it is told once."""
        for id, what, subject in self._all():
            yield Finding(id, str(self.target), self.server, self.probe.name, what), subject

    def _all(self) -> Iterator[tuple[str, str, str]]:
        for each in self.messages:
            if each.problem is not None and self.probe.spec != "2.4":
                yield each.problem.rpartition("(")[2].partition(";")[0], each.problem, each.what
        yield from self._about_the_end()
        yield from self._about_what_is_left()
        for place in self.cuts:
            yield "clean-up-cut", f"{place} was cancelled a second time, in its clean-up", place
        for place, seconds in self.blocked.items():
            yield "loop-blocked", f"{place} held up the event loop for {seconds:.2f} s or more", place
        if self.grown_bytes > GROWTH_BYTES:
            seconds = self.limits.whole / 2
            yield "memory-grows", f"{self.grown_bytes >> 20} MiB more in {seconds:g} s, while nobody read", ""

    def _about_the_end(self) -> Iterator[tuple[str, str, str]]:
        if isinstance(self.error, Unfinished):
            yield "never-ends", str(self.error), ""
        elif isinstance(self.error, Frozen):
            yield "never-gives-way", str(self.error), ""
        elif self.failed:
            if self.escaped and self.complete and not self.told:
                yield "error-swallowed", "the source raised, and the body ended as if it were whole", ""
        elif self.error is not None:
            told = any(each.arrow == "<" and each.what.endswith(".disconnect") for each in self.messages)
            whole = self.probe in (WHOLE, HEAD) and not told
            yield "app-failed" if whole else "error-raised", f"the app raised {self.error}", str(self.error)[:20]
        if self.probe is HEAD and self.ran and self.pieces:
            yield "head-runs-stream", f"the source ran, and {self.pieces} messages with a body were sent", ""

    def _about_what_is_left(self) -> Iterator[tuple[str, str, str]]:
        left, grace = self.left, self.limits.grace
        for place in left.sources:
            yield "source-left-open", f"{place} is still open {grace:g} s after the response was over", place
        for place in left.dropped:
            yield "source-collected", f"{place} was left to the garbage collector", place
        for place in left.tasks:
            yield "task-left", f"a task still runs {grace:g} s after the response was over, at {place}", place
        for place in left.threads:
            yield "thread-left", f"{place}, still runs {grace:g} s after the response was over", place


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
