"""Document 004: the model's answer in the shapes of OpenAI's chat completions, asked for and told wrong."""

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from examples.sources import asking
from examples.sources.asking import BadRequest
from examples.sources.tokens import AS_IT_LIKES, End, LanguageModel, Message, Options

__all__ = ["BadRequest", "ChatRequest", "chunks", "completion", "error", "parse"]
JSON = dict[str, object]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What was asked for."""

    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False
    options: Options = AS_IT_LIKES


def parse(body: object) -> ChatRequest:
    """*body*, as JSON gives it, checked. Raises: BadRequest."""
    fields = asking.fields(body)
    model, stream, messages = asking.name(fields), asking.flag(fields, "stream"), asking.turns(fields, "messages")
    extra = fields.get("stream_options")
    include_usage = stream and isinstance(extra, dict) and extra.get("include_usage") is True
    if asking.integer(fields, "n", 1) not in (None, 1):
        raise BadRequest("'n' must be 1: there is one answer", "n")
    newer = "max_completion_tokens" if fields.get("max_completion_tokens") is not None else "max_tokens"
    options = Options(
        asking.integer(fields, newer, 1),
        asking.stops(fields, "stop"),
        asking.number(fields, "temperature", 2),
        asking.number(fields, "top_p", 1),
        asking.integer(fields, "seed"),
    )
    return ChatRequest(model, messages, stream, include_usage, options)


def error(text: str, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None) -> JSON:
    """The body of an error answer, and the frame of an error in a stream."""
    return {"error": {"message": text, "type": kind, "param": param, "code": code}}


async def chunks(request: ChatRequest, model: LanguageModel) -> AsyncGenerator[JSON, None]:
    """chat.completion.chunk objects: the role, each token, the end, and the usage if asked for. The app adds [DONE].

    Raises: what *model* does, before the first one if it has not begun.
    """
    head: JSON = {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": request.model,
    }
    if request.include_usage:
        head["usage"] = None

    def chunk(delta: JSON, finish_reason: str | None = None) -> JSON:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**head, "choices": [choice]}

    async with aclosing(model.reply(request.messages, request.options)) as said:
        async for token in said:
            if isinstance(token, End):
                yield chunk({}, token.reason)
                if request.include_usage:
                    yield {**head, "choices": [], "usage": _usage(token)}
            else:
                yield chunk({"content": token} if token else {"role": "assistant", "content": ""})


async def completion(request: ChatRequest, model: LanguageModel) -> JSON:
    """The whole answer as one chat.completion object."""
    text, end = await model.whole(request.messages, request.options)
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": end.reason}],
        "usage": _usage(end),
    }


def _usage(end: End) -> JSON:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": end.prompt_tokens + end.completion_tokens,
    }


def models(model: LanguageModel) -> JSON:
    """The list that /v1/models is: one."""
    return {"object": "list", "data": [described(model)]}


def described(model: LanguageModel) -> JSON:
    return {"id": model.name, "object": "model", "created": 0, "owned_by": "rawasgi"}
