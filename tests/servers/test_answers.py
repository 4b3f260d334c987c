"""What comes over the wire, and when."""

import asyncio

from known import on_all
from serving import Server


@on_all()
def test_headers_come_before_the_first_wait_is_over(server: Server) -> None:
    async def script() -> None:
        client = await server.open("/2.4/own-await")
        head = await client.until(b"first")
        assert head.split(b" ")[1] == b"200"
        client.leave()

    asyncio.run(script())


@on_all()
def test_each_chunk_comes_before_the_source_goes_on(server: Server) -> None:
    async def script() -> bytes:
        client = await server.open("/steps/text", extra="connection: close\r\n")
        for number in range(3):
            await client.until(b"%d\n" % number)
            await server.seen("/took")
        return await client.whole()

    assert b"\n" not in asyncio.run(script()).replace(b"\r\n", b""), "nothing comes twice"
