"""Files over the wire: curl and httpx read them, whole and in part, and nobody is held up by them."""

import asyncio
import os
import statistics
import time
from pathlib import Path

import pytest
from known import on_all
from serving import PATIENCE, Server

DATA = b"".join(b"%015d\n" % place for place in range(0, 1_600_000, 16))
MIB = 1024 * 1024


@pytest.fixture
def url(server: Server) -> str:
    path = server.folder / "numbers.txt"
    if not path.exists():
        path.write_bytes(DATA)
    return "/files/numbers.txt"


def large(server: Server, mebibytes: int) -> str:
    path = server.folder / f"{mebibytes}.dat"
    if not path.exists():
        path.touch()
        os.truncate(path, mebibytes * MIB)
    return f"/files/{path.name}"


@on_all()
def test_curl_reads_a_file_whole_and_in_part(server: Server, url: str) -> None:
    assert server.curl(url) == DATA
    assert server.curl(url, "--range", "100-199") == DATA[100:200]
    assert server.curl(url, "--range", "-100") == DATA[-100:]
    head = server.curl(url, "--head").decode().lower()
    assert "content-length: 1600000" in head
    assert "accept-ranges: bytes" in head


@on_all()
def test_curl_goes_on_where_it_was_cut_off(server: Server, url: str, tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.write_bytes(DATA[:700_001])
    server.curl(url, "--continue-at", "-", "--output", str(half))
    assert half.read_bytes() == DATA


@on_all()
def test_curl_does_not_fetch_again_what_it_has(server: Server, url: str, tmp_path: Path) -> None:
    tag = str(tmp_path / "tag")
    status = ["--output", os.devnull, "--write-out", "%{http_code}"]
    assert server.curl(url, "--etag-save", tag, *status) == b"200"
    assert server.curl(url, "--etag-compare", tag, *status) == b"304"
    assert server.curl(url, "--time-cond", str(server.folder / "numbers.txt"), *status) == b"304"


@on_all()
def test_httpx_reads_several_ranges(server: Server, url: str) -> None:
    with server.httpx() as client:
        answer = client.get(url, headers={"range": "bytes=1000000-1000015,0-15"})
        assert answer.status_code == 206
        assert answer.content.count(b"Content-Range: bytes") == 2
        assert DATA[1_000_000:1_000_016] in answer.content
        assert client.get(url, headers={"range": "bytes=9999999-"}).status_code == 416
        assert client.head(url).headers["etag"] == answer.headers["etag"]
        assert client.get(url + "/../../etc/passwd").status_code == 404


@on_all()
def test_nothing_leads_out_of_the_folder(server: Server) -> None:
    async def script() -> None:
        for path in ("/files/../house.py", "/files/%2e%2e/house.py", "/files/..%2fhouse.py", "/files//etc/passwd"):
            answer = await server.get(path)
            assert answer.split(b" ")[1] in (b"404", b"400"), (path, answer)

    asyncio.run(script())


@on_all()
def test_who_reads_late_reads_all(server: Server, url: str) -> None:
    async def script() -> bytes:
        client = await server.open(url, extra="connection: close\r\n")
        await client.until(b"\r\n\r\n")
        for _ in range(3):
            await server.get("/ping")  # meanwhile it could have come
        return await client.whole()

    assert asyncio.run(script()).endswith(DATA[-1_000_000:])


@on_all("truncation", "backpressure")
def test_a_file_that_shrinks_while_it_is_sent_is_cut(server: Server) -> None:
    path = server.folder / "shrinking.dat"
    path.write_bytes(bytes(64 * MIB))

    async def script() -> int:
        client = await server.open("/files/shrinking.dat", extra="connection: close\r\n")
        size = len(await client.until(b"\r\n\r\n"))
        os.truncate(path, 32 * MIB)
        async with asyncio.timeout(PATIENCE):
            while piece := await client.reader.read(MIB):
                size += len(piece)
        client.leave()
        return size

    assert asyncio.run(script()) < 64 * MIB


@on_all("fairness", "backpressure")
def test_others_are_answered_while_a_file_goes_as_fast_as_it_can(server: Server) -> None:
    path = large(server, 256)

    async def script() -> list[float]:
        client = await server.open(path, extra="connection: close\r\n")
        await client.until(b"\r\n\r\n")
        reading = asyncio.create_task(client.drain())
        seconds = []
        while not reading.done():
            start = time.monotonic()
            assert b"pong" in await server.get("/ping")
            seconds.append(time.monotonic() - start)
        await reading
        client.leave()
        return seconds

    seconds = asyncio.run(asyncio.wait_for(script(), PATIENCE))
    print(f"{server.name}: {len(seconds)} times /ping, median {statistics.median(seconds) * 1000:.1f} ms")


@on_all("backpressure")
def test_a_hundred_slow_clients_cost_constant_memory(server: Server) -> None:
    path = large(server, 64)

    async def script() -> float:
        clients = [await server.open(path) for _ in range(5)]
        for client in clients:
            await client.until(b"\r\n\r\n")
        before = (await server.counts()).memory_bytes
        more = [await server.open(path) for _ in range(100)]
        for client in more:
            await client.until(b"\r\n\r\n")
        seen = [0]
        while seen[-1] > min(seen[-20:]) or len(seen) < 20:  # until the kernel has all that it takes
            seen.append((await server.counts()).memory_bytes)
        grown = seen[-1] - before
        for client in (*clients, *more):
            client.reset()
        return grown / 100 / 1024

    each = asyncio.run(asyncio.wait_for(script(), PATIENCE))
    print(f"{server.name}: {each:.0f} KiB a client that reads nothing")
    assert each < 1024
