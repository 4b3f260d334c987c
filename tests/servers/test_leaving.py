"""A client leaves, and its source is closed: on real servers, over sockets."""

import asyncio
from collections.abc import Callable

import pytest
from serving import Client, Server

HTTP1 = ["uvicorn", "uvicorn-h11", "hypercorn", "granian"]
TWENTY = 20


async def opened(server: Server, path: str, count: int, *, read: bool = True) -> list[Client]:
    clients = [await server.open(path) for _ in range(count)]
    if read:
        for client in clients:
            await client.until(b"\r\n\r\n")
    return clients


@pytest.mark.parametrize("server", HTTP1, indirect=True)
@pytest.mark.parametrize("spec", ["", "/2.4"], ids=["2.3", "2.4"])
@pytest.mark.parametrize("source", ["own-await", "at-yield", "never-started", "thread"])
def test_20_clients_leave_and_all_20_resources_are_released(
    server: Server, source: str, spec: str, record_property: Callable[[str, object], None]
) -> None:
    async def script() -> float:
        before = (await server.counts())["opened"].get(source, 0)
        clients = await opened(server, f"{spec}/{source}", TWENTY, read=source != "never-started")
        while (await server.counts())["opened"].get(source, 0) < before + TWENTY:
            await asyncio.sleep(0.01)
        for client in clients:
            client.leave()
        return await server.released(source, before + TWENTY)

    record_property("released after", asyncio.run(script()))
    assert "Traceback" not in server.log


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn-h11", "hypercorn"], indirect=True)
@pytest.mark.parametrize("how", ["reset", "leave"])
@pytest.mark.parametrize("source", ["idle", "at-yield"])
def test_a_client_that_pipelined_one_more_request_is_missed(
    server: Server, how: str, source: str, record_property: Callable[[str, object], None]
) -> None:
    async def script() -> float:
        before = (await server.counts())["opened"].get(source, 0)
        clients = await opened(server, f"/{source}", 5)
        for client in clients:
            client.pipeline()
        await asyncio.sleep(0.1)  # so that the server has read it, and stopped reading
        for client in clients:
            getattr(client, how)()
        return await server.released(source, before + 5)

    record_property("released after", asyncio.run(script()))


@pytest.mark.parametrize("server", HTTP1, indirect=True)
def test_a_client_that_does_not_read_is_given_up(server: Server) -> None:
    async def script() -> None:
        client = await server.open("/stuck")
        await server.released("stuck", 1)
        client.leave()

    asyncio.run(script())
    assert "Traceback" not in server.log


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn-h11", "hypercorn"], indirect=True)
def test_a_large_body_that_nobody_reads_does_not_hide_the_disconnect(server: Server) -> None:
    async def script() -> None:
        client = await server.open("/posted", "POST", body=bytes(3_000_000))
        await client.until(b"first")
        client.leave()
        await server.released("posted", 1)

    asyncio.run(script())
    assert "Traceback" not in server.log


@pytest.mark.parametrize("server", HTTP1, indirect=True)
def test_a_source_that_never_waits_leaves_room_for_others_and_is_closed(
    server: Server, record_property: Callable[[str, object], None]
) -> None:
    async def reading(client: Client) -> None:
        while await client.reader.read(1 << 20):
            pass

    async def script() -> float:
        before = (await server.counts())["opened"].get("hot", 0)
        client = await server.open("/hot")
        reader = asyncio.create_task(reading(client))
        for _ in range(10):
            assert b"pong" in await server.get("/ping")
        reader.cancel()
        client.reset()
        return await server.released("hot", before + 1)

    record_property("released after", asyncio.run(script()))
