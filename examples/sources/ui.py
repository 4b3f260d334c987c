"""What the useChat of the AI SDK sends, and the model's answer as the parts that it reads."""

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from examples.sources import asking
from examples.sources.asking import BadRequest
from examples.sources.tokens import End, LanguageModel, Message

JSON = dict[str, object]


def parse(body: object) -> tuple[Message, ...]:
    """The texts of the messages of *body*, as JSON gives it, checked. Raises: BadRequest."""
    messages = asking.fields(body).get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("'messages' must be a list of at least one message", "messages")
    return tuple(_message(f"messages[{at}]", message) for at, message in enumerate(messages))


def _message(where: str, message: object) -> Message:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise BadRequest(f"'{where}' must be an object with a role", where)
    return Message(message["role"], asking.content(message.get("parts"), f"{where}.parts"))


async def parts(messages: Sequence[Message], model: LanguageModel) -> AsyncGenerator[JSON, None]:
    """A message of one step with one text; what it took is its metadata. Raises: what *model* does."""
    async with aclosing(model.reply(messages)) as said:
        async for token in said:
            if isinstance(token, End):
                yield {"type": "text-end", "id": "1"}
                yield {"type": "finish-step"}
                counts = {"inputTokens": token.prompt_tokens, "outputTokens": token.completion_tokens}
                yield {"type": "finish", "messageMetadata": counts}
            elif token:
                yield {"type": "text-delta", "id": "1", "delta": token}
            else:
                yield {"type": "start", "messageId": f"msg_{secrets.token_hex(12)}"}
                yield {"type": "start-step"}
                yield {"type": "text-start", "id": "1"}
