"""Document 004: the embedded default model. It answers any prompt, token by token, and needs no network."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from examples.sources.pace import pause

ANSWER = "这是对 '{prompt}' 的回答。异步编程是一种编程范式，允许程序在等待 I/O 操作时执行其他任务。"
NO_PROMPT = "这是一个模拟的 AI 回答。在实际应用中，这里会调用真实的 LLM API。"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


class Model:
    """Stands in for a language model: the same interface, a fixed answer, the documents' pace."""

    def __init__(self, delay: float = 0.1) -> None:
        self._delay = delay

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """The answer to the last user message, *delay* before each token. The tokens, joined, are the answer."""
        prompt = next((message.content for message in reversed(messages) if message.role == "user"), "")
        answer = ANSWER.format(prompt=prompt) if prompt else NO_PROMPT
        for word in answer.split():
            await pause(self._delay)
            yield word + " "


def answer(prompt: str) -> AsyncGenerator[str, None]:
    """The tokens of the embedded model's answer to *prompt*."""
    return Model().stream([Message("user", prompt)])
