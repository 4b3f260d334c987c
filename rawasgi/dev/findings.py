"""What one exchange of the checker showed, and what each fault means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rawasgi.dev.exchange import Frozen, Unfinished
from rawasgi.dev.places import PLACE
from rawasgi.dev.probes import HEAD, WHOLE, Failure, Probe
from rawasgi.dev.tracing import Traced
from rawasgi.dev.watching import Left

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
    "source-collected": "A generator is closed by what reads it (contextlib.aclosing), not by the garbage collector.",
    "source-left-open": "A source is closed when its response is over.",
    "task-left": "A task ends with its response; one that is meant to live on is given a name.",
    "thread-left": "A thread ends with its response.",
}
GROWTH_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """*id*: of FAULTS, or of a rule. *path*: method and target. *server*, *probe*: what showed it. *what*: was seen.

    *place*: the line of the app's own code that it is about, as ``file.py:12 in rows``; empty if it is about none.
    """

    id: str
    path: str
    server: str
    probe: str
    what: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One request. The method ``WS`` is a websocket. *status*: what the app must answer; None: any below 400."""

    path: str = "/"
    method: str = "GET"
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def expects(self, status: int) -> bool:
        """Return whether *status* is an answer that can be judged. A server that gets none (0) reports an error."""
        return status < 400 if self.status is None else status == self.status


REMEDIES = {
    0: "in time: pass a larger --seconds",
    401: "pass --header authorization:...",
    403: "pass --header with credentials that may read it",
    404: "correct the path, or pass --param with the id of something that exists",
    405: "pass --method",
    411: "pass --data",
    413: "pass a smaller --data",
    415: "pass --header content-type:...",
    422: "pass --param, --header or --data with valid values",
    429: "raise the limit of requests: a check makes some fifty of them",
}


class NotAnswered(Exception):
    """The app answers a target with an error status: what else it does there is unknown, so that no check is passed."""

    def __init__(self, target: Target, status: int) -> None:
        expected = "a status below 400" if target.status is None else f"status {target.status}"
        remedy = REMEDIES.get(status, "see the log of the app" if status >= 500 else "correct the request")
        answer = f"with {expected}, not {status}: {remedy}" if status else f"{REMEDIES[0]}"
        super().__init__(f"{target} must be answered {answer}")
        self.target: Target = target
        self.status: int = status


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds. *whole*: a body is read, and the app has this to return when its client has left. *grace*: until
    what is left must be gone. *blocked*: the event loop may be held up for this."""

    whole: float = 2.0
    grace: float = 1.0
    blocked: float = 0.1


class Outcome:
    """What one exchange showed."""

    def __init__(self, target: Target, probe: Probe, server: str, limits: Limits) -> None:
        self.target: Target = target
        self.probe: Probe = probe
        self.server: str = server
        self.limits: Limits = limits
        self.messages: list[Traced] = []
        self.status = 0
        self.pieces = 0
        self.complete: bool = False
        self.told: bool = False
        self.error: BaseException | None = None
        self.failed: bool = False
        self.escaped: bool = False
        self.cuts: list[str] = []
        self.blocked: dict[str, float] = {}
        self.grown_bytes = 0
        self.ran = False
        self.left: Left = Left()

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
            place = subject if PLACE.search(subject) else ""
            yield Finding(id, str(self.target), self.server, self.probe.name, what, place), subject

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
            yield (
                "source-collected",
                f"{place} was left to the garbage collector: read it in async with contextlib.aclosing(...)",
                place,
            )
        for place in left.tasks:
            yield "task-left", f"a task still runs {grace:g} s after the response was over, at {place}", place
        for place in left.threads:
            yield "thread-left", f"{place}, still runs {grace:g} s after the response was over", place


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
