"""Real servers as processes of their own, what each cannot do, and clients that behave as badly as real ones."""

import asyncio
import importlib.util
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATIENCE = 30.0  # seconds, for a machine that is busy with other things; no test waits for a time, only for an event
# They say nothing unless something is wrong.
SERVERS = {
    "uvicorn": [
        *["uvicorn", "--http=httptools", "--loop=uvloop", "--host=127.0.0.1", "--port={port}"],
        *["--log-level=warning", "--no-access-log"],
    ],
    "uvicorn-h11": [
        *["uvicorn", "--http=h11", "--loop=asyncio", "--host=127.0.0.1", "--port={port}"],
        *["--log-level=warning", "--no-access-log"],
    ],
    "hypercorn": ["hypercorn", "--bind=127.0.0.1:{port}", "--log-level=warning"],
    "granian": [
        *["granian", "--interface=asgi", "--loop=asyncio", "--host=127.0.0.1", "--port={port}"],
        *["--log-level=warning", "--workers-kill-timeout=3"],
    ],
    "daphne": ["daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"],
}

# What does not hold on a server, whatever its app does; measured with the versions that setup.cfg asks for.
CANNOT = {
    ("uvicorn", "HTTP/1.0"): "httptools' protocol sends chunks to an HTTP/1.0 client, too",
    ("granian", "pipelining"): "it stops reading after a pipelined request and does not say that a write failed",
    ("granian", "fairness"): "a client that takes all it can get holds up others, for seconds; naked ASGI too",
    ("daphne", "pipelining"): "it takes the second request only after the first answer",
    ("daphne", "backpressure"): "its send() never waits: whoever writes without end fills its memory",
    ("daphne", "truncation"): "it leaves the connection open when the app fails in the midst of an answer",
}


def on_all(*subjects: str) -> pytest.MarkDecorator:
    """Run a test on each server that can do *subjects*; on the others it is skipped, with the reason."""
    servers = []
    for name in SERVERS:
        reasons = [reason for subject in subjects if (reason := CANNOT.get((name, subject)))]
        marks = [pytest.mark.skip(reason=f"{name}: {reason}") for reason in reasons]
        servers.append(pytest.param(name, marks=marks, id=name))
    return pytest.mark.parametrize("server", servers, indirect=True)


def need(module: str) -> None:
    """Skip where *module* is missing; fail, where the real parts are required."""
    if importlib.util.find_spec(module) is None:
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail(f"{module} is required and not installed")
        pytest.skip(f"{module} is not installed")


def curl(*arguments: str) -> bytes:
    """What curl makes of it: the client of the documents."""
    if shutil.which("curl") is None:
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail("curl is required and not there")
        pytest.skip("curl is not there")
    return subprocess.run(["curl", "-sS", *arguments], capture_output=True, check=True, timeout=PATIENCE).stdout


# The errors that the tests are about
MEANT = (
    *["LookupError: a secret", "rawasgi.errors.FileChanged: ", "OSError: /dev/thermometer0: "],
    *["rawasgi.streams.base.DeadlineExceeded: ", "TimeoutError: the source was not closed within "],
    "DeadlineExceeded: ",  # granian leaves the module out
)


class Server:
    """One server process; ``port`` is where it listens, ``log`` what it said."""

    def __init__(self, name: str, app: str, log: Path, *options: str) -> None:
        self.name = name
        need(SERVERS[name][0])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._log = log
        self.folder = log.parent  # what is in it, is at /files/
        command = [part.format(port=self.port) for part in (*SERVERS[name], *options)]
        path = os.pathsep.join([str(HERE), str(HERE.parent.parent)])
        environment = {**os.environ, "PYTHONPATH": path, "HOUSE_FILES": str(self.folder), "STREAM_TIME_SCALE": "0.1"}
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
        """As an operator does; what does not obey is killed, and that is a failure, as is an error in its log."""
        said = self.log  # without what hypercorn says of connections that are still there in the end
        self.process.terminate()
        until = time.monotonic() + PATIENCE
        while (self.process.poll() is None or is_group(self.process.pid)) and time.monotonic() < until:
            time.sleep(0.01)
        left = is_group(self.process.pid)
        if left:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        assert not left, f"a process was left: {self.log}"
        expected = sum(said.count(f"\n{error}") for error in MEANT)
        assert said.count("Traceback") == expected, said

    # Clients

    async def open(
        self, path: str, method: str = "GET", extra: str = "", body: bytes = b"", version: str = "1.1"
    ) -> "Client":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 16)
        client = Client(reader, writer)
        head = f"{method} {path} HTTP/{version}\r\nhost: house\r\n{extra}"
        writer.write(head.encode() + (f"content-length: {len(body)}\r\n".encode() if body else b"") + b"\r\n" + body)
        return client

    async def get(self, path: str) -> bytes:
        """The whole answer to a GET, head and framing included."""
        client = await self.open(path, extra="connection: close\r\n")
        async with asyncio.timeout(PATIENCE):
            answer = await client.reader.read(-1)
        client.leave()
        return answer

    async def counts(self) -> "Counts":
        answer = await self.get("/counts")
        return Counts(**json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1]))

    async def said(self, text: str) -> None:
        """Wait until *text* is in the log."""
        async with asyncio.timeout(PATIENCE):
            while text not in self.log:
                await asyncio.sleep(0.01)

    async def opened(self, name: str, count: int) -> None:
        """Wait until *count* of *name* were opened since the server began."""
        async with asyncio.timeout(PATIENCE):
            while (await self.counts()).opened.get(name, 0) < count:
                await asyncio.sleep(0.005)

    async def released(self, name: str, count: int, since: float | None = None) -> float:
        """Wait until *count* of *name* are released; return when the last was, in seconds after *since* (now)."""
        since = time.monotonic() if since is None else since
        async with asyncio.timeout(PATIENCE):
            while (counts := await self.counts()).released.get(name, 0) < count:
                await asyncio.sleep(0.005)
        assert counts.released[name] == count, "released more than once"
        return counts.last[name] - since


@dataclass(frozen=True, slots=True)
class Counts:
    """What the sources have opened and released, and when (``time.monotonic()``, one clock for all processes)."""

    opened: dict[str, int]
    released: dict[str, int]
    last: dict[str, float]
    threads: int
    memory_bytes: int  # resident; 0 where the system does not tell


# What is no fault of an app: uvicorn's, and asyncio's, of clients that left before the server has found out.
NOTED = ("ASGI callable returned without completing response.", "socket.send() raised exception.")


def silent(server: Server, before: str) -> bool:
    """Whether *server* has said nothing of note since *before*."""
    return all(line.endswith(NOTED) for line in server.log.removeprefix(before).splitlines())


def is_group(pid: int) -> bool:
    """Whether a process of this group is still there."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


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

    async def drain(self, at_least: int = sys.maxsize) -> None:
        """Read, and forget, *at_least* bytes, or all."""
        while at_least > 0 and (piece := await self.reader.read(1 << 20)):
            at_least -= len(piece)

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
