"""The model's answer in the shapes of OpenAI's responses: named events, numbered, each with the whole of its part."""

import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from examples.sources import asking
from examples.sources.asking import BadRequest
from examples.sources.tokens import End, LanguageModel, Message, Options

JSON = dict[str, object]
STATUSES = {"stop": "completed", "length": "incomplete"}


@dataclass(slots=True)
class Answer:
    """What was asked for, and the answer that is made of it."""

    model: str
    messages: tuple[Message, ...]
    stream: bool
    options: Options
    instructions: str | None
    id: str = field(default_factory=lambda: f"resp_{secrets.token_hex(24)}")
    created: int = field(default_factory=lambda: int(time.time()))
    number: int = 0

    @property
    def item_id(self) -> str:
        return f"msg_{self.id.removeprefix('resp_')}"

    def event(self, kind: str, **more: object) -> JSON:
        """The next event."""
        numbered: JSON = {"type": kind, "sequence_number": self.number, **more}
        self.number += 1
        return numbered

    def response(self, status: str, output: Sequence[JSON] = (), usage: End | None = None, **more: object) -> JSON:
        """The response as it stands."""
        found: JSON = {
            "id": self.id, "object": "response", "created_at": self.created, "status": status, "error": None,
            "incomplete_details": None, "instructions": self.instructions, "metadata": {}, "model": self.model,
            "output": list(output), "parallel_tool_calls": True,
            "temperature": self.options.temperature, "tool_choice": "auto", "tools": [], "top_p": self.options.top_p,
            "max_output_tokens": self.options.max_tokens, "usage": None,
        }  # fmt: skip
        if usage is not None:
            found["usage"] = {
                "input_tokens": usage.prompt_tokens,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": usage.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            }
        return {**found, **more}


def parse(body: object) -> Answer:
    """*body*, as JSON gives it, checked. Raises: BadRequest."""
    fields = asking.fields(body)
    given, instructions = fields.get("input"), fields.get("instructions")
    if not isinstance(instructions, str | None):
        raise BadRequest("'instructions' must be a string", "instructions")
    if isinstance(given, str) and given:
        messages: tuple[Message, ...] = (Message("user", given),)
    else:
        messages = asking.turns(fields, "input")
    if instructions:
        messages = (Message("system", instructions), *messages)
    options = Options(
        asking.integer(fields, "max_output_tokens", 1),
        (),
        asking.number(fields, "temperature", 2),
        asking.number(fields, "top_p", 1),
    )
    return Answer(asking.name(fields), messages, asking.flag(fields, "stream"), options, instructions)


async def events(answer: Answer, model: LanguageModel) -> AsyncGenerator[JSON, None]:
    """Created, in progress, an item and its part with each delta, both done, and the response as it ended."""
    text = ""
    where: JSON = {"item_id": answer.item_id, "output_index": 0, "content_index": 0}
    async with aclosing(model.reply(answer.messages, answer.options)) as said:
        async for token in said:
            if isinstance(token, End):
                yield answer.event("response.output_text.done", **where, text=text, logprobs=[])
                yield answer.event("response.content_part.done", **where, part=_part(text))
                status = STATUSES[token.reason]
                item = _item(answer, status, text)
                yield answer.event("response.output_item.done", output_index=0, item=item)
                yield answer.event(f"response.{status}", response=_ended(answer, text, token))
            elif token:
                text += token
                yield answer.event("response.output_text.delta", **where, delta=token, logprobs=[])
            else:
                yield answer.event("response.created", response=answer.response("in_progress"))
                yield answer.event("response.in_progress", response=answer.response("in_progress"))
                yield answer.event(
                    "response.output_item.added", output_index=0, item=_item(answer, "in_progress", None)
                )
                yield answer.event("response.content_part.added", **where, part=_part(text))


async def whole(answer: Answer, model: LanguageModel) -> JSON:
    """The response, when it is there."""
    text, end = await model.whole(answer.messages, answer.options)
    return _ended(answer, text, end)


def _part(text: str) -> JSON:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(answer: Answer, status: str, text: str | None) -> JSON:
    content = [] if text is None else [_part(text)]
    return {"id": answer.item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def _ended(answer: Answer, text: str, end: End) -> JSON:
    status = STATUSES[end.reason]
    details = {"reason": "max_output_tokens"} if status == "incomplete" else None
    return answer.response(status, [_item(answer, status, text)], end, incomplete_details=details)
