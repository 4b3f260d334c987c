"""The model's answer in the shapes of Anthropic's messages: named events around blocks of content."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from examples.sources import asking
from examples.sources.asking import BadRequest
from examples.sources.tokens import End, LanguageModel, Message, Options

JSON = dict[str, object]
REASONS = {"stop": "end_turn", "length": "max_tokens"}


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """What was asked for."""

    model: str
    messages: tuple[Message, ...]
    stream: bool
    options: Options


def parse(body: object) -> MessagesRequest:
    """*body*, as JSON gives it, checked. Raises: BadRequest."""
    fields = asking.fields(body)
    messages = asking.turns(fields, "messages")
    if system := asking.content(fields.get("system"), "system"):
        messages = (Message("system", system), *messages)
    options = Options(
        asking.integer(fields, "max_tokens", 1),
        asking.stops(fields, "stop_sequences"),
        asking.number(fields, "temperature", 1),
        asking.number(fields, "top_p", 1),
    )
    if options.max_tokens is None:
        raise BadRequest("'max_tokens' must be given: it is required here", "max_tokens")
    return MessagesRequest(asking.name(fields), messages, asking.flag(fields, "stream"), options)


def error(text: str, kind: str = "invalid_request_error") -> JSON:
    """The body of an error answer, and the data of an ``error`` event."""
    return {"type": "error", "error": {"type": kind, "message": text}}


def _message(request: MessagesRequest, content: list[JSON], end: End | None) -> JSON:
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        **_stopped(end),
        "usage": _usage(end),
    }


def _stopped(end: End | None) -> JSON:
    """Why it ended, and before which of the client's texts."""
    if end is None:
        return {"stop_reason": None, "stop_sequence": None}
    reason = REASONS[end.reason] if end.stop is None else "stop_sequence"
    return {"stop_reason": reason, "stop_sequence": end.stop}


def _usage(end: End | None) -> JSON:
    prompt, completion = (end.prompt_tokens, end.completion_tokens) if end else (0, 0)
    return {"input_tokens": prompt, "output_tokens": completion}


async def events(request: MessagesRequest, model: LanguageModel) -> AsyncGenerator[JSON, None]:
    """The start, one block of text with each delta, and why it stopped. Pings are the app's, when nothing is said."""
    async with aclosing(model.reply(request.messages, request.options)) as said:
        async for token in said:
            if isinstance(token, End):
                yield {"type": "content_block_stop", "index": 0}
                yield {"type": "message_delta", "delta": _stopped(token), "usage": _usage(token)}
                yield {"type": "message_stop"}
            elif token:
                delta = {"type": "text_delta", "text": token}
                yield {"type": "content_block_delta", "index": 0, "delta": delta}
            else:
                yield {"type": "message_start", "message": _message(request, [], None)}
                yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
                yield {"type": "ping"}


async def whole(request: MessagesRequest, model: LanguageModel) -> JSON:
    """The message, when it is there."""
    text, end = await model.whole(request.messages, request.options)
    return _message(request, [{"type": "text", "text": text}], end)
