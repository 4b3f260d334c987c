"""The chat sources: the model, OpenAI's shapes, the dialogue in both directions, retrieval."""

import asyncio
import importlib
import importlib.util
import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pytest

from examples.sources import chat, langchain, pipeline, retrieval, tokens
from examples.sources.dialogue import Bye, Frame, dialogue
from examples.sources.retrieval import Index

T = TypeVar("T")
ANSWER = "这是对 '你好' 的回答。异步编程是一种编程范式，允许程序在等待 I/O 操作时执行其他任务。 "


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def run(coroutine: Coroutine[object, object, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 10))


async def collect(source: AsyncIterable[T]) -> list[T]:
    return [item async for item in source]


def ask(**changes: object) -> chat.ChatRequest:
    return chat.parse({"model": "gpt-4", "messages": [{"role": "user", "content": "你好"}], **changes})


def test_the_model_answers_the_last_user_message() -> None:
    turns = [tokens.Message("user", "早"), tokens.Message("user", "你好"), tokens.Message("assistant", "是")]
    assert "".join(run(collect(tokens.Model().stream(turns)))) == ANSWER
    assert "".join(run(collect(tokens.Model().stream([])))).startswith("这是一个模拟的 AI 回答。")


def test_chunks_are_a_role_then_tokens_then_the_end() -> None:
    chunks = run(collect(chat.chunks(ask(stream=True), tokens.Model())))
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    text = json.dumps([chunk["choices"] for chunk in chunks], ensure_ascii=False)
    choices = [choice for [choice] in json.loads(text)]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(choice["delta"].get("content", "") for choice in choices) == ANSWER
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]


def test_usage_comes_last_when_it_is_asked_for() -> None:
    asked = ask(stream=True, stream_options={"include_usage": True})
    *chunks, last = run(collect(chat.chunks(asked, tokens.Model())))
    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 1, "completion_tokens": 5, "total_tokens": 6}


def test_a_completion_is_the_whole_answer() -> None:
    whole = run(chat.completion(ask(), tokens.Model()))
    assert whole["object"] == "chat.completion"
    assert json.loads(json.dumps(whole["choices"]))[0]["message"]["content"] == ANSWER


def test_text_parts_are_joined_and_a_turn_may_be_empty() -> None:
    parts = [{"type": "text", "text": "你"}, {"type": "image_url"}, {"type": "text", "text": "好"}]
    asked = ask(messages=[{"role": "user", "content": parts}, {"role": "assistant", "content": None}])
    assert asked.messages == (tokens.Message("user", "你好"), tokens.Message("assistant", ""))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({}, "model"),
        ({"model": "m", "stream": "yes"}, "stream"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": ["hi"]}, "messages[0]"),
        ({"model": "m", "messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
    ],
)
def test_a_wrong_request_says_which_part(body: object, param: str | None) -> None:
    with pytest.raises(chat.BadRequest) as caught:
        chat.parse(body)
    assert caught.value.param == param
    assert chat.error(str(caught.value), param=param)["error"]


class Talk:
    """A reader who sends what he is told, and notes the frames he gets."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.replies_closed = 0

    async def incoming(self) -> AsyncGenerator[str | bytes, None]:
        while (message := await self.queue.get()) is not None:
            yield message

    async def reply(self, prompt: str) -> AsyncGenerator[str, None]:
        try:
            yield prompt
            if prompt != "short":
                await asyncio.Event().wait()
        finally:
            self.replies_closed += 1


def talk(script: Callable[[Talk, AsyncGenerator[Frame, None]], Coroutine[object, object, T]]) -> tuple[T, int]:
    async def main() -> tuple[T, int]:
        both = Talk()
        async with aclosing(both.incoming()) as incoming, aclosing(dialogue(incoming, both.reply)) as frames:
            result = await script(both, frames)
        return result, both.replies_closed

    return run(main())


def test_a_prompt_gets_tokens_and_done() -> None:
    async def script(both: Talk, frames: AsyncGenerator[Frame, None]) -> list[Frame]:
        both.queue.put_nowait("short")
        return [await anext(frames) for _ in range(3)]

    frames, closed = talk(script)
    assert frames == [{"type": "start"}, {"type": "token", "content": "short"}, {"type": "done"}]
    assert closed == 1


def test_cancel_closes_the_answer_before_it_says_so() -> None:
    async def script(both: Talk, frames: AsyncGenerator[Frame, None]) -> tuple[list[object], int]:
        both.queue.put_nowait('{"type": "message", "content": "long"}')
        seen = [(await anext(frames))["type"] for _ in range(2)]
        both.queue.put_nowait("one more")
        seen.append((await anext(frames))["type"])
        both.queue.put_nowait('{"type": "cancel"}')
        seen.append((await anext(frames))["type"])
        closed = both.replies_closed
        both.queue.put_nowait('{"type": "cancel"}')
        seen.append((await anext(frames))["type"])
        return seen, closed

    (seen, closed_then), _ = talk(script)
    assert seen == ["start", "token", "error", "cancelled", "error"]
    assert closed_then == 1


def test_a_reader_who_hangs_up_ends_the_dialogue_and_the_answer() -> None:
    async def script(both: Talk, frames: AsyncGenerator[Frame, None]) -> list[Frame]:
        both.queue.put_nowait("long")
        seen = [await anext(frames) for _ in range(2)]
        both.queue.put_nowait(None)
        return [*seen, *await collect(frames)]

    frames, closed = talk(script)
    assert len(frames) == 2
    assert closed == 1


def test_leaving_in_the_middle_closes_the_answer() -> None:
    async def script(both: Talk, frames: AsyncGenerator[Frame, None]) -> Frame:
        both.queue.put_nowait("long")
        return await anext(frames)

    assert talk(script) == ({"type": "start"}, 1)


@pytest.mark.parametrize(
    ("incoming", "code"),
    [
        ('{"type": "close"}', 1000),
        (b"\x00", 1003),
        ('{"type": "dance"}', 1008),
        ('{"type": "message", "content": 3}', 1008),
        ("x" * 10_001, 1009),
    ],
)
def test_a_dialogue_ends_with_a_code(incoming: str | bytes, code: int) -> None:
    async def script(both: Talk, frames: AsyncGenerator[Frame, None]) -> int:
        both.queue.put_nowait(incoming)
        with pytest.raises(Bye) as caught:
            await anext(frames)
        return caught.value.code

    assert talk(script) == (code, 0)


@pytest.mark.parametrize("prompt", ["3", "[1]", "[" * 9_000])
def test_json_that_is_no_object_is_a_prompt(prompt: str) -> None:
    async def script(both: Talk, frames: AsyncGenerator[Frame, None]) -> list[object]:
        both.queue.put_nowait(prompt)
        return [await anext(frames), (await anext(frames))["content"]]

    assert talk(script) == ([{"type": "start"}, prompt], 1)


def test_chinese_is_indexed_by_pairs_of_neighbours() -> None:
    assert retrieval.terms("什么是 the ASGI 流?") == ["什么", "么是", "asgi", "流"]


def test_a_rare_term_outweighs_a_common_one() -> None:
    index = Index({"a": "stream stream stream", "b": "stream heartbeat", "c": "stream", "d": "other"})
    assert [title for title, _ in index.search("stream heartbeat")] == ["b", "a", "c"]
    assert index.search("nothing") == []
    assert Index({}).search("x") == []


def test_a_question_is_answered_from_what_was_found() -> None:
    events = run(collect(retrieval.answer("什么是异步编程？")))
    kinds = [event["type"] for event in events]
    assert list(dict.fromkeys(kinds)) == ["retrieval", "generation", "content", "done"]
    assert events[1]["message"] == "找到 3 个相关文档"
    text = "".join(str(event["content"]) for event in events if event["type"] == "content")
    assert text == "根据检索到的文档，异步编程是一种编程范式，它允许程序在等待 I/O 操作时执行其他任务。 "


def test_a_question_about_nothing_is_told_so() -> None:
    events = run(collect(retrieval.answer("?", Index({"a": "b"}))))
    assert events[1]["message"] == "找到 0 个相关文档"
    assert events[3]["content"] == "没有找到与问题相关的文档。 "


def test_the_project_is_searched(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# streams")
    (tmp_path / "rawasgi").mkdir()
    (tmp_path / "rawasgi" / "a.py").write_text('"""Ranges."""')
    (tmp_path / "rawasgi" / "b.py").write_text("x = 1")
    assert {"README.md", "rawasgi/a.py"} == {title for title in retrieval.collect(tmp_path) if title.isascii()} - {
        "NDJSON", "WebSocket", "Server-Sent Events"
    }  # fmt: skip


def test_the_order_of_messages_is_known() -> None:
    question = "When may the app send http.response.pathsend?"
    index = retrieval.project_index()
    assert index.search(question)[0][0] == "ASGI http order"
    said = retrieval.best_sentence(index.documents["ASGI http order"], question)
    assert said.startswith("In the state started, the app may send http.response.pathsend; then the state is complete")


def test_a_real_model_makes_its_answer_of_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> AsyncGenerator[str, None]:
        asked.append(prompt)
        return pipeline.transform(tokens.Model().stream([]), str)

    monkeypatch.setattr(tokens, "is_real", lambda: True)
    monkeypatch.setattr(tokens, "answer", answer)
    events = run(collect(retrieval.answer("heartbeat?", Index({"a": "A heartbeat is sent."}))))
    assert "- A heartbeat is sent.\nQuestion: heartbeat?" in asked[0]
    assert "".join(str(event.get("content", "")) for event in events).startswith("这是一个模拟")


def test_langchain_is_asked_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class ChatOpenAI:
        def __init__(self, *, model: str, base_url: str, api_key: str) -> None:
            asked.append(base_url)

        def astream(self, message: str) -> AsyncGenerator[SimpleNamespace, None]:
            return pipeline.transform(tokens.answer(message), lambda token: SimpleNamespace(content=token))

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace(ChatOpenAI=ChatOpenAI))
    assert "".join(run(collect(langchain.chat("你好", "http://127.0.0.1:1/v1")))) == ANSWER
    monkeypatch.setenv("OPENAI_BASE_URL", "https://model.example/v1")
    assert "".join(run(collect(langchain.chat("你好")))) == ANSWER
    monkeypatch.setenv("CHAT_BACKEND", "embedded")
    assert "".join(run(collect(langchain.chat("你好")))) == ANSWER
    assert asked == ["http://127.0.0.1:1/v1", "https://model.example/v1"]
