"""What a stream opened is closed, however it ended: tasks, threads, descriptors, generators, followers, counted."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from clients import Client
from known import CANNOT
from serving import PATIENCE, Server

TIMES = 20
SERVERS = ["uvicorn", "hypercorn", "granian", "hypercorn-h2"]
KEEP_ALIVE, QUIET = 1, 2  # seconds; so long hypercorn keeps a connection that its client has closed
KEY = "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
HELLO = f"connection: upgrade\r\nupgrade: websocket\r\n{KEY}"
Counts = dict[str, int]
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="the system does not tell which files are open"
)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = [f"--keep-alive={KEEP_ALIVE}"] if request.param.startswith("hypercorn") else []
    server = Server(request.param, "audit:app", tmp_path_factory.mktemp("server") / "log", *options)
    try:
        yield server
    finally:
        server.stop()


async def counts(server: Server) -> Counts:
    """What is open, and the connection and the task of who asks, each time."""
    found: Counts = await server.seen("/counts")
    return found


def still(found: Counts) -> Counts:
    return {name: count for name, count in found.items() if name != "opened"}


@pytest.fixture(scope="module")
def rest(server: Server) -> Counts:
    """What is open in a process that has done nothing yet: nothing has changed for a while."""

    async def script() -> Counts:
        now, quiet = await counts(server), 0.0
        while quiet < (QUIET if server.name.startswith("hypercorn") else QUIET / 4):
            await asyncio.sleep(0.1)
            before, now = now, await counts(server)
            quiet = quiet + 0.1 if now == before else 0.0
        return now

    return asyncio.run(script())


async def until(server: Server, reached: Callable[[Counts], bool]) -> None:
    while not reached(await counts(server)):
        await asyncio.sleep(0.01)


async def asked(server: Server, method: str, path: str) -> bytes:
    return await (await server.open(path, method, "connection: close\r\ncontent-length: 0\r\n")).whole()


# What 20 clients do


async def opening(server: Server, path: str, each: int = 1, method: str = "GET", extra: str = "") -> list[Client]:
    """Open 20 connections, and wait until their handlers have begun: each opens *each* of what is counted."""
    before = (await counts(server))["opened"]
    clients = [await server.open(path, method, extra) for _ in range(TIMES)]
    await until(server, lambda now: now["opened"] == before + each * TIMES)
    return clients


def leave(clients: list[Client]) -> None:
    for number, client in enumerate(clients):
        client.reset() if number % 2 else client.leave()


async def reads_all(server: Server) -> None:
    answers = await asyncio.gather(*(server.get("/complete") for _ in range(TIMES)))
    assert all(answer.endswith(b"0\r\n\r\n") for answer in answers)


def leaves(path: str, mark: bytes = b"first", each: int = 1, extra: str = "") -> Callable[[Server], Awaitable[None]]:
    async def scenario(server: Server) -> None:
        clients = await opening(server, path, each, extra=extra)
        if mark:
            await asyncio.gather(*(client.until(mark) for client in clients))
        leave(clients)

    return scenario


async def stalls(server: Server) -> None:
    before = await counts(server)
    clients = await opening(server, "/stuck")
    await until(server, lambda now: now["generators"] == before["generators"])
    leave(clients)


async def cancels(server: Server) -> None:
    for client in await opening(server, "/run", method="POST", extra="content-length: 0\r\n"):
        head = await client.until(b"first")
        name = head.lower().partition(b"x-run: ")[2][:16].decode()
        assert b"cancelled" in await asked(server, "DELETE", f"/run/{name}")
        await client.until(b"\r\n0\r\n\r\n")
        client.leave()


async def uploads_half(server: Server) -> None:
    before = (await counts(server))["opened"]
    clients = [await server.open("/upload", "POST", "content-length: 200000\r\n") for _ in range(TIMES)]
    for client in clients:
        client.send(bytes(100_000))
    await until(server, lambda now: now["opened"] == before + TIMES)
    leave(clients)


SCENARIOS: dict[str, Callable[[Server], Awaitable[None]]] = {
    "all is read": reads_all,
    "left in the midst": leaves("/silent/3"),
    "left before the first item": leaves("/silent/0", mark=b""),
    "stalled, and given up": stalls,
    "a thread left": leaves("/thread"),
    "a follower left": leaves("/follow", each=0),
    "a run cancelled": cancels,
    "a websocket left": leaves("/ws", extra=HELLO),
    "a compressed stream left": leaves("/coded/silent", b"\r\n\r\n", extra="accept-encoding: gzip\r\n"),
    "a merge left": leaves("/merge", each=3),
    "an upload left half-way": uploads_half,
}


@pytest.mark.parametrize("server", SERVERS, indirect=True)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_left_of(server: Server, rest: Counts, scenario: str) -> None:
    if scenario.startswith("stalled") and (reason := CANNOT.get((server.name, "backpressure"))):
        pytest.skip(reason)

    async def script() -> Counts:
        await SCENARIOS[scenario](server)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await until(server, lambda now: still(now) == still(rest))
        return await counts(server)

    assert still(asyncio.run(script())) == still(rest)


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "granian"], indirect=True)
@pytest.mark.parametrize("what", ["tasks", "threads", "fds", "generators", "followers"])
def test_what_is_left_is_found(server: Server, rest: Counts, what: str) -> None:
    async def script() -> None:
        for _ in range(TIMES):
            await asked(server, "POST", f"/leak/{what}")
        await until(server, lambda now: still(now) == still(rest) | {what: rest[what] + TIMES})
        await asked(server, "DELETE", "/leak")
        await until(server, lambda now: still(now) == still(rest))

    asyncio.run(asyncio.wait_for(script(), PATIENCE))
