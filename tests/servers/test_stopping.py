"""SIGTERM under load: every stream says good-bye, every clean-up is finished, the process ends by itself."""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from known import GATEWAYS, SERVERS
from over_h2 import H2
from serving import HERE, PATIENCE, Server, is_group, need

EVENTS, BLOCKING = 1000, 50
STATUS = {"uvicorn": -signal.SIGTERM, "hypercorn": 0, "granian": 0}  # what each ends with when it was asked to
PLAIN = ["uvicorn", "uvicorn-h11", "granian"]  # which hand the signal on to the app


class Process:
    """A server process, started by *command* with the port in it."""

    def __init__(self, folder: Path, *command: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.log = folder / "log"
        self.folder = folder
        path = os.pathsep.join([str(HERE), str(HERE.parent.parent)])
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *(part.format(port=self.port) for part in command)],
                env={**os.environ, "PYTHONPATH": path, "HOUSE_FILES": str(folder)},
                cwd=HERE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    async def stop(self) -> int:
        self.process.terminate()
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    def kill(self) -> None:
        if is_group(self.process.pid):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def released(self) -> int:
        return len((self.folder / "released").read_bytes())


async def opened(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A connection that has had its first piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: house\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"200", head
    first = await reader.readuntil(b"0\n")
    return reader, writer, first


async def ended(stream: tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]) -> tuple[float, bytes]:
    """When the body was over, and all of it that came."""
    reader, writer, body = stream
    try:
        while not body.endswith(b"\r\n0\r\n\r\n") and (piece := await reader.read(65536)):
            body += piece
        return time.monotonic(), body
    finally:
        writer.close()


def check(body: bytes, path: str) -> None:
    assert body.endswith(b"\r\n0\r\n\r\n"), "a well-formed end"
    check_farewell(body.removesuffix(b"\r\n0\r\n\r\n"), path)


def check_farewell(body: bytes, path: str) -> None:
    if path == "/events":
        assert b"event: close\ndata: " in body
        assert b"\nretry: " in body
    else:
        last = body.splitlines()[-1]
        assert json.loads(last)["error"]["code"] == "shutdown"


async def stopped_under_load(server: Process) -> tuple[int, float]:
    paths = ["/events"] * EVENTS + ["/blocking"] * BLOCKING
    async with asyncio.timeout(PATIENCE):
        streams = await asyncio.gather(*(opened(server.port, path) for path in paths))
        began = time.monotonic()
        stopping = asyncio.create_task(server.stop())
        answers = await asyncio.gather(*map(ended, streams))
        status = await stopping
    for path, (_, body) in zip(paths, answers, strict=True):
        check(body, path)
    last = max(at for at, _ in answers) - began
    print(f"{len(paths)} streams ended after {last:.2f} s, the process after {time.monotonic() - began:.2f} s")
    return status, last


@pytest.mark.parametrize("how", ["uvicorn", "hypercorn", "granian", *(f"plain {name}" for name in PLAIN)])
def test_every_stream_says_good_bye_and_the_process_ends_by_itself(how: str, tmp_path: Path) -> None:
    *plain, name = how.split()
    need(SERVERS[name][0])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    if plain:
        command = [*SERVERS[name], "stopping:app"]
        if name == "granian":  # its own limit would cut off what the app is about to end by itself
            command = [part for part in command if not part.startswith("--workers-kill")]
            command += ["--backlog=4096", "--backpressure=4096"]
    else:
        app = "stopping:router"  # serve drains what is not
        command = ["rawasgi.dev.cli", "serve", app, "--server", name, "--port", "{port}"]
    server = Process(tmp_path, *command)
    try:
        status, _ = asyncio.run(stopped_under_load(server))
        assert status == STATUS[name.removesuffix("-h11")]
        assert server.released == EVENTS + BLOCKING
        assert "Traceback" not in server.log.read_text()
        assert not is_group(server.process.pid), "no process is left"
    finally:
        server.kill()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("name", ["uvicorn", "uvicorn-h11"])
def test_fastapi_with_middleware_sends_a_final_event_or_is_cut_and_both_lifespans_end(
    name: str, tmp_path: Path
) -> None:
    server = Process(tmp_path, *SERVERS[name], "stopping_fastapi:app")

    async def script() -> tuple[bytes, bytes, int]:
        async with asyncio.timeout(PATIENCE):
            streams = [await opened(server.port, path) for path in ("/text/event-stream", "/application/octet-stream")]
            stopping = asyncio.create_task(server.stop())
            (_, events), (_, half) = await asyncio.gather(*map(ended, streams))
            return events, half, await stopping

    try:
        events, half, status = asyncio.run(script())
        assert b"outer inner 0" in events
        check(events, "/events")
        assert b"outer inner 0\n" in half
        assert not half.endswith(b"\r\n0\r\n\r\n"), "the client sees that the body is not complete"
        assert status == STATUS["uvicorn"]
        assert server.released == 2
    finally:
        server.kill()


def test_over_http_2_each_stream_of_a_connection_does(tmp_path: Path) -> None:
    need("hypercorn")
    command = ["rawasgi.dev.cli", "serve", "stopping:router", "--server", "hypercorn", "--port", "{port}"]
    server = Process(tmp_path, *command)
    paths = ["/events"] * 80 + ["/blocking"] * 5

    async def script() -> int:
        async with H2(server.port, paths[0]) as client:
            for path in paths[1:]:
                client.ask(path)
            await client.began()
            stopping = asyncio.create_task(server.stop())
            await client.ended()
        for path, body in zip(paths, client.bodies.values(), strict=True):
            check_farewell(body, path)
        return await stopping

    try:
        assert asyncio.run(asyncio.wait_for(script(), PATIENCE)) == STATUS["hypercorn"]
        assert server.released == len(paths)
        assert "Traceback" not in server.log.read_text()
    finally:
        server.kill()


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn", "granian", *GATEWAYS])
def test_while_it_stops_new_streams_are_sent_elsewhere(name: str, tmp_path: Path) -> None:
    server = Server(name, "stopping:app", tmp_path / "log")

    async def script() -> bytes:
        stream = await server.open("/events")
        await stream.until(b"0\n")
        await (await server.open("/begin", "POST", "connection: close\r\ncontent-length: 0\r\n")).whole()
        answer = await server.get("/events")
        check(await stream.until(b"\r\n0\r\n\r\n"), "/events")
        stream.leave()
        return answer

    try:
        answer = asyncio.run(asyncio.wait_for(script(), PATIENCE)).lower()
        assert answer.split(b" ")[1] == b"503"
        assert b"\r\nretry-after: 1\r\n" in answer
        assert (b"\r\nconnection: close\r\n" in answer) == (name not in GATEWAYS)
    finally:
        server.stop()
