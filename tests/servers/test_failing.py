"""Errors are seen by who can do something about them; a client that left, or does not read, is none."""

import asyncio
from pathlib import Path

import pytest
from known import on_all
from serving import PATIENCE, Server, silent

MIB = 1024 * 1024


async def answer(server: Server, path: str, version: str = "1.1", *, method: str = "GET") -> bytes:
    client = await server.open(path, method, "connection: close\r\n", version=version)
    async with asyncio.timeout(PATIENCE):
        whole = await client.reader.read(-1)
    client.leave()
    return whole


@on_all("truncation")
def test_an_error_in_the_midst_is_a_body_without_its_end(server: Server) -> None:
    async def script() -> bytes:
        whole = await answer(server, "/error/after")
        await server.said("LookupError: a secret")
        return whole

    whole = asyncio.run(script())
    assert whole.split(b" ")[1] == b"200"
    assert b"first\n" in whole
    assert not whole.endswith(b"0\r\n\r\n")
    assert b"secret" not in whole


@on_all()
def test_an_error_before_the_first_item_is_a_500_and_logged_once(server: Server) -> None:
    async def script() -> bytes:
        before = server.log.count("LookupError: a secret")
        whole = await answer(server, "/error/before")
        async with asyncio.timeout(PATIENCE):
            while server.log.count("LookupError: a secret") == before:
                await asyncio.sleep(0.01)
        assert server.log.count("LookupError: a secret") == before + 1
        return whole

    whole = asyncio.run(script())
    assert whole.split(b" ")[1] == b"500"
    assert b"Internal Server Error" in whole
    assert b"secret" not in whole


@on_all()
def test_a_status_before_the_first_item_is_the_answer_and_not_logged(server: Server) -> None:
    said = server.log
    whole = asyncio.run(answer(server, "/error/known"))
    assert whole.split(b" ")[1] == b"409"
    assert b"taken" in whole
    assert silent(server, said)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell how much memory is used")
@on_all("backpressure")
def test_clients_that_do_not_read_are_given_up_at_bounded_memory(server: Server) -> None:
    async def script() -> int:
        before = await server.counts()
        count = before.released.get("stuck", 0) + 20
        clients = [await server.open("/stuck") for _ in range(20)]
        most = before.memory_bytes
        async with asyncio.timeout(PATIENCE):
            while (counts := await server.counts()).released.get("stuck", 0) < count:
                most = max(most, counts.memory_bytes)
                await asyncio.sleep(0.02)
        for client in clients:
            client.leave()
        return most - before.memory_bytes

    said = server.log
    grown = asyncio.run(script())
    print(f"{server.name}: {grown / MIB:.1f} MiB for 20 clients that do not read")
    assert grown < 32 * MIB  # 256 KiB for each are 5; endless writers without bound have 100 at once
    assert silent(server, said)


@on_all("HTTP/1.0")
def test_an_http_1_0_client_reads_until_the_connection_is_closed(server: Server) -> None:
    whole = asyncio.run(answer(server, "/few", "1.0"))
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"200"
    assert b"chunked" not in head.lower()
    assert body == b"0\n1\n2\n"


@on_all()
def test_head_starts_no_stream_and_closes_it(server: Server) -> None:
    async def script() -> bytes:
        before = await server.counts()
        whole = await answer(server, "/hot/16", method="HEAD")
        await answer(server, "/claimed", method="HEAD")
        await server.released("claimed", before.released.get("claimed", 0) + 1)
        after = await server.counts()
        assert after.opened.get("hot/16", 0) == before.opened.get("hot/16", 0)
        return whole

    whole = asyncio.run(script())
    assert whole.split(b" ")[1] == b"200"
    assert whole.endswith(b"\r\n\r\n")
