"""A client asks for more before its stream is over, and vanishes: the servers stop reading, and see nothing."""

import asyncio

import pytest
from known import on_all
from serving import TRIES, Server, silent

HEARTBEAT = 0.5  # of the house
LIMIT = HEARTBEAT + 5.0  # seconds, with the first _REFRESH of rawasgi.clocks in them


async def ten_vanish(server: Server, source: str, method: str) -> float:
    """Return the seconds from the moment when they vanished, half by RST and half by FIN, to the last release."""
    before = (await server.counts()).opened.get(source, 0)
    clients = [await server.open(f"/{source}", method) for _ in range(10)]
    for client in clients:
        await client.until(b"\r\n\r\n")
        client.pipeline()
    await server.opened(source, before + 10)
    await asyncio.sleep(0.1)  # so that the server has read it, and stopped reading
    left = asyncio.get_running_loop().time()
    for number, client in enumerate(clients):
        client.reset() if number % 2 else client.leave()
    return await server.released(source, before + 10, left)


@pytest.mark.parametrize(
    ("method", "source"),
    [
        ("GET", "idle"),  # found by a heartbeat: the second, if the first is what asks for the RST
        ("GET", "at-yield"),  # found by calling receive() anew, after which uvicorn reads on
        ("HEAD", "claimed"),  # never started
    ],
)
@on_all("pipelining", "backpressure")
def test_a_client_that_pipelined_one_more_request_is_missed(server: Server, source: str, method: str) -> None:
    said = server.log
    for _ in range(TRIES):
        seconds = asyncio.run(ten_vanish(server, source, method))
        print(f"{server.name} {method} /{source}: released after {seconds * 1000:.0f} ms")
        if seconds < LIMIT:
            break
    assert seconds < LIMIT
    assert silent(server, said)


@on_all("order")
def test_a_pipelined_request_is_answered_after_the_stream(server: Server) -> None:
    async def script() -> bytes:
        client = await server.open("/few")
        client.pipeline()
        answers = await client.until(b"pong")
        client.leave()
        return answers

    answers = asyncio.run(script())
    assert answers.count(b"HTTP/1.1 200") == 2
    assert answers.index(b"2\n") < answers.index(b"pong")
