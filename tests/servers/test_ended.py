"""How responses end on real servers: their outcomes, and sources that are left inside of a scope."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from serving import PATIENCE, Server, silent

WANTED = {
    "/whole": ["COMPLETE"],
    "/missing": ["COMPLETE"],
    "/complete": ["COMPLETE"],
    "/reported": ["REPORTED"],
    "/failed": ["FAILED"],
    "/before": ["FAILED_BEFORE_START"],
    "/left": ["DISCONNECTED"],
    "/slow": ["SLOW"],
}


@pytest.fixture(params=["uvicorn", "hypercorn", "granian"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(request.param, "ended:app", tmp_path_factory.mktemp("ended") / "log")
    try:
        yield started
    finally:
        started.stop()


def test_each_response_has_the_outcome_that_its_client_saw(server: Server) -> None:
    with server.httpx() as client:
        for path in ("/whole", "/missing", "/complete", "/before"):
            answer = client.get(path, headers={"connection": "close"})  # uvicorn closes it after a 500, perhaps late
            assert answer.status_code == {"/missing": 404, "/before": 500}.get(path, 200)
        assert 'event: error\ndata: {"error": {"code": "internal"' in client.get("/reported").text
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.get("/failed")
        with client.stream("GET", "/left") as answer:
            next(answer.iter_bytes())
        with client.stream("GET", "/slow"):  # which is not read

            async def found() -> dict[str, list[str]]:
                async with asyncio.timeout(PATIENCE):
                    while len(outcomes := await server.seen("/outcomes")) < len(WANTED) + 1:
                        await asyncio.sleep(0.05)
                del outcomes["/outcomes"]
                return outcomes  # type: ignore[no-any-return]

            assert asyncio.run(found()) == WANTED


def test_a_source_that_is_left_inside_of_a_scope_is_closed_there_and_logs_nothing(server: Server) -> None:
    wanted = []
    before = server.log
    with server.httpx() as client:
        for name in ("group", "anyio", "timeout"):
            for pause in (0, 0.05):  # at its yield, and while it waits
                with client.stream("GET", f"/in/{name}/{pause}") as answer:
                    next(answer.iter_bytes())
                wanted.append(f"{name} in its task")

    async def found() -> list[str]:
        async with asyncio.timeout(PATIENCE):
            while len(closed := (await server.seen("/closed"))["closed"]) < len(wanted):
                await asyncio.sleep(0.05)
        return list(closed)

    assert sorted(asyncio.run(found())) == sorted(wanted)
    assert silent(server, before)
