"""Real servers as processes of their own, asked each in its own way."""

import asyncio
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clients import PATIENCE as PATIENCE
from clients import Client as Client
from clients import asked
from gateway import Asked, Gateway
from known import GATEWAYS, SERVERS

if TYPE_CHECKING:
    import httpx

HERE = Path(__file__).parent
TRIES = 3  # so often a machine that is busy with other things may break what a test says of time


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
    *["TypeError: JSON has no Own", "TypeError: csv.encode: a field must be text"],
    "DeadlineExceeded: ",  # granian leaves the module out
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gateway(name: str) -> type[Gateway] | None:
    """What the client of a server is, that does not speak HTTP/1; its parts may be missing."""
    if name not in GATEWAYS:
        return None
    need("aioquic")
    module, _, kind = GATEWAYS[name].partition(".")
    found: type[Gateway] = getattr(import_module(module), kind)
    return found


class Server:
    """One server process; ``port`` is where it listens, ``log`` what it said."""

    def __init__(self, name: str, app: str, log: Path, *options: str) -> None:
        self.name = name
        need(SERVERS[name][0])
        self.gateway = gateway(name)
        self.port = free_port()
        self.plain = free_port() if self.gateway else self.port  # where it speaks HTTP/1.1, too
        self._log = log
        self.folder = log.parent  # what is in it, is at /files/
        places: dict[str, object] = {"port": self.port, "plain": self.plain}
        if self.gateway:
            from over_h3 import certify  # it may be missing

            certificate, key = certify(self.folder)
            places.update(certificate=certificate, key=key)
        command = [part.format(**places) for part in (*SERVERS[name], *options)]
        path = os.pathsep.join(map(str, (HERE, HERE.parent / "middleware", HERE.parent.parent)))
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
            return probe.connect_ex(("127.0.0.1", self.plain)) == 0

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
    ) -> Client:
        """Ask, over what this server is there for; *extra*: lines of a head of HTTP/1.1."""
        if self.gateway is None:
            return await asked(self.port, path, method, extra, body, version)
        client = self.gateway(Asked.of(method, path, extra, body))
        await client.connect(self.port)
        return client

    async def get(self, path: str) -> bytes:
        """The whole answer to a GET, head and framing included."""
        return await (await self.open(path, extra="connection: close\r\n")).whole()

    async def seen(self, path: str) -> Any:
        """What JSON the app says of itself, over HTTP/1.1."""
        answer = await (await asked(self.plain, path, extra="connection: close\r\n")).whole()
        return json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])

    async def counts(self) -> "Counts":
        return Counts(**await self.seen("/counts"))

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}" if self.gateway else f"http://127.0.0.1:{self.port}{path}"

    def curl(self, path: str, *options: str) -> bytes:
        """What curl makes of *path*."""
        if self.name == "hypercorn-h3" and b"HTTP3" not in curl("--version"):
            pytest.skip("curl without HTTP/3")
        how = {"hypercorn-h2": ["--insecure", "--http2"], "hypercorn-h3": ["--insecure", "--http3-only"]}
        return curl(*how.get(self.name, []), *options, self.url(path))

    def httpx(self) -> "httpx.Client":
        """httpx, which takes the paths of this server."""
        import httpx  # it may be missing

        base = self.url("")
        if self.name == "hypercorn-h3":
            from gateway_httpx import Transport

            return httpx.Client(base_url=base, transport=Transport(self.open))
        over = self.gateway is not None
        return httpx.Client(base_url=base, http1=not over, http2=over, verify=False, timeout=PATIENCE)

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


def started(name: str, folder: Path) -> Iterator[Server]:
    server = Server(name, "house:app", folder / f"{name}.log")
    try:
        yield server
    finally:
        server.stop()
