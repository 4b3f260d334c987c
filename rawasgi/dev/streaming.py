"""Find out whether a route streams, by its declaration, by the code of its endpoint, or by a first request."""

import asyncio
import inspect
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rawasgi.dev.checking import Session, status_of
from rawasgi.dev.client import connect
from rawasgi.dev.exchange import Unfinished
from rawasgi.dev.findings import NotAnswered, Target
from rawasgi.dev.places import relative
from rawasgi.dev.routes import WEBSOCKET, Route
from rawasgi.dev.samples import operation_of
from rawasgi.dev.uses import Search, Use, annotated, is_ours, replaced
from rawasgi.handling import Handler

STREAMED_TYPES = (
    "application/json-seq",
    "application/jsonl",
    "application/ndjson",
    "application/stream+json",
    "application/x-ndjson",
    "multipart/x-mixed-replace",
    "text/event-stream",
)
SAFE_METHODS = ("GET", "QUERY")  # RFC 9110, 9.2.1, and RFC 10008: a request that asks for no change
FIRST_PIECES = 2  # of a body: the second shows that it was not sent whole


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a route is taken for a stream. *signs*: in words. *uses*: what its code uses of what is replaced.

    *yields*: its endpoint yields, and FastAPI itself encodes and sends the items.
    """

    signs: Sequence[str]
    uses: Sequence[Use] = ()
    yields: bool = False

    @property
    def is_stream(self) -> bool:
        return bool(self.signs)


def evidence(route: Route, schema: Any) -> Evidence:
    """Return what the declaration and the code of *route* show; *schema*: the OpenAPI schema of its app."""
    function, signs = route.function(), set[str]()
    search = Search(function)
    kind = response_class(route)
    is_generator = _is_generator(function)
    if is_generator and (hasattr(route.declared, "dependant") or isinstance(route.declared, Handler)):
        signs.add("its endpoint yields")
    if replaced(kind) or is_ours(kind):
        signs.add(f"response_class is {kind.__name__}")
        if not search.streaming:
            search.read_module(function, kind)
    if function is not None:
        classes = [each for each in annotated(function) if replaced(each) or is_ours(each)]
        signs.update(f"its endpoint is annotated to return {each.__name__}" for each in classes)
    signs.update(f"{relative(file)}:{line} uses {name}" for name, file, line in search.streaming)
    signs.update(f"OpenAPI says {each}" for each in media_types(route, schema))
    yields = is_generator and hasattr(route.declared, "dependant") and not _has_our_route(route)
    uses = [use for use in search.uses if not (yields and use.old.startswith("fastapi.sse."))]
    return Evidence(sorted(signs), uses, yields)


def by_request(route: Route, media_type: str) -> Evidence:
    """Return what a first request has shown, and as it may stream by them, all that the module uses."""
    search = Search(None)
    search.read_module(route.function())
    return Evidence([f"its body came in several messages, as {media_type or 'no media type'}"], search.uses)


def _is_generator(function: Any) -> bool:
    return inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)


def _has_our_route(route: Route) -> bool:
    """Return whether ``StreamRoute`` serves the endpoint."""
    own = getattr(route.declared, "original_route", route.declared)
    return any(base.__module__.startswith("rawasgi.") for base in type(own).__mro__)


def response_class(route: Route) -> Any:
    """Return the class of the response that is declared; None if there is none."""
    kind = getattr(route.declared, "response_class", None)
    return getattr(kind, "value", kind)  # FastAPI wraps a default, to know it from what was given


def media_types(route: Route, schema: Any) -> list[str]:
    """Return the media types of streams that OpenAPI has for the success of *route*."""
    responses = operation_of(route, schema).get("responses", {})
    content = [each.get("content", {}) for status, each in responses.items() if str(status).startswith("2")]
    return sorted({kind.partition(";")[0] for each in content for kind in each} & set(STREAMED_TYPES))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a first request was answered. *streamed*: the body came in several messages, or as a file."""

    status: int
    streamed: bool
    media_type: str = ""


async def first_answer(session: Session, target: Target, seconds: float) -> Answer:
    """Ask once, read the beginning of the body, for *seconds* at most, and disconnect. Raises: NotAnswered."""
    client = connect(
        session.app, target.method, target.path, body=target.body, headers=target.headers, state=session.state,
        validated=False, patience=seconds,
    )  # fmt: skip
    count, failed = 0, False
    try:
        async with client:
            with suppress(TimeoutError, EOFError):
                async with asyncio.timeout(seconds):
                    while count < FIRST_PIECES and await client.chunk():
                        count += 1
            await client.leave()
    except Unfinished:
        pass  # it goes on without its client, which the checker finds
    except Exception:  # whatever the app raises: the checker finds it, and here the status counts
        failed = True
    status = status_of(client) or (500 if failed else 0)
    if not status or not target.expects(status):
        raise NotAnswered(target, status)
    media_type = (client.header("content-type") or "").partition(";")[0].strip()
    # One piece is no stream: BaseHTTPMiddleware sends any body on as a piece and an empty end.
    streamed = count >= FIRST_PIECES or not client.order.complete
    is_file = client.header("accept-ranges") == "bytes"
    return Answer(status, streamed or is_file or media_type in STREAMED_TYPES, media_type)


def is_called(route: Route, methods: Sequence[str], unsafe: bool) -> bool:
    """Return whether requests may be made for *route*: each is repeated some fifty times."""
    return unsafe or route.method in (*SAFE_METHODS, WEBSOCKET, *methods)
