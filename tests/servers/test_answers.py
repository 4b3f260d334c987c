"""What comes over the wire, and when."""

import asyncio

from known import on_all
from serving import PATIENCE, Server


@on_all()
def test_headers_come_before_the_first_wait_is_over(server: Server) -> None:
    async def script() -> None:
        client = await server.open("/2.4/own-await")
        head = await client.until(b"first")
        assert head.split(b" ")[1] == b"200"
        client.leave()

    asyncio.run(script())


@on_all()
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
