"""The chats of the documents, rows 32, 33 and 41, of both apps, when the model is full, and when it fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from serving import Server
from v1_clients import Endpoint
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

APPS = ["", "/fastapi"]


async def head(server: Server, path: str) -> str:
    client = await server.open(path)
    found = await client.until(b"\r\n\r\n")
    client.reset()
    return found.decode("latin-1").lower()


@pytest.mark.parametrize("prefix", APPS, ids=["raw", "twin"])
@pytest.mark.parametrize("row", ["/chat", "/chat-sse"])
def test_who_finds_the_model_full_is_told_before_anything_else(alone: Endpoint, row: str, prefix: str) -> None:
    async def main() -> None:
        before = await alone.counts()
        full = await head(alone.asked, f"{prefix}{row}?prompt=busy")
        assert " 503 " in full.partition("\r\n")[0]
        assert "\r\nretry-after: 7\r\n" in full
        refused = await head(alone.asked, f"{prefix}{row}?prompt=long")
        assert " 400 " in refused.partition("\r\n")[0]
        assert (await alone.counts())["opened"] == before["opened"]
        assert b" 200 " in await alone.asked.get(f"{prefix}{row}?prompt=hi")
        assert (await alone.counts())["opened"] == before["opened"] + 1

    asyncio.run(main())


@pytest.mark.parametrize("prefix", APPS, ids=["raw", "twin"])
def test_what_fails_in_the_midst_is_cut_off_as_text_and_an_event_among_events(alone: Endpoint, prefix: str) -> None:
    async def main() -> None:
        text = await alone.asked.get(f"{prefix}/chat?prompt=fail")
        assert b"a " in text
        assert not text.endswith(b"0\r\n\r\n")
        events = await alone.asked.get(f"{prefix}/chat-sse?prompt=fail")
        assert b"event: error\n" in events
        assert b"secret" not in events
        assert events.endswith(b"0\r\n\r\n")

    asyncio.run(main())


def test_who_leaves_while_he_waits_for_the_model_waits_no_longer(alone: Endpoint) -> None:
    """Not so in the twin: its handler is not told that its client left."""

    async def main() -> None:
        before = await alone.counts()
        client = await alone.asked.open("/chat?prompt=think")
        await alone.seen("opened", before["opened"] + 1)
        client.leave()
        await alone.seen("released", before["released"] + 1)

    asyncio.run(main())


@asynccontextmanager
async def filled(server: Server) -> AsyncIterator[None]:
    """The model is full meanwhile."""

    async def full(count: int) -> None:
        client = await server.open(f"/full/{count}", "POST", "content-length: 0\r\n")
        await client.until(b"\r\n\r\n")
        client.leave()

    await full(1)
    try:
        yield
    finally:
        await full(0)


async def ask(client: ClientConnection, said: str) -> list[dict[str, object]]:
    """Say it; return the frames up to that which ends the answer."""
    frames: list[dict[str, object]] = []
    await client.send(said)
    while not frames or frames[-1]["type"] in ("start", "token"):
        frames.append(json.loads(await client.recv()))
    return frames


@pytest.mark.parametrize("prefix", APPS, ids=["raw", "twin"])
def test_a_websocket_is_refused_when_the_model_is_full(alone: Endpoint, prefix: str) -> None:
    """And one that is open is told so by a frame, and stays open."""
    url = f"ws://127.0.0.1:{alone.asked.port}{prefix}/ws"

    async def main() -> None:
        async with connect(url, ping_interval=None) as client:
            async with filled(alone.asked):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url, ping_interval=None)
                assert refused.value.response.status_code == 503
                assert refused.value.response.headers["retry-after"] == "5"
                *_, told = await ask(client, "你好")
                assert (told["type"], told["retry"]) == ("error", 5)
            *_, told = await ask(client, "long")
            assert (told["type"], "retry" in told) == ("error", False)
            assert (await ask(client, "你好"))[-1] == {"type": "done"}

    asyncio.run(main())
