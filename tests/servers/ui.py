"""UI message streams with all that a message can have, and one that is cut off."""

import asyncio
from collections.abc import AsyncIterator

from examples.raw.routes import router
from rawasgi import Request, Response, respond
from rawasgi.formats.ui_messages import HEADERS, UIPart, encode

CALL, WRONG = {"toolCallId": "c1"}, {"toolCallId": "c2"}
PARTS: list[UIPart] = [
    {"type": "start", "messageId": "m1", "messageMetadata": {"model": "m"}},
    {"type": "start-step"},
    {"type": "reasoning-start", "id": "r"},
    {"type": "reasoning-delta", "id": "r", "delta": "想一"},
    {"type": "reasoning-delta", "id": "r", "delta": "想"},
    {"type": "reasoning-end", "id": "r"},
    {"type": "tool-input-start", "toolName": "weather", **CALL},
    {"type": "tool-input-delta", "inputTextDelta": '{"city": "北', **CALL},
    {"type": "tool-input-delta", "inputTextDelta": '京"}', **CALL},
    {"type": "tool-input-available", "toolName": "weather", "input": {"city": "北京"}, **CALL},
    {"type": "tool-output-available", "output": {"celsius": 21}, **CALL},
    {"type": "tool-input-available", "toolName": "weather", "input": {"city": "?"}, **WRONG},
    {"type": "tool-output-error", "errorText": "no such city", **WRONG},
    {"type": "finish-step"},
    {"type": "start-step"},
    {"type": "data-progress", "id": "p", "data": {"percent": 50}},
    {"type": "data-progress", "id": "p", "data": {"percent": 100}},
    {"type": "source-url", "sourceId": "s", "url": "https://example.com/", "title": "an example"},
    {"type": "source-document", "sourceId": "d", "mediaType": "text/plain", "title": "a document"},
    {"type": "file", "url": "data:text/plain,x", "mediaType": "text/plain"},
    {"type": "text-start", "id": "t"},
    {"type": "text-delta", "id": "t", "delta": "北京 "},
    {"type": "text-delta", "id": "t", "delta": "21 °C\n"},
    {"type": "text-end", "id": "t"},
    {"type": "message-metadata", "messageMetadata": {"tokens": 9}},
    {"type": "finish-step"},
    {"type": "finish"},
]
BEGIN = [part for part in PARTS if part["type"] in ("start", "start-step")][:2] + PARTS[20:22]


async def parts(of: list[UIPart], fail: bool = False) -> AsyncIterator[UIPart]:
    for part in of:
        yield part
        await asyncio.sleep(0)
    if fail:
        raise LookupError("a secret")


async def cut_off() -> AsyncIterator[bytes]:
    for part in BEGIN:
        yield encode(part)
    await asyncio.sleep(0.05)  # or the server has sent nothing yet
    raise LookupError("a secret")


@router.get("/ui/parts")
async def whole(_: Request) -> Response:
    return respond.ui_messages(parts(PARTS))


@router.get("/ui/fail")
async def fail(_: Request) -> Response:
    return respond.ui_messages(parts(BEGIN, fail=True))


@router.get("/ui/cut")
async def cut(_: Request) -> Response:
    return respond.stream(cut_off(), "text/event-stream", headers=HEADERS)
