"""A stream that a POST began is gone on with: on real servers, over sockets that are reset."""

import asyncio
import json
from collections.abc import Callable, Iterator

import pytest
from clients import Client
from resuming import COUNT
from serving import PATIENCE, Server

from rawasgi.formats import sse
from rawasgi.formats.sse import Event

SERVERS = ["uvicorn", "hypercorn", "granian", "hypercorn-h2", "hypercorn-h3"]
on_each = pytest.mark.parametrize("server", SERVERS, indirect=True)
on_each_that_tells_who_left = pytest.mark.parametrize("server", SERVERS[:-1], indirect=True)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(request.param, "resuming:app", tmp_path_factory.mktemp("server") / "log")
    try:
        yield server
    finally:
        server.stop()


class Reader:
    """One connection with a stream of events, and those that came."""

    def __init__(self, client: Client, head: bytes) -> None:
        self.client = client
        self.run = head.lower().partition(b"x-run: ")[2][:16].decode()
        self.events: list[Event] = []
        self._decoder = sse.Decoder()

    @property
    def last_id(self) -> str:
        return self._decoder.last_event_id

    @property
    def tokens(self) -> list[int]:
        return [json.loads(event.data or "")["token"] for event in self.events if event.event is None]

    @property
    def codes(self) -> list[str]:
        return [json.loads(event.data or "")["error"]["code"] for event in self.events if event.event == "error"]

    async def read(self, count: int | None = None) -> None:
        """Until *count* events are there, or the body is whole."""
        while count is None or len(self.events) < count:
            chunk = await self.client.chunk()
            self.events += self._decoder.feed(chunk)
            if not chunk:
                self.client.leave()
                return


async def opened(server: Server, method: str, path: str, last_id: str = "") -> Reader:
    last = f"last-event-id: {last_id}\r\n" if last_id else ""
    client = await server.open(path, method, f"{last}content-length: 0\r\n")
    return Reader(client, await client.reader.readuntil(b"\r\n\r\n"))


async def happened(server: Server) -> dict[str, int]:
    found: dict[str, int] = await server.seen("/happened")
    return {"begun": 0, "said": 0, "ended": 0, "closed": 0} | found


async def until(server: Server, reached: Callable[[dict[str, int]], bool]) -> None:
    while not reached(await happened(server)):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("when", ["while it goes on", "when it is over"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@on_each
def test_who_was_cut_off_gets_exactly_the_rest_and_the_work_was_done_once(
    server: Server, method: str, when: str
) -> None:
    async def script() -> None:
        before = await happened(server)
        first = await opened(server, "POST", "/patient")
        await first.read(5)
        first.client.reset()
        if when == "when it is over":
            await until(server, lambda now: now["closed"] > before["closed"])
        path = "/patient" if method == "POST" else f"/patient/{first.run}"
        again = await opened(server, method, path, first.last_id)
        await again.read()
        assert first.tokens + again.tokens == [*range(COUNT)]
        assert again.codes == []
        after = await happened(server)
        done = {name: after[name] - before[name] for name in ("begun", "said", "ended", "closed")}
        assert done == {"begun": 1, "said": COUNT, "ended": 1, "closed": 1}
        await until(server, lambda now: now["followers"] == 0)

    asyncio.run(asyncio.wait_for(script(), PATIENCE))


@on_each
def test_two_read_at_once_each_from_where_it_is(server: Server) -> None:
    async def script() -> None:
        before = await happened(server)
        first = await opened(server, "POST", "/patient")
        await first.read(5)
        whole = await opened(server, "GET", f"/patient/{first.run}")
        rest = await opened(server, "GET", f"/patient/{first.run}", first.last_id)
        first.client.reset()
        await asyncio.gather(whole.read(), rest.read())
        assert whole.tokens == first.tokens + rest.tokens == [*range(COUNT)]
        assert (await happened(server))["begun"] == before["begun"] + 1

    asyncio.run(asyncio.wait_for(script(), PATIENCE))


@on_each
def test_it_is_cancelled_by_its_name_and_all_who_read_are_told(server: Server) -> None:
    async def script() -> None:
        before = await happened(server)
        first = await opened(server, "POST", "/patient?count=10")
        other = await opened(server, "GET", f"/patient/{first.run}")
        await asyncio.gather(first.read(10), other.read(10))
        answer = await opened(server, "DELETE", f"/patient/{first.run}")
        assert (await happened(server))["closed"] == before["closed"] + 1, "its clean-up was waited for"
        answer.client.leave()
        await asyncio.gather(first.read(), other.read())
        late = await opened(server, "GET", f"/patient/{first.run}", first.events[8].id or "")
        await late.read()
        assert first.tokens == other.tokens == [*range(10)]
        assert late.tokens == [9]
        assert first.codes == other.codes == late.codes == ["cancelled"]
        assert (await happened(server))["ended"] == before["ended"]

    asyncio.run(asyncio.wait_for(script(), PATIENCE))


@on_each_that_tells_who_left
def test_it_ends_by_its_time_limit_when_nobody_comes_back(server: Server) -> None:
    async def script() -> None:
        before = await happened(server)
        first = await opened(server, "POST", "/hasty?count=10")
        await first.read(10)
        first.client.reset()
        await until(server, lambda now: now["closed"] > before["closed"])
        late = await opened(server, "GET", f"/hasty/{first.run}", first.last_id)
        await late.read()
        assert (first.tokens, late.tokens, late.codes) == ([*range(10)], [], ["abandoned"])

    asyncio.run(asyncio.wait_for(script(), PATIENCE))
