"""A client disconnects while a handler computes its response: on real servers, over sockets."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from serving import PATIENCE, Server, silent

TWENTY = 20
SERVERS = ["uvicorn", "uvicorn-h11", "hypercorn", "granian", "daphne"]


@pytest.fixture(params=SERVERS, scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(request.param, "computing:app", tmp_path_factory.mktemp("computing") / "log")
    try:
        yield started
    finally:
        started.stop()


async def until(server: Server, what: str, path: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await server.seen("/state"))[what].get(path, 0) < count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("place", ["/plain", "/fastapi", "/drained"])
@pytest.mark.parametrize("kind", ["/compute", "/posted", "/begun", "/silent", "/nested"])
def test_20_clients_disconnect_and_all_20_handlers_and_sources_are_ended(server: Server, place: str, kind: str) -> None:
    path = place + kind
    said = server.log

    async def script() -> None:
        post = kind == "/posted"
        clients = [
            await server.open(path, "POST" if post else "GET", body=b"question" if post else b"") for _ in range(TWENTY)
        ]
        await until(server, "started", path, TWENTY)
        for number, client in enumerate(clients):
            client.reset() if number % 2 else client.leave()
        await until(server, "cleaned", path, TWENTY)
        if kind != "/nested":  # which is closed at its yield
            assert (await server.seen("/state"))["cancelled"][path] == TWENTY

    asyncio.run(script())
    assert silent(server, said)


@pytest.mark.parametrize("place", ["/plain", "/fastapi", "/drained"])
def test_those_who_stay_get_their_responses_over_one_connection(server: Server, place: str) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE) as client:
        for _ in range(3):
            assert client.post(f"{place}/posted", content=b"answer").text == "answer"
        with pytest.raises(httpx.ReadTimeout):
            client.get(f"{place}/compute", timeout=0.2)
        assert client.post(f"{place}/posted", content=b"answer").text == "answer"


@pytest.mark.parametrize("place", ["/plain", "/fastapi", "/drained"])
@pytest.mark.parametrize("kind", ["stream", "sse", "ndjson", "json_array", "chat_chunks"])
def test_an_error_after_a_wait_has_its_status(server: Server, place: str, kind: str) -> None:
    said = server.log
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE) as client:
        response = client.get(f"{place}/late/{kind}")
        assert (response.status_code, response.headers["retry-after"]) == (429, "7")
        assert "slow down" in response.text
    assert silent(server, said)


def test_a_body_that_is_refused_is_not_asked_for(server: Server) -> None:
    if server.name not in ("uvicorn", "uvicorn-h11"):
        pytest.skip("it sends 100 Continue by itself")

    async def script() -> bytes:
        head = "expect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n"
        client = await server.open("/plain/refused", "POST", head)
        return await client.whole()

    assert asyncio.run(script()).startswith(b"HTTP/1.1 401")
