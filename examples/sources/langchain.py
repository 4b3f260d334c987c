"""Document 001: a chat through LangChain's ChatOpenAI.

It asks OPENAI_BASE_URL if that is set, else the app's own /v1, whose model is the one of tokens.py. Without the package
``langchain-openai``, or with CHAT_BACKEND=embedded, that model is asked directly.
"""

import asyncio
import importlib
import importlib.util
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing

from examples.sources.tokens import answer


def uses_langchain() -> bool:
    """Whether chat() goes through LangChain."""
    wanted = os.environ.get("CHAT_BACKEND", "langchain")
    return wanted == "langchain" and importlib.util.find_spec("langchain_openai") is not None


async def chat(message: str, own_url: str | None = None) -> AsyncGenerator[str, None]:
    """The tokens of the answer to *message*. *own_url* is the app's own .../v1, if it knows it."""
    base_url = os.environ.get("OPENAI_BASE_URL") or own_url
    tokens = _through_langchain(message, base_url) if base_url and uses_langchain() else answer(message)
    async with aclosing(tokens):
        async for token in tokens:
            yield token


async def _through_langchain(message: str, base_url: str) -> AsyncGenerator[str, None]:
    langchain = await asyncio.to_thread(importlib.import_module, "langchain_openai")  # two seconds, the first time
    model = langchain.ChatOpenAI(
        model=os.environ.get("OPENAI_MODEL", "gpt-4"),
        base_url=base_url,
        api_key=os.environ.get("OPENAI_API_KEY", "none"),  # the app's own /v1 asks for none, the client insists
    )
    async with aclosing(model.astream(message)) as chunks:
        async for chunk in chunks:
            if chunk.content:
                yield str(chunk.content)
