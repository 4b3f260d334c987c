"""Middleware of others around rawasgi, on real servers: the same bytes, bodies mid-stream, and disconnects.

What there is beside is in tests/middleware, in process.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import stacks
import twins
from layered import LAYERS, prefix
from serving import PATIENCE, Server

layers = pytest.mark.parametrize(("place", "name"), LAYERS)
bodies = pytest.mark.parametrize(("place", "name"), [each for each in LAYERS if each[0] != "familiar"])


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn", "granian"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(request.param, "layered:app", tmp_path_factory.mktemp("layered") / "log")
    try:
        yield started
    finally:
        started.stop()


async def logged(server: Server) -> list[str]:
    log: list[str] = (await server.seen("/log"))["log"]
    return log


def base(place: str, name: str) -> str:
    return prefix(place, name) + stacks.stack(place, name).prefix


@layers
def test_same_bytes(server: Server, place: str, name: str) -> None:
    at = base(place, name)
    with server.httpx() as client:
        headers = dict(stacks.ROWS[name].headers) or {"accept-encoding": "identity"}
        files = {"/file": Path(twins.__file__).read_text()}
        if (server.name, name) == ("granian", "brotli-asgi"):
            files.clear()  # it drops http.response.pathsend: test_a_file_by_pathsend
        for path, wanted in {
            "/json": '{"a":1}',
            "/large": twins.LARGE,
            "/ready": "0\n1\n2\n3\n4\n",
            "/paced": "0\n1\n2\n3\n",
            "/nothing": "",
            **files,
        }.items():
            answer = client.get(at + path, headers=headers)
            assert (answer.status_code, answer.text) == (200, wanted), path
        assert client.post(at + "/length", content=b"12345").text == "5"
        assert client.post(at + "/before", content=b"12345").text == "5\nend\n"


@bodies
def test_a_body_is_read_while_the_answer_streams(server: Server, place: str, name: str) -> None:
    async def script() -> None:
        path = base(place, name) + "/during"
        at_once = await server.open(path, "POST", body=b"one")
        assert b"started\n" in (answer := await at_once.until(b"0\r\n\r\n"))
        assert b"one\n" in answer
        at_once.leave()
        late = await server.open(base(place, name) + "/late", "POST", body=b'{"a":1}')
        answer = await late.until(b"0\r\n\r\n")
        assert b"working\n" in answer
        assert b"{'a': 1}\n" in answer
        late.leave()
        in_turn = await server.open(path, "POST", "content-length: 6\r\n")
        in_turn.send(b"one")
        await in_turn.until(b"one\n")
        in_turn.send(b"two")
        assert b"two\n" in await in_turn.until(b"0\r\n\r\n")
        in_turn.leave()

    asyncio.run(script())


@layers
def test_a_disconnect_closes_the_source(server: Server, place: str, name: str) -> None:
    async def script() -> None:
        before = await logged(server)
        coding = "".join(f"{name}: {value}\r\n" for name, value in stacks.ROWS[name].headers)
        client = await server.open(base(place, name) + "/idle", extra=coding)
        await client.until(b"\r\n\r\n")
        await asyncio.sleep(0.05)  # it is idle then; and if it is not, the source is closed all the same
        assert await logged(server) == before
        client.leave()
        async with asyncio.timeout(PATIENCE):
            while (log := await logged(server)) == before or len(log) < len(before) + 2:
                await asyncio.sleep(0.005)
        assert log == [*before, "idle stopped", "idle closed"]

    asyncio.run(script())
