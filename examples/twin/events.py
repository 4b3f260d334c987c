"""Server-sent events by hand: the frames, and what is told of a failure."""

import json
import logging
import re
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from examples.sources.items import Item

MEDIA_TYPE = "text/event-stream"
UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
log = logging.getLogger("examples.twin")


def dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def frame(data: object, event: str | None = None, id: str | None = None) -> str:
    """One event. A str goes as it is, a line a ``data:``; anything else as JSON."""
    text = data if isinstance(data, str) else dumps(data)
    fields = [("event", event), ("id", id), *(("data", line) for line in re.split("\r\n|\r|\n", text))]
    return "".join(f"{name}: {value}\n" for name, value in fields if value is not None) + "\n"


async def frames(source: AsyncGenerator[object, None]) -> AsyncGenerator[str, None]:
    """Each item as an event, an Item with its name and id. Closes: *source*."""
    async with aclosing(source):
        async for item in source:
            yield frame(item.data, item.name, item.id) if isinstance(item, Item) else frame(item)


def failure(error: Exception) -> str:
    """The event for a failure that is ours: the client gets an id, and the log has the traceback under it."""
    error_id = secrets.token_hex(8)
    log.error("stream failed, id %s", error_id, exc_info=error)
    return frame({"error": "系统错误", "code": "SYSTEM_ERROR", "recoverable": False, "id": error_id}, "error")


async def told(events: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Yield from *events*; a failure becomes the last event. Closes: *events*."""
    try:
        async with aclosing(events):
            async for event in events:
                yield event
    except Exception as error:
        yield failure(error)


def respond(
    content: AsyncGenerator[str, None],
    headers: Mapping[str, str] = UNBUFFERED,
    background: BackgroundTask | None = None,
) -> StreamingResponse:
    return StreamingResponse(content, media_type=MEDIA_TYPE, headers=headers, background=background)


def connection(http_version: object) -> dict[str, str]:
    """``Connection: keep-alive``, where it is legal: HTTP/2 and HTTP/3 forbid it (RFC 9113, section 8.2.2)."""
    return {"Connection": "keep-alive"} if http_version in ("1.0", "1.1") else {}
