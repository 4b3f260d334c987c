"""Every wrapper of a stream as the body of a response: whenever its client leaves, the source is closed in time."""

import asyncio
from typing import Unpack

import clock
import pytest
from wrapping import ENDLESS, PAUSES, WRAPPERS, Plain, Source, flat, later, wrapped

from rawasgi import respond, streams
from rawasgi.asgi import App
from rawasgi.dev.client import HTTPClient, connect, fetch
from rawasgi.dev.exchange import Personality
from rawasgi.dev.scopes import Options

# where the spec leaves a server free: what send() and receive() do once the client has left, and whether they give way
SERVERS: list[Options] = [
    {"spec_version": "2.3"},
    {"spec_version": "2.4"},
    {"spec_version": "2.3", "personality": Personality(repeats_disconnect=False, gives_way=True)},
]
# the source gives its items at 1, 2, 3, 4 and 5; then, until 7, it is closing by itself
POINTS = (0.0, 0.1, 0.95, 1.0, 1.05, 2.5, 3.0, 3.3, 4.95)
CLOSING = (5.05, 6.0, 6.95)
WHOLE = b"0;1;2;3;4;"


def text(item: object) -> str:
    return "".join(f"{number};" for number in flat(item))


def body(name: str, source: Source | Plain) -> App:
    items = source.items() if isinstance(source, Source) else source
    return respond.stream(streams.map(WRAPPERS[name][0](items), text))


def client(name: str, source: Source, **options: Unpack[Options]) -> HTTPClient:
    return connect(body(name, source), **options)


def is_closed(source: Source) -> bool:
    return source.log in ([], ["opened", "closed"], ["opened", "cancelled", "closed"])


@wrapped
def test_it_is_sent_whole_to_who_stays(name: str) -> None:
    async def main() -> None:
        for pause in PAUSES:
            source = Source(5, pause)
            assert (await fetch(body(name, source))).body == WHOLE
            assert source.log == ["opened", "closed"]

    clock.run(main())


@wrapped
@pytest.mark.parametrize("server", SERVERS)
def test_a_client_that_leaves_at_any_point_closes_the_source(name: str, server: Options) -> None:
    async def main() -> None:
        for point in POINTS:
            source = Source(5, 1.0)
            async with client(name, source, **server) as reader:
                await asyncio.sleep(point)
                await reader.leave()
                left = clock.now()
                await reader.finished()
            assert clock.now() <= left + 2.0  # what the clean-up takes
            assert is_closed(source)
            assert WHOLE.startswith(reader.body)

    clock.run(main())


@wrapped
def test_a_client_that_leaves_while_the_source_is_closing_by_itself_does_not_wait_for_that(name: str) -> None:
    async def main() -> None:
        for point in CLOSING:  # that the source waits is all that can be seen of it
            source = Source(5, 1.0)
            async with client(name, source) as reader:
                await asyncio.sleep(point)
                await reader.leave()
                await reader.finished()
            assert clock.now() == point
            clock.loop().selector.now = 0.0

    clock.run(main())


@wrapped
@pytest.mark.parametrize("server", SERVERS)
def test_a_client_that_leaves_after_any_item_closes_the_source(name: str, server: Options) -> None:
    async def main() -> None:
        for pause in PAUSES:
            for count in range(1, 6):
                source = Source(ENDLESS, pause)  # one that ends would be closing by itself
                async with client(name, source, **server) as reader:
                    assert await reader.until(f"{count - 1};")
                    await reader.leave()
                    await reader.finished()
                assert is_closed(source)

    clock.run(main())


@wrapped
def test_a_client_that_leaves_while_it_does_not_read_closes_the_source(name: str) -> None:
    async def main() -> None:
        for pause in PAUSES:
            source = Source(30_000, pause)
            async with client(name, source) as reader:
                await reader.until("2;")
                reader.stall()
                await asyncio.sleep(5)
                assert reader.exception is None
                await reader.leave()
                left = clock.now()
                await reader.finished()
            assert clock.now() <= left + 2.0
            assert is_closed(source)

    clock.run(main())


@wrapped
def test_a_server_that_cancels_at_any_point_closes_the_source(name: str) -> None:
    async def main() -> None:
        for point in POINTS:
            source = Source(5, 1.0)
            async with client(name, source) as reader:
                await asyncio.sleep(point)
                await reader.cancel()
            assert is_closed(source)

    clock.run(main())


@wrapped
def test_a_request_that_wants_no_body_closes_the_source_unopened(name: str) -> None:
    async def main() -> None:
        source = Plain(later)
        result = await fetch(body(name, source), method="HEAD")
        assert (result.status, result.body) == (200, b"")
        assert source.closed == 1
        assert source.left == 3

    clock.run(main())


@wrapped
def test_an_error_of_the_source_leaves_the_body_unfinished(name: str) -> None:
    async def main() -> None:
        for pause in PAUSES:
            error = LookupError("no more")
            source = Source(5, pause, error)
            with pytest.raises(LookupError) as raised:
                async with client(name, source) as reader:
                    await reader.finished()
            assert raised.value is error
            assert WHOLE.startswith(reader.body)
            assert pause is None or reader.body == WHOLE
            assert all(
                message.get("more_body", True) for _, message in reader.messages if "body" in str(message["type"])
            )
            assert is_closed(source)

    clock.run(main())
