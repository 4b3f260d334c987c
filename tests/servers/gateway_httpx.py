"""httpx over a client of ours, for the HTTP that it does not speak."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import httpx
from clients import PATIENCE, Client


class Transport(httpx.BaseTransport):
    def __init__(self, ask: Callable[[str, str, str, bytes], Awaitable[Client]]) -> None:
        self._ask = ask

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        loop = asyncio.new_event_loop()
        target = request.url.raw_path.decode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items() if name != "host")
        return loop.run_until_complete(self._answer(loop, target, request.method, extra, request.read()))

    async def _answer(
        self, loop: asyncio.AbstractEventLoop, target: str, method: str, extra: str, body: bytes
    ) -> httpx.Response:
        client = await self._ask(target, method, extra, body)
        async with asyncio.timeout(PATIENCE):
            head = await client.reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        return httpx.Response(int(status.split()[1]), headers=headers, stream=Body(loop, client))


class Body(httpx.SyncByteStream):
    def __init__(self, loop: asyncio.AbstractEventLoop, client: Client) -> None:
        self._loop = loop
        self._client = client

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._loop.run_until_complete(asyncio.wait_for(self._client.body(), PATIENCE)):
            yield piece

    def close(self) -> None:
        if not self._loop.is_closed():
            self._client.leave()
            self._loop.run_until_complete(asyncio.sleep(0))  # the transport's own turn
            self._loop.close()
