"""How OpenAI's and Anthropic's endpoints say it: what is asked for, what is an error, and which event is the last."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from examples.sources import chat, messages, responses, tokens
from rawasgi import respond
from rawasgi.formats.endings import Failure
from rawasgi.formats.sse import Event
from rawasgi.response import Response

JSON = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request wants: ``events`` if it is to be streamed, else ``whole``."""

    stream: bool
    events: Callable[[], AsyncGenerator[Event, None]]
    whole: Callable[[], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One endpoint's. *path*: below /v1. *beat*: what is sent in silence.

    *error* is the body of an error answer, by its status, text, parameter and code; *failed* the last event of a stream
    that failed after so many others.
    """

    path: str
    parse: Callable[[object], Asked]
    error: Callable[[int, str, str | None, str | None], JSON]
    failed: Callable[[Failure, int], Event]
    is_last: Callable[[Event], bool]
    beat: Event


COMMENT = Event(comment="")
LAST = {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "error"}


def dumps(item: object) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def named(item: JSON) -> Event:
    """An event whose name is its data's type."""
    return Event(dumps(item), str(item["type"]))


async def _named(source: AsyncGenerator[JSON, None]) -> AsyncGenerator[Event, None]:
    async with aclosing(source):
        async for item in source:
            yield named(item)


# OpenAI


def _kind(status: int) -> str:
    return {401: "authentication_error", 429: "rate_limit_error"}.get(
        status, "invalid_request_error" if status < 500 else "server_error"
    )


def _error(status: int, text: str, param: str | None, code: str | None) -> JSON:
    return chat.error(text, _kind(status), param, code)


def _broken(failure: Failure) -> JSON:
    error: JSON = {"message": failure.message, "type": "server_error", "param": None, "code": failure.code}
    return error if failure.id is None else {**error, "id": failure.id}


def _chat(body: object) -> Asked:
    asked = chat.parse(body)

    async def events() -> AsyncGenerator[Event, None]:
        async with aclosing(chat.chunks(asked, tokens.model())) as chunks:
            async for chunk in chunks:
                yield Event(dumps(chunk))
        yield Event("[DONE]")

    async def whole() -> Response:
        return respond.json(await chat.completion(asked, tokens.model()))

    return Asked(asked.stream, events, whole)


def _responses(body: object) -> Asked:
    asked = responses.parse(body)

    async def whole() -> Response:
        return respond.json(await responses.whole(asked, tokens.model()))

    return Asked(asked.stream, lambda: _named(responses.events(asked, tokens.model())), whole)


def _response_failed(failure: Failure, count: int) -> Event:
    # The reference has the fields as they are, OpenAI sends them in "error", where its own client looks for them.
    error = _broken(failure)
    return named({**error, "type": "error", "sequence_number": count, "error": error})


def _is_last_chunk(event: Event) -> bool:
    """Whether it is the end mark, or an error, which some servers send as an event of that name."""
    data = event.data or ""
    if data == "[DONE]" or event.event == "error":
        return True
    if '"error"' not in data:
        return False
    try:
        chunk = json.loads(data)
    except ValueError:
        return False
    return isinstance(chunk, dict) and bool(chunk.get("error"))


CHAT = Dialect(
    path="/chat/completions",
    parse=_chat,
    error=_error,
    failed=lambda failure, _: Event(dumps({"error": _broken(failure)})),
    is_last=_is_last_chunk,
    beat=COMMENT,
)
RESPONSES = Dialect(
    path="/responses",
    parse=_responses,
    error=_error,
    failed=_response_failed,
    is_last=lambda event: event.event in LAST,
    beat=COMMENT,
)


# Anthropic


def _messages(body: object) -> Asked:
    asked = messages.parse(body)

    async def whole() -> Response:
        return respond.json(await messages.whole(asked, tokens.model()))

    return Asked(asked.stream, lambda: _named(messages.events(asked, tokens.model())), whole)


def _anthropic_kind(status: int) -> str:
    kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 503: "overloaded_error"}
    return kinds.get(status, "invalid_request_error" if status < 500 else "api_error")


MESSAGES = Dialect(
    path="/messages",
    parse=_messages,
    error=lambda status, text, param, code: messages.error(text, _anthropic_kind(status)),
    failed=lambda failure, _: named(messages.error(failure.text, "api_error")),
    is_last=lambda event: event.event in {"message_stop", "error"},
    beat=Event('{"type":"ping"}', "ping"),
)
