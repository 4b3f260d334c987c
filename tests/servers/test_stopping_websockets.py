"""SIGTERM with open websockets: each client gets a close frame with 1012, and the process ends by itself."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from known import SERVERS
from serving import PATIENCE, is_group, need
from test_stopping import PLAIN, STATUS, Process
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PATHS = ["/echo", "/ticks", "/starlette/echo"] * 10
# What granian 2.8.9 writes when its worker dies while it drops open websockets, with all that its app still does.
PANIC = "Cannot drop pointer into Python heap without the thread being attached"
CLOSED = (1012, "the server is shutting down: connect again")


async def opened(port: int, path: str) -> ClientConnection:
    """A websocket that has had its first message."""
    client = await connect(f"ws://127.0.0.1:{port}{path}", proxy=None)
    if path.endswith("/echo"):
        await client.send("hello")
        assert await client.recv() == "hello"
    else:
        assert await client.recv() == "tick"
    return client


async def closed(client: ClientConnection) -> tuple[int | None, str | None]:
    """The code and the reason of the server's close frame."""
    with suppress(ConnectionClosed):
        while True:
            await client.recv()
    return client.close_code, client.close_reason


@pytest.mark.parametrize("how", ["uvicorn", "hypercorn", "granian", *(f"plain {name}" for name in PLAIN)])
def test_each_websocket_is_closed_with_1012_and_the_process_ends_by_itself(how: str, tmp_path: Path) -> None:
    *plain, name = how.split()
    need(SERVERS[name][0])
    if plain:
        command = [*SERVERS[name], "stopping:app"]
    else:
        command = ["rawasgi.dev.cli", "serve", "stopping:router", "--server", name, "--port", "{port}"]
    server = Process(tmp_path, *command)

    async def script() -> tuple[list[tuple[int | None, str | None]], int]:
        async with asyncio.timeout(PATIENCE):
            clients = await asyncio.gather(*(opened(server.port, path) for path in PATHS))
            stopping = asyncio.create_task(server.stop())
            codes = await asyncio.gather(*map(closed, clients))
            return codes, await stopping

    try:
        codes, status = asyncio.run(script())
        # What comes after granian's stop does not get out any more: see Server.drops_websockets.
        wanted = {CLOSED, (1006, "")} if name == "granian" else {CLOSED}
        assert set(codes) <= wanted
        assert status == STATUS[name.removesuffix("-h11")]
        assert status in (0, -signal.SIGTERM)
        has_panicked = name == "granian" and PANIC in server.log.read_text()
        assert server.released == len(PATHS) or has_panicked
        assert "Traceback" not in server.log.read_text()
        assert not is_group(server.process.pid), "no process is left"
    finally:
        server.kill()
