"""The model vendors' endpoints: OpenAI's chat completions (row 34), rows 57 to 59, and streams that one comes back to.

Their own clients read them: ``openai.AsyncOpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")`` is enough.
The answers come from the model of this process, or, with OPENAI_BASE_URL, from there (gateway.py).

A failure before the answer began has a status of its own and the vendor's JSON; one in the midst of a stream is its
last event. A stream never just ends: those clients would take what came for the whole.

``X-Resumable: true`` asks for a stream that can be come back to: its answer names its run in ``X-Run-Id``, and
``GET /v1/runs/{run}`` with ``Last-Event-ID`` goes on with it. It goes on for a minute without its client.
"""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator

from examples.raw import gateway, resuming
from examples.raw.dialects import CHAT, MESSAGES, RESPONSES, Asked, Dialect
from examples.raw.routes import router
from examples.sources import chat, tokens
from examples.sources.asking import BadRequest
from rawasgi import respond, streams
from rawasgi.asgi import App
from rawasgi.errors import Disconnected, HTTPError
from rawasgi.failures import failure_from, told
from rawasgi.formats.endings import Failure
from rawasgi.formats.sse import Event
from rawasgi.journal import Entry, Gap, NoSuchRun
from rawasgi.request import Request
from rawasgi.response import Response
from rawasgi.streams import Stream, owned

BEGIN = 2.0  # seconds for which a failure still has a status of its own; then there is a stream, with heartbeats
BEAT = 10.0  # seconds of silence after which a client hears that we are there
BODY_BYTES = 16 * 1024 * 1024


@router.get("/v1/models")
async def models(request: Request) -> App:
    """Row 57: which models there are."""
    try:
        upstream = gateway.upstream(request)
        return await upstream.models() if upstream else respond.json(chat.models(tokens.model()))
    except Exception as error:
        return refused(CHAT, error)


@router.post("/v1/responses")
async def responses(request: Request) -> App:
    """Row 58: OpenAI's newer shape: named events, numbered."""
    return await answer(request, RESPONSES)


@router.post("/v1/messages")
async def messages(request: Request) -> App:
    """Row 59: Anthropic's shape: named events around blocks of content."""
    return await answer(request, MESSAGES)


async def answer(request: Request, dialect: Dialect) -> App:
    """The answer to *request*, in *dialect*; a client that disconnects stops whoever makes it."""
    try:
        body = await request.json(BODY_BYTES)
        upstream = gateway.upstream(request)
        asked = upstream.asked(dialect, body) if upstream else dialect.parse(body)
        if not asked.stream:
            return await asked.whole()
        return await streamed(request, dialect, asked)
    except Disconnected:
        raise
    except Exception as error:
        return refused(dialect, error)


def refused(dialect: Dialect, error: Exception) -> Response:
    """The answer to what failed before there was one."""
    fields: dict[str, str] = {}
    status, code, param = 500, None, None
    if isinstance(error, gateway.Refused):
        return respond.json(dialect.error(error.status, error.text, None, error.code), error.status, error.headers)
    if isinstance(error, BadRequest):
        status, text, param = 400, str(error), error.param
    elif isinstance(error, tokens.Refused):
        status, text, code = 400, str(error), "context_length_exceeded"
    elif isinstance(error, tokens.Busy):
        status, text, code, fields = 503, str(error), "busy", {"Retry-After": str(error.seconds)}
    elif isinstance(error, OverflowError):
        status, text, code, fields = 503, str(error), "busy", {"Retry-After": "1"}
    elif isinstance(error, HTTPError):
        status, text = error.status, error.text
    else:
        found = failure_from(error)
        text, code = found.text, found.code
    return respond.json(dialect.error(status, text, param, code), status, fields)


# Streams


async def streamed(request: Request, dialect: Dialect, asked: Asked) -> Response:
    """The stream of what was *asked*, as it comes; or as a run, for who wants to come back."""
    resumable = request.header("x-resumable") == "true"
    # A run reads its events in a task of its own, so no wait for one may be under way here.
    events = concluded(await streams.begun(asked.events(), None if resumable else BEGIN), dialect)
    if not resumable:
        return beating(events, dialect)
    name = await resuming.runs.start(events, owner(request))
    return beating(resuming.runs.follow(name, None, owner(request), slow="wait"), dialect, {"X-Run-Id": name})


def beating(
    events: AsyncIterable[Event | Entry | Gap], dialect: Dialect, headers: dict[str, str] | None = None
) -> Response:
    """Answer with *events*; while the model thinks, the client and what is before it hear that we are there."""
    heard = streams.heartbeat(events, BEAT, lambda: dialect.beat)
    return respond.sse(heard, headers=headers, heartbeat=None)


def concluded(source: AsyncIterable[Event], dialect: Dialect) -> Stream[Event]:
    """Yield from *source*, and what it failed of as the last event. One that just ends has failed. Closes: source."""
    items = told(source, known)

    async def events() -> AsyncIterator[Event]:
        count, whole = 0, False
        async with owned(items) as found:
            async for item in found:
                if isinstance(item, Event):
                    count, whole = count + 1, dialect.is_last(item)
                    yield item
                elif isinstance(item, Failure):
                    yield dialect.failed(item, count)
                elif not whole:
                    yield dialect.failed(Failure("incomplete", "the answer broke off", retry=True), count)

    return Stream(events(), items)


def known(error: Exception) -> Failure | None:
    """What the client may know of a failure in the midst of its stream."""
    if isinstance(error, tokens.Refused):
        return Failure("context_length_exceeded", str(error))
    if isinstance(error, gateway.Refused):
        return Failure(error.code or "upstream_failed", error.text, retry=error.status >= 500)
    return None


# Coming back


def owner(request: Request) -> str:
    """Whose run it is: who has the same key may come back to it."""
    key = request.header("authorization") or request.header("x-api-key") or ""
    return "v1 " + hashlib.sha256(key.encode()).hexdigest()


@router.get("/v1/runs/{name}")
async def run(request: Request) -> Response:
    """Go on with a stream after the ``Last-Event-ID``, or hear it again from its beginning."""
    name = request.param("name")
    try:
        following = resuming.runs.follow(name, request.last_event_id, owner(request), slow="wait")
    except NoSuchRun as error:
        return respond.json(chat.error(str(error), code="no_such_run"), 404)
    return beating(following, CHAT, {"X-Run-Id": name})


@router.delete("/v1/runs/{name}")
async def stop(request: Request) -> Response:
    """Stop it, whoever follows."""
    try:
        await resuming.runs.cancel(request.param("name"), owner(request))
    except NoSuchRun as error:
        return respond.json(chat.error(str(error), code="no_such_run"), 404)
    return respond.empty()
