"""Document 004: the model's answer in the shapes of OpenAI's chat completions, asked for and told wrong."""

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from examples.sources.tokens import Message, Model

JSON = dict[str, object]


class BadRequest(ValueError):
    """The request is not a chat completion's; *param* is the part that is wrong."""

    def __init__(self, text: str, param: str | None = None) -> None:
        super().__init__(text)
        self.param = param


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What was asked for."""

    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False


def parse(body: object) -> ChatRequest:
    """*body*, as JSON gives it, checked. Raises: BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    model, stream, messages = body.get("model"), body.get("stream") or False, body.get("messages")
    if not isinstance(model, str) or not model:
        raise BadRequest("'model' must be a string", "model")
    if not isinstance(stream, bool):
        raise BadRequest("'stream' must be true or false", "stream")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("'messages' must be a list of at least one message", "messages")
    options = body.get("stream_options")
    include_usage = stream and isinstance(options, dict) and options.get("include_usage") is True
    turns = tuple(_message(at, message) for at, message in enumerate(messages))
    return ChatRequest(model, turns, stream, include_usage)


def _message(at: int, message: object) -> Message:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise BadRequest(f"'messages[{at}]' must be an object with a role", f"messages[{at}]")
    content = message.get("content")
    if content is None:  # an assistant's turn that only called tools
        return Message(message["role"], "")
    if isinstance(content, list):  # parts, of which the text ones are read
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "".join(text for text in texts if isinstance(text, str))
    if not isinstance(content, str):
        raise BadRequest(f"'messages[{at}].content' must be a string or a list of parts", f"messages[{at}].content")
    return Message(message["role"], content)


def error(text: str, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None) -> JSON:
    """The body of an error answer, and the frame of an error in a stream."""
    return {"error": {"message": text, "type": kind, "param": param, "code": code}}


async def chunks(request: ChatRequest, model: Model) -> AsyncGenerator[JSON, None]:
    """chat.completion.chunk objects: the role, each token, the end, and the usage if asked for. The app adds [DONE]."""
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

    tokens = 0
    yield chunk({"role": "assistant", "content": ""})
    async with aclosing(model.stream(request.messages)) as stream:
        async for token in stream:
            tokens += 1
            yield chunk({"content": token})
    yield chunk({}, "stop")
    if request.include_usage:
        yield {**head, "choices": [], "usage": _usage(request, tokens)}


async def completion(request: ChatRequest, model: Model) -> JSON:
    """The whole answer as one chat.completion object."""
    async with aclosing(model.stream(request.messages)) as stream:
        tokens = [token async for token in stream]
    message = {"role": "assistant", "content": "".join(tokens), "refusal": None}
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _usage(request, len(tokens)),
    }


def _usage(request: ChatRequest, completion_tokens: int) -> JSON:
    prompt_tokens = sum(len(message.content.split()) for message in request.messages)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
