"""The demo on real servers: every row of both apps over a socket, as it comes."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from settling import settled
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from examples import raw, twin
from examples.catalogue import MORE, ROWS, Row
from rawasgi.dev.client import fetch

SCALE = 0.1
START, STOP = 20.0, 10.0  # how long a server may take, on a busy machine
APPS = {"": raw.app, "/fastapi": twin.app}
COMMANDS = {
    "uvicorn": ["--host=127.0.0.1", "--port={port}", "--timeout-graceful-shutdown=2"],
    "hypercorn": ["--bind=127.0.0.1:{port}", "--graceful-timeout=2"],
}


@dataclass(slots=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def is_up(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_until_up(self) -> None:
        until = time.monotonic() + START
        while not self.is_up():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """As an operator does; what does not obey is killed, and that is a failure."""
        self.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP
        while (self.process.poll() is None or is_group(self.process.pid)) and time.monotonic() < until:
            time.sleep(0.02)
        left = is_group(self.process.pid)
        if left:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP)
        assert not left, "a process was left"


def is_group(pid: int) -> bool:
    """Whether a process of this group is still there."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        "STREAM_TIME_SCALE": str(SCALE),
        "RAWASGI_CACHE": str(tmp_path_factory.mktemp("cache")),
        "RAWASGI_SAMPLE_BYTES": "2000000",
        "CHAT_BACKEND": "embedded",
        "RAWASGI_LOG_FILE": "",
    }


@pytest.fixture(scope="module", params=COMMANDS)
def server(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp(request.param) / "log"
    options = [option.format(port=port) for option in COMMANDS[request.param]]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", request.param, *options, "examples.demo:app"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Server(process, port, log)
    try:
        running.wait_until_up()
        yield running
    finally:
        running.stop()
    assert "Traceback" not in log.read_text()


# Reading


@dataclass(slots=True)
class Answer:
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    arrivals: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.arrivals)

    @property
    def span(self) -> float:
        """The seconds between the first and the last that came."""
        return self.arrivals[-1][0] - self.arrivals[0][0]


async def ask(port: int, method: str, target: str, body: bytes | None = None) -> Answer:
    """One exchange by hand, each chunk with its time. Raises: IncompleteReadError if the body is not whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        length = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body is not None else ""
        writer.write(f"{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n{length}\r\n".encode() + (body or b""))
        return await read(reader)
    finally:
        writer.close()
        await writer.wait_closed()


async def read(reader: asyncio.StreamReader) -> Answer:
    head, *fields = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
    answer = Answer(int(head.split()[1]))
    for name, _, value in (line.partition(b":") for line in fields):
        answer.headers[name.lower()] = value.strip()
    if b"content-length" in answer.headers:
        left = int(answer.headers[b"content-length"])
        while left:
            data = await reader.readexactly(min(left, 65536))
            answer.arrivals.append((time.monotonic(), data))
            left -= len(data)
        return answer
    assert answer.headers[b"transfer-encoding"] == b"chunked"
    while size := int(await reader.readline(), 16):
        data = await reader.readexactly(size)
        answer.arrivals.append((time.monotonic(), data))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return answer


async def talk(port: int, target: str) -> Answer:
    """Row 41: ask, cancel what is over already, close."""
    answer = Answer()
    async with connect(f"ws://127.0.0.1:{port}{target}", ping_interval=None) as client:
        answer.status = 101
        await client.send("你好")
        try:
            async for frame in client:
                answer.arrivals.append((time.monotonic(), str(frame).encode()))
                if '"done"' in str(frame):
                    await client.send('{"type": "cancel"}')
                elif '"error"' in str(frame):
                    await client.send('{"type": "close"}')
        except ConnectionClosed:
            pass
        answer.headers[b"code"] = str(client.close_code).encode()
    return answer


async def answer(port: int, prefix: str, row: Row) -> Answer:
    if row.method == "WS":
        return await talk(port, prefix + row.example)
    return await ask(port, row.method, prefix + row.example, row.body)


@pytest.fixture(scope="module")
def answers(server: Server) -> dict[tuple[str, int], Answer]:
    """All rows of both apps, at once."""

    async def main() -> dict[tuple[str, int], Answer]:
        rows = [(prefix, row) for prefix in APPS for row in ROWS]
        async with asyncio.timeout(30):
            await ask(server.port, "GET", "/rag?question=x")  # makes an index: for a while nothing else runs
            found = await asyncio.gather(*(answer(server.port, prefix, row) for prefix, row in rows))
        return {(prefix, row.number): one for (prefix, row), one in zip(rows, found, strict=True)}

    return asyncio.run(main())


# Asserting

# How many pieces come one by one, and in how many seconds of the documents' own pace; on a busy machine a few may meet
PACED = {
    2: (9, 4.0), 3: (5, 2.0), 4: (5, 2.0), 6: (5, 2.0), 7: (5, 2.0), 8: (5, 2.0), 9: (6, 2.5), 10: (6, 2.5),
    11: (6, 2.0), 13: (12, 19.0), 14: (10, 4.5), 16: (101, 10.0), 17: (5, 4.0), 18: (20, 5.7), 19: (10, 9.0),
    21: (100, 49.5), 23: (10, 4.5), 24: (10, 4.5), 25: (5, 1.2), 26: (5, 0.8), 27: (100, 9.9), 28: (5, 2.0),
    29: (5, 2.0), 30: (5, 1.2), 31: (25, 1.2), 32: (5, 0.4), 33: (5, 0.4), 34: (6, 0.4), 36: (6, 1.2), 37: (11, 1.8),
    38: (7, 1.1), 39: (4, 0.6), 40: (100, 9.9), 41: (8, 0.4), 42: (5, 4.0),
}  # fmt: skip


def is_paced(row: Row, answer: Answer) -> bool:
    pieces, seconds = PACED.get(row.number, (0, 0.0))
    return len(answer.arrivals) >= 0.6 * pieces and answer.span >= 0.6 * seconds * SCALE


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.path}")
@pytest.mark.parametrize("prefix", APPS, ids=["raw", "twin"])
def test_a_row_comes_whole_and_piece_by_piece(
    prefix: str,
    row: Row,
    server: Server,
    answers: dict[tuple[str, int], Answer],
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    came = answers[prefix, row.number]
    for _ in range(3):
        if not is_paced(row, came):  # 84 at once may be too many for the machine
            came = asyncio.run(answer(server.port, prefix, row))
    assert is_paced(row, came)
    if row.method == "WS":
        kinds = [frame.split(b'"')[3].decode() for _, frame in came.arrivals]
        assert kinds == ["start", *["token"] * (len(kinds) - 3), "done", "error"]
        assert (came.status, came.headers[b"code"]) == (101, b"1000")
        return
    for name, value in (environment | {"STREAM_TIME_SCALE": "0"}).items():
        monkeypatch.setenv(name, value)
    target = row.example.replace("slow=3&limit=1", "slow=3&limit=0.01")
    same = asyncio.run(fetch(APPS[prefix], target, method=row.method, body=row.body or b""))
    assert (came.status, read_freely(row, came.body)) == (same.status, read_freely(row, same.body))
    # The server adds its own, and the ids are new each time.
    expected = {name: settled(value) for name, value in same.headers}
    assert expected.items() <= {name: settled(value) for name, value in came.headers.items()}.items()


def read_freely(row: Row, body: bytes) -> bytes:
    """*body*, without what depends on who else is there: the log has one writer, two sources each their pace."""
    if row.number == 17:
        body = re.sub(rb"#\d+", b"#", body)
    if row.number == 36:
        body = b"".join(sorted(body.splitlines(keepends=True)))
    return settled(body)


def test_the_page_lists_both_apps(server: Server) -> None:
    answer = asyncio.run(ask(server.port, "GET", "/"))
    assert answer.status == 200
    assert answer.body.count(b"/fastapi/") == len(ROWS + MORE)


def test_a_source_stops_when_the_client_leaves(server: Server) -> None:
    said = "客户端断开连接，停止生成数据"

    async def main() -> None:
        before = server.log.read_text().count(said)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /disconnect HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        await reader.readuntil("数据 0\n".encode())
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(0.8):  # all its lines would take 1 s
            while server.log.read_text().count(said) == before:
                await asyncio.sleep(0.01)

    asyncio.run(main())
