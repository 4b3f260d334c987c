"""Document 004: language models. The one here answers any prompt, token by token, and needs no network.

RAWASGI_MODEL=smollm2 takes a real one instead (smollm.py), which ``python3 dev.py demo --model`` installs.
"""

import functools
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from examples.sources.pace import pause

ANSWER = "这是对 '{prompt}' 的回答。异步编程是一种编程范式，允许程序在等待 I/O 操作时执行其他任务。"
NO_PROMPT = "这是一个模拟的 AI 回答。在实际应用中，这里会调用真实的 LLM API。"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer. None: as the model likes."""

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None


AS_IT_LIKES = Options()


@dataclass(frozen=True, slots=True)
class End:
    """The answer is whole, or as long as it may be; *reason* says which. *stop*: the text that it was to end before."""

    reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    stop: str | None = None


class Busy(Exception):
    """As many wait for the model as may; ask again after *seconds*."""

    def __init__(self, text: str, seconds: int) -> None:
        super().__init__(text)
        self.seconds = seconds


class Refused(ValueError):
    """The model cannot answer this, and never will."""


class LanguageModel(ABC):
    """What the rows know of a model."""

    name: str

    @abstractmethod
    def reply(self, messages: Sequence[Message], options: Options = AS_IT_LIKES) -> AsyncGenerator[str | End, None]:
        """Yield "" when the model has begun, the tokens, and an End; closing it stops the model.

        Raises: Busy, at once; Refused, before the first token.
        """

    def load(self) -> None:  # noqa: B027  most have nothing to load
        """Make ready to answer. Blocks."""

    def admit(self) -> None:  # noqa: B027  most have room for all
        """Raises: Busy, if reply() would now."""

    def stream(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """The tokens; joined, they are the answer."""
        return spoken(self.reply(messages))

    async def whole(self, messages: Sequence[Message], options: Options) -> tuple[str, End]:
        """The answer, when it is there, and how it ended."""
        text, end = "", End("stop", 0, 0)
        async with aclosing(self.reply(messages, options)) as said:
            async for token in said:
                if isinstance(token, End):
                    end = token
                else:
                    text += token
        return text, end


async def spoken(reply: AsyncGenerator[str | End, None]) -> AsyncGenerator[str, None]:
    """The tokens of a *reply*, and nothing else of it. Closes: reply."""
    async with aclosing(reply):
        async for token in reply:
            if token and isinstance(token, str):
                yield token


class Model(LanguageModel):
    """Stands in for a language model: the same interface, a fixed answer, the documents' pace."""

    name = "embedded"

    def __init__(self, delay: float = 0.1) -> None:
        self._delay = delay

    async def reply(
        self, messages: Sequence[Message], options: Options = AS_IT_LIKES
    ) -> AsyncGenerator[str | End, None]:
        """The answer to the last user message, *delay* before each token. A token is a word."""
        prompt = next((message.content for message in reversed(messages) if message.role == "user"), "")
        answer = ANSWER.format(prompt=prompt) if prompt else NO_PROMPT
        words = answer.split()
        most = len(words) if options.max_tokens is None else options.max_tokens
        cut = Cut(options.stop)
        asked = sum(len(message.content.split()) for message in messages)
        yield ""
        for count, word in enumerate(words[:most], 1):
            await pause(self._delay)
            if said := cut.feed(word + " "):
                yield said
            if cut.found is not None:
                yield End("stop", asked, count, cut.found)
                return
        if rest := cut.rest():
            yield rest
        yield End("length" if most < len(words) else "stop", asked, min(most, len(words)))


class Cut:
    """Ends a text before the first of *stops*, which may come in pieces; ``found`` is the one that came."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.found: str | None = None

    def feed(self, text: str) -> str:
        """What of *text*, and of what was held back, is safe to say."""
        held = self._held + text
        places = [(place, stop) for stop in self._stops if (place := held.find(stop)) >= 0]
        if places:
            at, self.found = min(places, key=lambda found: found[0])
        else:
            at = len(held) - max((_overlap(held, stop) for stop in self._stops), default=0)
        self._held = held[at:]
        return held[:at]

    def rest(self) -> str:
        """What was held back, when no more comes."""
        return self._held


def _overlap(text: str, stop: str) -> int:
    """How much of the end of *text* may be the beginning of *stop*."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)


@functools.cache
def model() -> LanguageModel:
    """The model of this process. Raises: RuntimeError, which says what is missing."""
    wanted = os.environ.get("RAWASGI_MODEL", "")
    if wanted == "smollm2":
        from examples.sources.smollm import SmolLM

        return SmolLM()
    if wanted:
        raise RuntimeError(f"RAWASGI_MODEL must be smollm2 or nothing, not {wanted!r}")
    return Model()


def load() -> None:
    """Make this process's model ready, if it takes a while. Blocks. Raises: as model()."""
    model().load()


def is_real() -> bool:
    """Whether this process has a real model."""
    return bool(os.environ.get("RAWASGI_MODEL"))


def reply(prompt: str) -> AsyncGenerator[str | End, None]:
    """The model's answer to *prompt*, as LanguageModel.reply() gives it."""
    return model().reply([Message("user", prompt)])


def answer(prompt: str) -> AsyncGenerator[str, None]:
    """The tokens of the model's answer to *prompt*."""
    return spoken(reply(prompt))
