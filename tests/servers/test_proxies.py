"""Behind nginx and Caddy: what is sent arrives, and who stops reading, or leaves, is felt by the source."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import proxies
import pytest
from clients import Client
from clients import asked as ask
from h2.events import DataReceived
from over_h2 import H2
from serving import PATIENCE, Server

PACKED = ("packed/gated", "plain/coded", "packed/coded")  # by the proxy, by us, by us before one that would
CHUNKS = 1000  # of proxied.CHUNK: 64 MB
names = (f"stream-{number}" for number in itertools.count())


@dataclass(frozen=True, slots=True)
class Place:
    """A server, and the ports of what stands before it."""

    server: Server
    nginx: int
    caddy: int

    def seen(self, name: str) -> list[int]:
        found: list[int] = httpx.get(f"http://127.0.0.1:{self.server.port}/seen/{name}", timeout=PATIENCE).json()
        return found

    def go_on(self, name: str) -> None:
        httpx.post(f"http://127.0.0.1:{self.server.port}/open/{name}", timeout=PATIENCE)

    async def until(self, name: str, taken: int = 0, left: int = 0) -> None:
        """Wait until so many chunks were taken of the source, and so many clients seen to leave."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await asyncio.to_thread(self.seen, name)
                if found[0] >= taken and found[1] >= left:
                    return
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("proxied")
    server = Server(request.param, "proxied:app", folder / "log")
    try:
        with proxies.nginx(server.port, folder) as nginx, proxies.caddy(server.port, folder) as caddy:
            yield Place(server, nginx, caddy)
    finally:
        server.stop()


@asynccontextmanager
async def asked(port: int, path: str, extra: str = "") -> AsyncIterator[Client]:
    client = await ask(port, path, extra=extra)
    try:
        yield client
    finally:
        client.leave()


# nginx


@pytest.mark.parametrize("way", ["plain/gated", "plain/lines", "packed/gated", "old/gated", "old/lines"])
def test_a_chunk_comes_through_nginx_while_the_source_waits(place: Place, way: str) -> None:
    """Events and text, as they are, past a gzip that the client did not ask for, and from HTTP/1.0."""

    async def script() -> None:
        name = next(names)
        async with asked(place.nginx, f"/{way}/{name}") as client:
            await client.until(b"data: first\n\n")
            await asyncio.to_thread(place.go_on, name)
            await client.until(b"data: second\n\n")

    asyncio.run(script())


@pytest.mark.parametrize(
    "path", ["nginx/packed/gated", "nginx/plain/coded", "nginx/packed/coded", "caddy/packed/gated"]
)
def test_what_a_proxy_or_we_compress_can_be_read_while_the_source_waits(place: Place, path: str) -> None:
    proxy, _, path = path.partition("/")
    url = f"http://127.0.0.1:{place.nginx}" if proxy == "nginx" else f"https://127.0.0.1:{place.caddy}"

    with httpx.Client(verify=proxies.trusting("http/1.1"), timeout=PATIENCE) as client:
        ask = client.build_request("GET", f"{url}/{path}/{next(names)}", headers={"accept-encoding": "gzip"})
        ask.headers["host"], ask.extensions["sni_hostname"] = f"localhost:{ask.url.port}", "localhost"
        answer = client.send(ask, stream=True)
        assert answer.headers["content-encoding"] == "gzip"
        text = b""
        pieces = answer.iter_bytes()
        while b"data: first\n\n" not in text:
            text += next(pieces)
        answer.close()


def test_without_the_header_nginx_compresses_nothing_before_the_end(place: Place) -> None:
    async def script() -> None:
        name = next(names)
        async with asked(place.nginx, f"/packed/buffered/{name}", "accept-encoding: gzip\r\n") as client:
            first = asyncio.create_task(client.until(b"\x1f\x8b"))
            await place.until(name, taken=1)
            async with asked(place.nginx, f"/packed/gated/{name}-other") as other:
                await other.until(b"data: first\n\n")  # who came later has its event
            assert not first.done()
            await asyncio.to_thread(place.go_on, name)
            await first

    asyncio.run(script())


def test_who_stops_reading_behind_nginx_stops_the_source_and_is_seen_to_leave(place: Place) -> None:
    async def script() -> None:
        name = next(names)
        async with asked(place.nginx, f"/plain/flood/{name}") as client:
            await client.until(b"\0" * 1000)
            taken = await stalled(place, name)
        await place.until(name, left=1)
        assert taken < CHUNKS / 2

    asyncio.run(script())


def test_without_the_header_nginx_takes_all_for_who_does_not_read(place: Place) -> None:
    async def script() -> None:
        name = next(names)
        async with asked(place.nginx, f"/plain/buffered-flood/{name}") as client:
            await client.until(b"\0" * 1000)
            await place.until(name, taken=CHUNKS)

    asyncio.run(script())


async def stalled(place: Place, name: str) -> int:
    """How much was taken of the source when it stopped: when two looks in a row found the same."""
    taken, before = 0, -1
    while taken == 0 or taken != before:
        before = taken
        for _ in range(10):
            taken = (await asyncio.to_thread(place.seen, name))[0]
            if taken != before:
                break
            await asyncio.sleep(0.05)
    return taken


@pytest.mark.parametrize("place", ["uvicorn"], indirect=True)
def test_a_heartbeat_keeps_what_nginx_would_end(place: Place) -> None:
    async def silent() -> None:
        async with asked(place.nginx, "/impatient/silent/0") as client, asyncio.timeout(PATIENCE):
            assert b"first" in await client.until(b"first")
            assert not (await client.reader.read(-1)).endswith(b"0\r\n\r\n")  # cut off

    async def beating() -> None:
        async with asked(place.nginx, "/impatient/silent/0.1") as client:
            data = b""
            while data.count(b"\n:") < 25:  # 2.5 s, where nginx waits for 2
                data += await client.until(b":")

    async def script() -> None:
        await asyncio.gather(silent(), beating())

    asyncio.run(script())


# Caddy


@pytest.mark.parametrize("way", ["plain/gated", "plain/lines", "packed/gated", "packed/lines"])
def test_a_chunk_comes_through_caddy_over_http_2_while_the_source_waits(place: Place, way: str) -> None:
    async def script() -> None:
        name = next(names)
        async with H2(place.caddy, f"/{way}/{name}", te=False, tls=proxies.trusting("h2")) as client:
            assert (await client.until(DataReceived)).data == b"data: first\n\n"
        await place.until(name, left=1)

    asyncio.run(script())


@pytest.mark.parametrize("place", ["uvicorn"], indirect=True)
def test_who_stops_reading_behind_caddy_stops_the_source_and_is_seen_to_leave(place: Place) -> None:
    async def script() -> None:
        name = next(names)
        async with H2(place.caddy, f"/plain/flood/{name}", te=False, tls=proxies.trusting("h2")) as client:
            await client.until(DataReceived)
            taken = await stalled(place, name)
        await place.until(name, left=1)
        assert taken < CHUNKS / 2

    asyncio.run(script())
