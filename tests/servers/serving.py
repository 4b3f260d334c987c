"""Real servers as processes of their own, and clients that behave as badly as real ones."""

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATIENCE = 30.0  # seconds, for a machine that is busy with other things; no test waits for a time, only for an event
SERVERS = {
    "uvicorn": ["uvicorn", "--http=httptools", "--loop=uvloop", "--host=127.0.0.1", "--port={port}"],
    "uvicorn-h11": ["uvicorn", "--http=h11", "--loop=asyncio", "--host=127.0.0.1", "--port={port}"],
    "hypercorn": ["hypercorn", "--bind=127.0.0.1:{port}"],
    "granian": ["granian", "--interface=asgi", "--loop=asyncio", "--host=127.0.0.1", "--port={port}"],
    "daphne": ["daphne", "-b", "127.0.0.1", "-p", "{port}"],
}


def need(module: str) -> None:
    """Skip where *module* is missing; fail, where the real parts are required."""
    if importlib.util.find_spec(module) is None:
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail(f"{module} is required and not installed")
        pytest.skip(f"{module} is not installed")


class Server:
    """One server process; ``port`` is where it listens, ``log`` what it said."""

    def __init__(self, name: str, app: str, log: Path) -> None:
        self.name = name
        need(SERVERS[name][0])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._log = log
        command = [part.format(port=self.port) for part in SERVERS[name]]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent.parent)])}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command, app],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.02)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Stop it; its whole group, should it not obey: the test of how it stops is another."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)

    # Clients

    async def open(self, path: str, method: str = "GET", extra: str = "", body: bytes = b"") -> "Client":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 16)
        client = Client(reader, writer)
        head = f"{method} {path} HTTP/1.1\r\nhost: house\r\n{extra}"
        writer.write(head.encode() + (f"content-length: {len(body)}\r\n".encode() if body else b"") + b"\r\n" + body)
        return client

    async def get(self, path: str) -> bytes:
        """The whole answer to a GET, head and framing included."""
        client = await self.open(path, extra="connection: close\r\n")
        async with asyncio.timeout(PATIENCE):
            answer = await client.reader.read(-1)
        client.leave()
        return answer

    async def counts(self) -> dict[str, dict[str, int]]:
        answer = await self.get("/counts")
        counts: dict[str, dict[str, int]] = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])
        return counts

    async def said(self, text: str) -> None:
        """Wait until *text* is in the log."""
        async with asyncio.timeout(PATIENCE):
            while text not in self.log:
                await asyncio.sleep(0.01)

    async def released(self, name: str, count: int) -> float:
        """Wait until *count* of *name* are released; return how many seconds it took."""
        start = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            while (await self.counts())["released"].get(name, 0) < count:
                await asyncio.sleep(0.005)
        return time.monotonic() - start


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE):
            data = b""
            while mark not in data:
                piece = await self.reader.read(65536)
                assert piece, f"closed before {mark!r}: {data!r}"
                data += piece
            return data

    def pipeline(self) -> None:
        """Ask for more before the answer is there: the servers stop reading now."""
        self.writer.write(b"GET /ping HTTP/1.1\r\nhost: house\r\n\r\n")

    def leave(self) -> None:
        """Close the connection (FIN, or RST if something was not read)."""
        self.writer.close()

    def reset(self) -> None:
        """Close the connection by RST."""
        plug: socket.socket = self.writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def started(name: str, folder: Path) -> Iterator[Server]:
    server = Server(name, "house:app", folder / f"{name}.log")
    try:
        yield server
    finally:
        server.stop()
