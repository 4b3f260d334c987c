"""The vendors' endpoints, read by the vendors' own clients, from a model here and through a gateway."""

import asyncio
import gc
import importlib
import json
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import pytest
from serving import PATIENCE, Server, need

from examples import raw
from examples.raw import gateway as gateway_module
from rawasgi.dev.client import fetch
from rawasgi.formats import sse

T = TypeVar("T")
ANSWER = "这是对 '你好' 的回答。异步编程是一种编程范式，允许程序在等待 I/O 操作时执行其他任务。 "
KEY = "none"
NAMES = ("uvicorn", "hypercorn")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a client asks, and the server whose model answers: the same one, or one behind a gateway."""

    asked: Server
    answering: Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.asked.port}"

    async def seen(self, name: str, count: int) -> None:
        """Wait until the model has counted so many."""
        async with asyncio.timeout(PATIENCE):
            while (await self.counts()).get(name, 0) < count:
                await asyncio.sleep(0.01)

    async def counts(self) -> dict[str, int]:
        answer = await self.answering.get("/seen")
        return dict(json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1]))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Endpoint]]:
    """Each server with its own model, and each as a gateway to one of them."""
    for module in ("openai", "anthropic", "langchain_openai", "httpx"):
        need(module)
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # as in the beginning: they are large, and each test from here on would look at them
    folder = tmp_path_factory.mktemp("v1")
    running: list[Server] = []

    def start(role: str) -> list[Server]:
        with ThreadPoolExecutor() as pool:
            running.extend(pool.map(lambda name: Server(name, "v1:app", folder / f"{name}-{role}.log"), NAMES))
        return running[-2:]

    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "RAWASGI_MODEL"):
            patch.delenv(name, raising=False)
        try:
            models = start("model")
            patch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{models[0].port}/v1")
            gateways = start("gateway")
            yield {
                **{model.name: Endpoint(model, model) for model in models},
                **{f"{gateway.name} gateway": Endpoint(gateway, models[0]) for gateway in gateways},
            }
        finally:
            with ThreadPoolExecutor() as pool:
                list(pool.map(Server.stop, running))


@pytest.fixture(params=["uvicorn", "hypercorn", "hypercorn gateway"])
def endpoint(request: pytest.FixtureRequest, servers: dict[str, Endpoint]) -> Endpoint:
    return servers[request.param]


@pytest.fixture(params=["uvicorn", "hypercorn", "uvicorn gateway", "hypercorn gateway"])
def each(request: pytest.FixtureRequest, servers: dict[str, Endpoint]) -> Endpoint:
    """For what depends on the servers, and not on what is said."""
    return servers[request.param]


@pytest.fixture(params=["uvicorn gateway", "hypercorn gateway"])
def gateway(request: pytest.FixtureRequest, servers: dict[str, Endpoint]) -> Endpoint:
    return servers[request.param]


def run(coroutine: Coroutine[object, object, T]) -> T:
    """In a loop that nobody watches: these clients leave generators to the garbage collector."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(coroutine, PATIENCE))
    finally:
        loop.set_exception_handler(lambda *_: None)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.run_until_complete(asyncio.sleep(0.01))  # what was closed says so to its transport
        loop.close()


def clients(endpoint: Endpoint, path: str = "/v1") -> Any:
    import openai

    return openai.AsyncOpenAI(base_url=endpoint.url + path, api_key=KEY, max_retries=0)


def said(prompt: str = "你好", **options: object) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": prompt}], **options}


async def collected(chunks: AsyncIterator[Any], heard: list[object]) -> None:
    """Add to *heard* what they say; it is there also if they break off."""
    async for chunk in chunks:
        heard.append(chunk.choices[0].delta.content)


# OpenAI's client


def test_a_completion_comes_in_pieces_and_whole(endpoint: Endpoint) -> None:
    async def main() -> None:
        async with clients(endpoint) as client:
            assert [model.id async for model in client.models.list()] == ["embedded"]
            asked = said(stream=True, stream_options={"include_usage": True})
            chunks = [chunk async for chunk in await client.chat.completions.create(**asked)]
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == ANSWER
            assert (chunks[0].choices[0].delta.role, chunks[-2].choices[0].finish_reason) == ("assistant", "stop")
            assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 5)
            whole = await client.chat.completions.create(**said())
            assert (whole.choices[0].message.content, whole.usage.total_tokens) == (ANSWER, 6)

    run(main())


ENDS: list[tuple[dict[str, Any], str, str]] = [
    ({"max_tokens": 2}, "这是对 '你好' ", "length"),
    ({"max_completion_tokens": 5}, ANSWER, "stop"),
    ({"stop": "I/O 操作"}, ANSWER.partition("I/O")[0], "stop"),
    ({"stop": ["nothing", "' 的"]}, "这是对 '你好", "stop"),
]


def test_an_answer_ends_where_it_was_asked_to(endpoint: Endpoint) -> None:
    async def main() -> None:
        async with clients(endpoint) as client:
            for options, ended, reason in ENDS:
                chunks = [chunk async for chunk in await client.chat.completions.create(**said(stream=True, **options))]
                assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ended
                assert chunks[-1].choices[0].finish_reason == reason
                whole = (await client.chat.completions.create(**said(**options))).choices[0]
                assert (whole.message.content, whole.finish_reason) == (ended, reason)

    run(main())


def test_a_failure_before_the_stream_is_a_status(endpoint: Endpoint) -> None:
    import openai

    async def main() -> None:
        async with clients(endpoint) as client:
            for stream in (True, False):
                with pytest.raises(openai.BadRequestError) as bad:
                    await client.chat.completions.create(**said(stream=stream, n=2))
                assert bad.value.type == "invalid_request_error"
                with pytest.raises(openai.BadRequestError) as long:
                    await client.chat.completions.create(**said("long", stream=stream))
                assert long.value.code == "context_length_exceeded"
                with pytest.raises(openai.InternalServerError) as busy:
                    await client.chat.completions.create(**said("busy", stream=stream))
                assert (busy.value.status_code, busy.value.code) == (503, "busy")
                assert busy.value.response.headers["retry-after"] == "7"

    run(main())


def test_a_failure_in_the_stream_is_raised(endpoint: Endpoint) -> None:
    import anthropic
    import openai

    async def main() -> None:
        async with clients(endpoint) as client:
            chunks = await client.chat.completions.create(**said("fail", stream=True))
            heard: list[object] = []
            with pytest.raises(openai.APIError) as failed:
                await collected(chunks, heard)
            assert heard == ["", "a "]
            assert "secret" not in str(failed.value.body)
            with pytest.raises(openai.APIError):
                async for _ in await client.responses.create(model="m", input="fail", stream=True):
                    pass
        async with anthropic.AsyncAnthropic(base_url=endpoint.url, api_key=KEY, max_retries=0) as claude:
            with pytest.raises(anthropic.APIStatusError):
                async for _ in await claude.messages.create(**said("fail", max_tokens=9, stream=True)):
                    pass

    run(main())


def test_a_response_comes_as_events_and_whole(endpoint: Endpoint) -> None:
    async def main() -> None:
        async with clients(endpoint) as client:
            events = [event async for event in await client.responses.create(model="m", input="你好", stream=True)]
            kinds = list(dict.fromkeys(event.type.removeprefix("response.") for event in events))
            assert kinds == [
                "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
                "output_text.done", "content_part.done", "output_item.done", "completed",
            ]  # fmt: skip
            assert [event.sequence_number for event in events] == list(range(len(events)))
            assert events[-1].response.output_text == ANSWER
            async with client.responses.stream(model="m", input=said()["messages"]) as stream:
                assert "".join([e.delta async for e in stream if e.type == "response.output_text.delta"]) == ANSWER
                assert (await stream.get_final_response()).usage.output_tokens == 5
            short = await client.responses.create(model="m", input="你好", instructions="短", max_output_tokens=1)
            assert (short.status, short.output_text) == ("incomplete", "这是对 ")

    run(main())


# Others' clients


def test_langchain_reads_it(endpoint: Endpoint) -> None:
    from langchain_openai import ChatOpenAI

    async def main() -> None:
        model = ChatOpenAI(model="m", base_url=f"{endpoint.url}/v1", api_key=lambda: KEY, stream_usage=True)
        chunks = [chunk async for chunk in model.astream("你好")]
        assert "".join(str(chunk.content) for chunk in chunks) == ANSWER
        assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) == 5
        assert (await model.ainvoke("你好")).content == ANSWER

    run(main())


def test_row_15_reads_it_by_langchain(endpoint: Endpoint) -> None:
    """The app is its own client; a gateway's asks upstream."""

    async def main() -> None:
        async with httpx.AsyncClient(base_url=endpoint.url, timeout=PATIENCE) as client:
            before = await endpoint.counts()
            answer = await client.post("/chat-stream", params={"message": "你好"})
            assert "".join(event.data or "" for event in sse.Decoder().feed(answer.content)) == ANSWER
            assert (await endpoint.counts())["opened"] == before.get("opened", 0) + 1

    run(main())


def test_anthropics_client_reads_its_messages(endpoint: Endpoint) -> None:
    import anthropic

    async def main() -> None:
        async with anthropic.AsyncAnthropic(base_url=endpoint.url, api_key=KEY, max_retries=0) as client:
            async with client.messages.stream(**said(max_tokens=99, system="短")) as stream:
                assert "".join([piece async for piece in stream.text_stream]) == ANSWER
                final = await stream.get_final_message()
            assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 5)
            whole = await client.messages.create(**said(max_tokens=1))
            assert (whole.content[0].text, whole.stop_reason) == ("这是对 ", "max_tokens")
            with pytest.raises(anthropic.BadRequestError):
                await client.messages.create(**said(max_tokens=0))
            with pytest.raises(anthropic.APIStatusError) as busy:
                await client.messages.create(**said("busy", max_tokens=9))
            assert busy.value.status_code == 503

    run(main())


# Leaving, thinking, breaking


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_stops_the_model(each: Endpoint, stream: bool) -> None:
    async def main() -> None:
        before = await each.counts()
        async with clients(each) as client:
            asking = asyncio.ensure_future(client.chat.completions.create(**said("wait", stream=stream)))
            await each.seen("opened", before.get("opened", 0) + 1)
            if stream:
                async for chunk in await asking:
                    if chunk.choices[0].delta.content:
                        break
            else:
                asking.cancel()
        await each.seen("released", before.get("released", 0) + 1)

    run(main())


def test_a_client_hears_beats_while_the_model_thinks(each: Endpoint) -> None:
    async def main() -> None:
        body = json.dumps(said("think", stream=True)).encode()
        client = await each.asked.open("/v1/chat/completions", "POST", "content-type: application/json\r\n", body)
        await client.until(b"\n\n")
        assert b"data:" not in await client.until(b"\n\n")
        (await each.answering.open("/go", "POST", "content-length: 0\r\n")).leave()
        await client.until(b"[DONE]")
        client.leave()

    asyncio.run(main())


def test_nothing_is_taken_that_nobody_reads(each: Endpoint) -> None:
    async def main() -> None:
        body = json.dumps(said("hot", stream=True)).encode()
        client = await each.asked.open("/v1/chat/completions", "POST", "content-type: application/json\r\n", body)
        await client.until(b"xxx")
        async with asyncio.timeout(PATIENCE):
            last = -1
            while last != (last := (await each.counts())["said"]):
                await asyncio.sleep(0.2)
        assert last < 60_000, "60 MB"
        client.reset()
        await each.seen("released", (await each.counts())["opened"])

    asyncio.run(main())


@pytest.mark.parametrize(
    ("upstream", "told"), [("early", ("a", "incomplete")), ("cut", ("a", "upstream_incomplete")), ("odd", ("", "500"))]
)
def test_an_upstream_that_breaks_off_is_told(gateway: Endpoint, upstream: str, told: tuple[str, str]) -> None:
    import openai

    async def main() -> tuple[str, str]:
        heard: list[object] = []
        async with clients(gateway) as client:
            asked = client.with_options(organization=upstream).chat.completions
            with pytest.raises(openai.APIError) as failed:
                await collected(await asked.create(**said(stream=True)), heard)
        status = getattr(failed.value, "status_code", failed.value.code)
        return "".join(map(str, heard)), str(status)

    assert run(main()) == told


def test_a_stream_is_gone_on_with_where_its_client_left(endpoint: Endpoint) -> None:
    async def main() -> None:
        headers = {"x-resumable": "true", "authorization": "Bearer mine"}
        async with httpx.AsyncClient(base_url=endpoint.url, timeout=PATIENCE) as client:
            before = await endpoint.counts()
            decoder, events = sse.Decoder(), list[sse.Event]()
            async with client.stream("POST", "/v1/chat/completions", json=said(stream=True), headers=headers) as answer:
                run = answer.headers["x-run-id"]
                async for piece in answer.aiter_raw():
                    events += decoder.feed(piece)
                    if len(events) >= 2:
                        break
            await endpoint.seen("released", before.get("released", 0) + 1)
            path = f"/v1/runs/{run}"
            rest = await client.get(path, headers={**headers, "last-event-id": events[-1].id or ""})
            events += sse.Decoder().feed(rest.content)
            chunks = [json.loads(event.data or "") for event in events if event.data != "[DONE]"]
            assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == ANSWER
            assert (events[-1].data, len({event.id for event in events})) == ("[DONE]", len(events))
            assert (await client.get(path, headers={"authorization": "Bearer theirs"})).status_code == 404

    run(main())


def test_a_run_can_be_stopped(endpoint: Endpoint) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(base_url=endpoint.url, timeout=PATIENCE) as client:
            before = await endpoint.counts()
            body, headers = said("wait", stream=True), {"x-resumable": "true"}
            async with client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
                run = answer.headers["x-run-id"]
            assert (await endpoint.counts()).get("released", 0) == before.get("released", 0)
            assert (await client.delete(f"/v1/runs/{run}")).status_code == 204
            await endpoint.seen("released", before.get("released", 0) + 1)

    run(main())


# In process


def test_a_gateway_does_not_ask_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    body = json.dumps(said()).encode()

    async def main(**headers: str) -> tuple[int, str]:
        async with gateway_module.living():
            answer = await fetch(raw.app, "/v1/chat/completions", method="POST", body=body, headers=headers)
            return answer.status, json.loads(answer.text)["error"]["code"]

    assert run(main(via=f"1.1 {gateway_module.ME}")) == (508, "loop_detected")
    assert run(main()) == (502, "upstream_unreachable")


def test_a_gateway_without_httpx_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setitem(sys.modules, "httpx", None)
    answer = run(fetch(raw.app, "/v1/models"))
    assert (answer.status, "pip install httpx" in answer.text) == (501, True)
