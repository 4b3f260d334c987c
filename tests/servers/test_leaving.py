"""A client leaves, and its source is closed: on real servers, over sockets."""

import asyncio

import pytest
from clients import Client
from gateway import Gateway
from known import on_all, on_gateways
from serving import TRIES, Server, silent

TWENTY = 20
SOON = 2.0  # seconds; on an idle machine it takes 10 to 50 ms, 10 of them in the source's own clean-up


def leave(clients: list[Client]) -> None:
    """Half by FIN (RST where they have not read all), half by RST."""
    for number, client in enumerate(clients):
        client.reset() if number % 2 else client.leave()


async def twenty_leave(server: Server, source: str, spec: str) -> float:
    """Return the seconds from the moment when they left to the last release."""
    before = (await server.counts()).opened.get(source, 0)
    clients = [await server.open(f"{spec}/{source}") for _ in range(TWENTY)]
    if not source.startswith("never-started"):
        for client in clients:
            await client.until(b"\r\n\r\n")
    if source.startswith("hot"):
        await asyncio.gather(*(client.drain(1_000_000) for client in clients))
    await server.opened(source, before + TWENTY)
    left = asyncio.get_running_loop().time()
    leave(clients)
    return await server.released(source, before + TWENTY, left)


@pytest.mark.parametrize("spec", ["/2.3", "/2.4"])
@pytest.mark.parametrize("source", ["own-await", "never-started", "never-started-under-wrappers", "thread"])
@on_all("leaving")
def test_20_clients_leave_and_all_20_resources_are_released_soon(server: Server, source: str, spec: str) -> None:
    soon(server, source, spec)


@pytest.mark.parametrize("spec", ["/2.3", "/2.4"])
@pytest.mark.parametrize("source", ["at-yield", "hot/65536", "thread-at-yield"])
@on_all("leaving", but="daphne")  # whose send() never waits: it would take 15 s
def test_so_are_those_of_sources_that_write_without_end(server: Server, source: str, spec: str) -> None:
    soon(server, source, spec)


def soon(server: Server, source: str, spec: str) -> None:
    said = server.log
    for _ in range(TRIES):
        seconds = asyncio.run(twenty_leave(server, source, spec))
        print(f"{server.name} {spec}/{source}: released after {seconds * 1000:.0f} ms")
        if seconds < SOON:
            break
    assert seconds < SOON
    assert silent(server, said), "a client that left is nothing to be logged"


@on_all("leaving")
def test_threads_end_with_their_streams(server: Server) -> None:
    async def script() -> None:
        before = await server.counts()
        await twenty_leave(server, "thread", "")
        while (await server.counts()).threads > before.threads:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(script(), 30))


@pytest.mark.parametrize("source", ["posted", "posted-at-yield"])
@on_all("leaving", but="daphne")
def test_a_large_body_that_nobody_reads_does_not_hide_the_disconnect(server: Server, source: str) -> None:
    async def script() -> float:
        before = (await server.counts()).opened.get(source, 0)
        clients = [await server.open(f"/{source}", "POST", body=bytes(3_000_000)) for _ in range(5)]
        for client in clients:
            await client.until(b"first")
        left = asyncio.get_running_loop().time()
        leave(clients)
        return await server.released(source, before + 5, left)

    said = server.log
    print(f"{server.name} /{source}: released after {asyncio.run(script()) * 1000:.0f} ms")
    assert silent(server, said)


@pytest.mark.parametrize("source", ["own-await", "hot/65536", "idle"])
@on_gateways("leaving")
def test_who_stops_a_stream_and_keeps_the_connection_has_left(server: Server, source: str) -> None:
    stop(server, source)


@pytest.mark.parametrize("source", ["idle", "thread"])  # found by a heartbeat, or by the next item
@pytest.mark.parametrize("server", ["hypercorn-h3"], indirect=True)
def test_over_http_3_the_next_write_finds_it(server: Server, source: str) -> None:
    stop(server, source)


def stop(server: Server, source: str) -> None:
    async def script() -> None:
        before = (await server.counts()).opened.get(source, 0)
        clients = [await server.open(f"/{source}") for _ in range(TWENTY)]
        for client in clients:
            await client.until(b"\r\n\r\n")
        for client in clients:
            assert isinstance(client, Gateway)
            client.stop()
        await server.released(source, before + TWENTY)
        for client in clients:
            client.leave()

    said = server.log
    asyncio.run(script())
    assert silent(server, said)
