"""Document 004: a chat in both directions at once, as frames; the socket is somebody else's.

The reader sends text, a prompt as it is or an object: ``{"type": "message", "content": …}``, ``{"type": "cancel"}``,
``{"type": "close"}``. It is sent objects: ``start``, ``token`` with its content, then ``done`` or ``cancelled``;
``error`` with a message. A message that comes while an answer is given gets an error: one answer at a time. So does one
that the model cannot answer, after its ``start``; if it is only busy, ``retry`` says after how many seconds to ask.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from examples.sources.tokens import Busy, Refused, answer

Frame = dict[str, object]
MESSAGE_LIMIT_CHARACTERS = 10_000


class Bye(Exception):
    """The conversation is over, with this *code* (RFC 6455, section 7.4.1) and *reason*."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def parse(incoming: str | bytes) -> tuple[str, str]:
    """What the reader sent, as (type, content). Raises: Bye for what no reader of ours would send."""
    if isinstance(incoming, bytes):
        raise Bye(1003, "text frames only")
    if len(incoming) > MESSAGE_LIMIT_CHARACTERS:
        raise Bye(1009, f"at most {MESSAGE_LIMIT_CHARACTERS} characters")
    try:
        message = json.loads(incoming)
    except (ValueError, RecursionError):
        return "message", incoming
    if not isinstance(message, dict):
        return "message", incoming
    kind, content = message.get("type"), message.get("content", "")
    if kind not in ("message", "cancel", "close") or not isinstance(content, str):
        raise Bye(1008, "type must be message, cancel or close, and content a string")
    return kind, content


async def dialogue(
    incoming: AsyncIterator[str | bytes], reply: Callable[[str], AsyncGenerator[str, None]] = answer
) -> AsyncGenerator[Frame, None]:
    """The frames to send, while *incoming* is read. Ends when *incoming* ends. Raises: Bye.

    Reads ahead: one of *incoming*, whose step is cancelled when this is closed. Closes: what *reply* returned, before
    ``cancelled`` is sent.
    """
    next_message = asyncio.ensure_future(anext(incoming))
    next_token: asyncio.Future[str] | None = None
    tokens: AsyncGenerator[str, None] | None = None
    try:
        while True:
            waiting: set[asyncio.Future[str | bytes] | asyncio.Future[str]] = {next_message}
            if next_token is not None:
                waiting.add(next_token)
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if next_message.done():
                try:
                    kind, content = parse(next_message.result())
                except StopAsyncIteration:
                    return
                next_message = asyncio.ensure_future(anext(incoming))
                if kind == "close":
                    raise Bye(1000, "再见")
                if kind == "cancel" and tokens is not None:
                    await _stop(next_token, tokens)
                    next_token = tokens = None
                    yield {"type": "cancelled"}
                elif kind == "cancel":
                    yield {"type": "error", "message": "没有正在生成的回答"}
                elif tokens is not None:
                    yield {"type": "error", "message": "上一个回答还没有结束"}
                else:
                    tokens = reply(content)
                    next_token = asyncio.ensure_future(anext(tokens))
                    yield {"type": "start"}
            elif next_token is not None and tokens is not None:
                try:
                    token = next_token.result()
                except StopAsyncIteration:
                    next_token = tokens = None
                    yield {"type": "done"}
                    continue
                except (Busy, Refused) as error:
                    next_token = tokens = None
                    yield refusal(error)
                    continue
                next_token = asyncio.ensure_future(anext(tokens))
                yield {"type": "token", "content": token}
    finally:
        next_message.cancel()
        await asyncio.gather(next_message, return_exceptions=True)
        await _stop(next_token, tokens)


def refusal(error: Busy | Refused) -> Frame:
    """The frame for what the model cannot answer, or not now."""
    if isinstance(error, Busy):
        return {"type": "error", "message": "模型正忙，请稍后再试", "retry": error.seconds}
    return {"type": "error", "message": f"模型无法回答: {error}"}


async def _stop(step: asyncio.Future[str] | None, tokens: AsyncGenerator[str, None] | None) -> None:
    """End a running step before its source: a source cannot be closed while a step of it runs."""
    if step is not None:
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
    if tokens is not None:
        async with aclosing(tokens):
            pass
