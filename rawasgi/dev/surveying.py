"""Check the routes of an app, one after the other: those that stream, or all of them."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rawasgi.dev.checking import Session
from rawasgi.dev.findings import Limits, NotAnswered, Target
from rawasgi.dev.looking import file_of
from rawasgi.dev.reports import Report, progress
from rawasgi.dev.results import Result
from rawasgi.dev.routes import WEBSOCKET, Route, Routes, routes
from rawasgi.dev.samples import Given, NoValue, Samples
from rawasgi.dev.streaming import by_request, evidence, first_answer, is_called
from rawasgi.streams import owned


class BadUse(ValueError):
    """What the command line asks for cannot be done: a sentence for standard error, and exit status 2."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which routes are checked. *only*, *skip*: patterns of paths, as in a shell; no *only*: all.

    *methods*: that may be called beside those that change nothing; *unsafe*: all may be. *streams*: only routes that
    stream are checked.
    """

    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    methods: Sequence[str] = ()
    unsafe: bool = False
    streams: bool = True


@dataclass(slots=True)
class Survey:
    """``await run()`` checks the routes of *app* that are chosen, within *timeout* seconds, and reports each.

    *is_tried*: the report on a route with faults is left to the caller, who checks it again with its changes.
    Raises: BadUse before the first request; LifespanFailed.
    """

    app: Any
    name: str
    choice: Choice
    given: Given
    limits: Limits
    report: Report
    timeout: float | None = None
    thorough: bool = False
    is_tried: bool = False

    async def run(self) -> tuple[list[Result], list[str]]:
        """Return a result for each route, and the mounted apps that have no routes to read."""
        found, samples = routes(self.app), Samples(self.given)
        results = list(self._chosen(found, samples))
        try:
            async with asyncio.timeout(self.timeout):
                async with Session(self.app, self.limits, self.thorough) as session:
                    for number, result in enumerate(results, 1):
                        progress(f"{number}/{len(results)} {result.name}")
                        await self._judge(result, session, samples)
                        progress("")
                        if not (self.is_tried and result.verdict == "faults"):
                            self.report.judged(result)
        except TimeoutError:
            progress("")
            for result in results:
                if result.end(self.timeout):
                    self.report.judged(result)
        return results, found.unread

    def _chosen(self, found: Routes, samples: Samples) -> Iterator[Result]:
        if not found.found:
            raise BadUse(
                f"{self.name} must be an app with routes that can be read, of FastAPI, Starlette or rawasgi.Router, "
                f"not {type(self.app).__name__}: name its paths, rawasgi check {self.name} PATH"
            )
        for pattern in (*self.choice.only, *self.choice.skip):
            if not any(_matches(route, [pattern]) for route in found.found):
                paths = ", ".join(sorted({route.path for route in found.found}))
                raise BadUse(f"a path must be of a route of {self.name}, not {pattern!r}: it has {paths}")
        names = {name for route in found.found for name in samples.names(route)}
        for name in self.given.params:
            if name not in names:
                known = ", ".join(sorted(names)) or "none"
                raise BadUse(f"--param must name a parameter of a route, not {name!r}: there are {known}")
        for route in found.found:
            is_chosen = not self.choice.only or _matches(route, self.choice.only)
            if is_chosen and not _matches(route, self.choice.skip):
                yield Result(str(route), route=route, module=file_of(self.name))

    async def _judge(self, result: Result, session: Session, samples: Samples) -> None:
        route = result.route
        assert route is not None  # _chosen() makes no other
        result.evidence = evidence(route, samples.schema(route.app))
        if not is_called(route, self.choice.methods, self.choice.unsafe):
            self._leave_out(result)
            return
        try:
            target = samples.target(route)
            if self.choice.streams and not await self._streams(result, route, session, target):
                result.verdict = "no stream"
                return
        except (NotAnswered, NoValue) as error:
            is_known = result.evidence.is_stream or not self.choice.streams
            result.verdict, result.reason = "unjudged" if is_known else "unknown", str(error)
        else:
            await check_into(result, session, target, self.report)

    async def _streams(self, result: Result, route: Route, session: Session, target: Target) -> bool:
        """Return whether the route streams: by its code, or else by a first request."""
        if target.method == WEBSOCKET:  # its messages are no response
            return False
        if result.evidence.is_stream:
            return True
        answer = await first_answer(session, target, self.limits.whole)
        if answer.streamed:
            result.evidence = by_request(route, answer.media_type)
        return answer.streamed

    def _leave_out(self, result: Result) -> None:
        method = result.name.partition(" ")[0]
        if self.choice.streams and (method == WEBSOCKET or not result.evidence.is_stream):
            result.verdict = "no stream"
        else:
            result.verdict = "uncalled"
            result.reason = f"{method} may change something: pass --method {method}, or leave it out by --skip"


async def check_into(result: Result, session: Session, target: Target, report: Report) -> None:
    """Check *target*, report each finding, and set the verdict of *result*."""
    try:
        async with owned(session.check(target)) as findings:
            async for finding in findings:
                result.findings.append(finding)
                progress("")
                report.found(result, finding)
    except NotAnswered as error:
        result.verdict, result.reason = "unjudged", str(error)
    else:
        result.verdict = "faults" if result.findings else "clean"


def _matches(route: Route, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(route.path, pattern) for pattern in patterns)


def status(results: Sequence[Result]) -> int:
    """Return the exit status: 1 if something was found, 3 if a route that streams was not judged, else 0."""
    if any(result.findings for result in results):
        return 1
    return 3 if any(result.verdict in ("unjudged", "uncalled") for result in results) else 0
