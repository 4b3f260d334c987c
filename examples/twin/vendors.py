"""The model vendors' endpoints with FastAPI, rows 57 to 59, what row 34 shares with them, and row 60.

Who leaves is missed only once there is a stream: a handler is not told, so what is not streamed is made to its end for
nobody. Nor is there a heartbeat while the model thinks, for the first event is waited for.
"""

import json
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from examples.sources import chat, messages, responses, tokens, ui
from examples.sources.asking import BadRequest
from examples.twin.events import MEDIA_TYPE, UNBUFFERED, frame, log, respond

JSON = dict[str, object]
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a vendor says it: the body of an error, by its status, text, parameter and code; an event, the last of which
    is *done*; and the event of a failure after so many others."""

    error: Callable[[int, str, str | None, str | None], JSON]
    event: Callable[[JSON], str]
    failed: Callable[[str, int], JSON]
    done: str = ""


def dumps(item: JSON) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def named(item: JSON) -> str:
    return frame(dumps(item), str(item["type"]))


def openai_error(status: int, text: str, param: str | None = None, code: str | None = None) -> JSON:
    return chat.error(text, "invalid_request_error" if status < 500 else "server_error", param, code)


def anthropic_error(status: int, text: str, param: str | None = None, code: str | None = None) -> JSON:
    kind = {503: "overloaded_error"}.get(status, "invalid_request_error" if status < 500 else "api_error")
    return messages.error(text, kind)


def response_failed(text: str, count: int) -> JSON:
    error = {"message": text, "type": "server_error", "param": None, "code": "internal"}
    return {**error, "type": "error", "sequence_number": count, "error": error}


CHAT = Dialect(
    openai_error,
    lambda item: frame(dumps(item)),
    lambda text, _: openai_error(500, text, code="internal"),
    frame("[DONE]"),
)
RESPONSES = Dialect(openai_error, named, response_failed)
MESSAGES = Dialect(anthropic_error, named, lambda text, _: anthropic_error(500, text))


@router.get("/v1/models")
async def models() -> JSON:
    return chat.models(tokens.model())


@router.post("/v1/responses")
async def make_response(request: Request) -> Response:
    try:
        asked = responses.parse(await body(request))
        if not asked.stream:
            return JSONResponse(await responses.whole(asked, tokens.model()))
        return await streamed(responses.events(asked, tokens.model()), RESPONSES)
    except Exception as error:
        return refused(RESPONSES, error)


@router.post("/v1/messages")
async def make_message(request: Request) -> Response:
    try:
        asked = messages.parse(await body(request))
        if not asked.stream:
            return JSONResponse(await messages.whole(asked, tokens.model()))
        return await streamed(messages.events(asked, tokens.model()), MESSAGES)
    except Exception as error:
        return refused(MESSAGES, error)


async def body(request: Request) -> object:
    try:
        return await request.json()
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None


async def streamed(events: AsyncGenerator[JSON, None], dialect: Dialect) -> StreamingResponse:
    """*events* as they come, from the first on: until then a failure has a status of its own, afterwards an event."""
    first = await anext(events)

    async def generate() -> AsyncGenerator[str, None]:
        count = 1
        try:
            async with aclosing(events):
                yield dialect.event(first)
                async for event in events:
                    count += 1
                    yield dialect.event(event)
        except Exception as error:
            yield dialect.event(dialect.failed(logged(error), count))
        else:
            yield dialect.done

    return respond(generate())


def refused(dialect: Dialect, error: Exception) -> JSONResponse:
    """The answer to what failed before there was one."""
    if isinstance(error, BadRequest):
        return JSONResponse(dialect.error(400, str(error), error.param, None), 400)
    if isinstance(error, tokens.Refused):
        return JSONResponse(dialect.error(400, str(error), None, "context_length_exceeded"), 400)
    if isinstance(error, tokens.Busy):
        return JSONResponse(dialect.error(503, str(error), None, "busy"), 503, {"Retry-After": str(error.seconds)})
    return JSONResponse(dialect.error(500, logged(error), None, "internal"), 500)


def logged(error: Exception) -> str:
    """What the client may know of a failure of ours: an id, under which the log has the rest."""
    error_id = secrets.token_hex(8)
    log.error("the model failed, id %s", error_id, exc_info=error)
    return f"the stream failed, id {error_id}"


# What useChat reads


@router.post("/api/chat")
async def ui_chat(request: Request) -> StreamingResponse:
    try:
        parts = ui.parts(ui.parse(await body(request)), tokens.model())
        first = await anext(parts)
    except (BadRequest, tokens.Refused) as error:
        raise HTTPException(400, str(error)) from None
    except tokens.Busy as error:
        raise HTTPException(503, str(error), {"Retry-After": str(error.seconds)}) from None

    async def generate() -> AsyncGenerator[str, None]:
        try:
            async with aclosing(parts):
                yield frame(json.dumps(first))
                async for part in parts:
                    yield frame(json.dumps(part))
        except Exception as error:
            yield frame(json.dumps({"type": "error", "errorText": logged(error)}))
        yield frame("[DONE]")

    headers = {**UNBUFFERED, "x-vercel-ai-ui-message-stream": "v1"}
    return StreamingResponse(generate(), media_type=MEDIA_TYPE, headers=headers)
