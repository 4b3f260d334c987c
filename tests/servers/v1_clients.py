"""The vendors' endpoints on real servers, from a model here and through a gateway, and what asks them."""

import asyncio
import gc
import importlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from serving import PATIENCE, Server, need

T = TypeVar("T")
ANSWER = "这是对 '你好' 的回答。异步编程是一种编程范式，允许程序在等待 I/O 操作时执行其他任务。 "
KEY = "none"
NAMES = ("uvicorn", "hypercorn")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a client asks, and the server whose model answers: the same one, or one behind a gateway.

    *prefix*: before all paths; the twin has one.
    """

    asked: Server
    answering: Server
    prefix: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.asked.port}{self.prefix}"

    async def seen(self, name: str, count: int) -> None:
        """Wait until the model has counted so many."""
        async with asyncio.timeout(PATIENCE):
            while (await self.counts())[name] < count:
                await asyncio.sleep(0.01)

    async def counts(self) -> Counter[str]:
        answer = await self.answering.get("/seen")
        return Counter(json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1]))


@contextmanager
def endpoints(folder: Path) -> Iterator[dict[str, Endpoint]]:
    """Each server with its own model, asked by rawasgi or by the twin, and each as a gateway to one of them."""
    for module in ("openai", "anthropic", "langchain_openai", "httpx"):
        need(module)
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # as in the beginning: they are large, and each test from here on would look at them
    running: list[Server] = []

    def start(role: str, upstream: str | None) -> list[Server]:
        with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
            for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "RAWASGI_MODEL"):
                patch.delenv(name, raising=False)
            if upstream is not None:
                patch.setenv("OPENAI_BASE_URL", upstream)
            running.extend(pool.map(lambda name: Server(name, "v1:app", folder / f"{name}-{role}.log"), NAMES))
        return running[-2:]

    try:
        models = start("model", None)
        gateways = start("gateway", f"http://127.0.0.1:{models[0].port}/v1")
        yield {
            **{model.name: Endpoint(model, model) for model in models},
            **{f"{model.name} twin": Endpoint(model, model, "/fastapi") for model in models},
            **{f"{gateway.name} gateway": Endpoint(gateway, models[0]) for gateway in gateways},
        }
    finally:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.stop, running))


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
