"""What comes over the wire: chunks one by one, errors that are seen, no body where there is none."""

import asyncio

import pytest
from serving import PATIENCE, Server

ALL = ["uvicorn", "uvicorn-h11", "hypercorn", "granian", "daphne"]
HTTP1 = ALL[:4]


async def answer(server: Server, path: str, method: str = "GET") -> bytes:
    client = await server.open(path, method, "connection: close\r\n")
    async with asyncio.timeout(PATIENCE):
        whole = await client.reader.read(-1)
    client.leave()
    return whole


@pytest.mark.parametrize("server", ALL, indirect=True)
def test_headers_come_before_the_first_wait_is_over(server: Server) -> None:
    async def script() -> None:
        client = await server.open("/2.4/own-await")
        head = await client.until(b"first")
        assert head.split(b" ")[1] == b"200"
        client.leave()

    asyncio.run(script())


@pytest.mark.parametrize("server", ALL, indirect=True)
def test_chunks_come_one_by_one(server: Server) -> None:
    async def script() -> list[bytes]:
        client = await server.open("/few", extra="connection: close\r\n")
        pieces = []
        async with asyncio.timeout(PATIENCE):
            while piece := await client.reader.read(65536):
                pieces.append(piece)
        client.leave()
        return pieces

    pieces = asyncio.run(script())
    assert sum(1 for piece in pieces if b"\n0\r" in piece or b"\r\n1\n" in piece or b"\n2\n" in piece) >= 2
    assert len(pieces) >= 3


@pytest.mark.parametrize("server", HTTP1, indirect=True)
def test_an_error_in_the_midst_is_a_body_without_its_end(server: Server) -> None:
    async def script() -> bytes:
        whole = await answer(server, "/error/after")
        await server.said("LookupError: a secret")
        return whole

    whole = asyncio.run(script())
    assert b"first\n" in whole
    assert not whole.endswith(b"0\r\n\r\n")
    assert b"secret" not in whole


@pytest.mark.parametrize("server", ALL, indirect=True)
def test_an_error_before_the_first_item_is_a_500(server: Server) -> None:
    whole = asyncio.run(answer(server, "/error/before"))
    assert whole.split(b" ")[1] == b"500"
    assert b"secret" not in whole


@pytest.mark.parametrize("server", ALL, indirect=True)
def test_a_status_before_the_first_item_is_the_answer(server: Server) -> None:
    whole = asyncio.run(answer(server, "/error/known"))
    assert whole.split(b" ")[1] == b"409"
    assert b"taken" in whole


@pytest.mark.parametrize("server", ALL, indirect=True)
def test_head_starts_no_stream(server: Server) -> None:
    whole = asyncio.run(answer(server, "/hot", "HEAD"))
    assert whole.split(b" ")[1] == b"200"
    assert whole.endswith(b"\r\n\r\n")
