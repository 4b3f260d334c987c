"""Row 22 with a real PostgreSQL: rows as they are fetched, and nothing held of a client that left."""

import asyncio
import csv
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from postgres import postgres
from serving import PATIENCE, Server

from examples.sources import rows

COUNT = 100_000
HELD = 20  # clients, and connections: examples.sources.postgres.CONNECTIONS
SERVERS = pytest.mark.parametrize("server", ["uvicorn", "hypercorn"], indirect=True)
APPS = pytest.mark.parametrize("app", ["raw", "fastapi"])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as found:
        yield found


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        patch.setenv("RAWASGI_ROWS", str(COUNT))
        started = Server(request.param, "databases:app", tmp_path_factory.mktemp("databases") / "log")
    try:
        yield started
    finally:
        started.stop()


def get(server: Server, target: str, accept: str = "*/*") -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.port}{target}", headers={"accept": accept}, timeout=PATIENCE)


def expected(count: int) -> list[dict[str, object]]:
    return [{"id": n, "name": f"第 {n} 行", "amount": n * 0.25} for n in range(1, count + 1)]


@SERVERS
@APPS
def test_rows_come_as_lines_or_as_csv_as_the_client_likes(server: Server, app: str) -> None:
    for target, accept in (("", "*/*"), ("&format=ndjson", "text/csv"), ("", "application/x-ndjson")):
        answer = get(server, f"/{app}/rows?count=2500{target}", accept)
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line) for line in answer.text.splitlines()] == expected(2500)
    for target, accept in (("&format=csv", "*/*"), ("", "text/csv")):
        answer = get(server, f"/{app}/rows?count=2500{target}", accept)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        names, *records = csv.reader(answer.text.splitlines())
        assert names == list(rows.COLUMNS)
        assert records == [[str(value) for value in row.values()] for row in expected(2500)]
    assert get(server, f"/{app}/rows", "image/png").status_code == 406
    assert get(server, f"/{app}/rows?format=xml").status_code == 422


@SERVERS
def test_memory_does_not_grow_with_the_rows(server: Server) -> None:
    get(server, "/raw/rows?count=2000")
    before = pools(server)["peak_bytes"]
    with httpx.stream("GET", f"http://127.0.0.1:{server.port}/raw/rows", timeout=PATIENCE) as answer:
        assert sum(piece.count(b"\n") for piece in answer.iter_raw()) == COUNT
    # All at once, they would be 50 MB and more.
    assert pools(server)["peak_bytes"] - before < 16_000_000


@SERVERS
def test_the_first_rows_come_while_the_server_works_and_who_leaves_cancels_it(server: Server, url: str) -> None:
    async def script() -> None:
        client = await server.open("/endless")
        lines = await client.until(b'"id":1000,')
        assert b'"id":1,' in lines
        await until(url, WORKING, 1)
        client.leave()
        await until(url, WORKING, 0)
        await until(url, BUSY, 0)

    asyncio.run(script())


# Most wait for the server's next row, some for their client, which does not read.
ASYNCHRONOUS = [*["/endless"] * (HELD - 4), *["/raw/rows"] * 4]
BLOCKING = ["/thread/rows"] * HELD


@SERVERS
@pytest.mark.parametrize(("app", "targets"), [("raw", ASYNCHRONOUS), ("thread", BLOCKING)], ids=["raw", "thread"])
def test_the_connections_of_all_who_leave_are_back_in_the_pool(
    server: Server, url: str, app: str, targets: list[str]
) -> None:
    async def script() -> None:
        clients = [await server.open(target) for target in targets]
        await asyncio.gather(*(client.until(b'"id":1,') for client in clients))
        async with asyncio.timeout(PATIENCE):
            while await free(server, app) != [0, HELD]:
                await asyncio.sleep(0.01)
            for client in clients:
                client.leave()
            while await free(server, app) != [HELD, HELD]:
                await asyncio.sleep(0.01)
        await until(url, BUSY, 0)

    asyncio.run(script())


async def free(server: Server, app: str) -> list[int]:
    found: list[int] = (await asyncio.to_thread(pools, server))[app]
    return found


def pools(server: Server) -> Any:
    return get(server, "/pools").json()


WORKING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
BUSY = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()"
)


async def until(url: str, question: str, answer: int) -> None:
    """Wait until the server itself answers *question* so."""
    from psycopg import AsyncConnection

    async with asyncio.timeout(PATIENCE), await AsyncConnection.connect(url, autocommit=True) as connection:
        while await (await connection.execute(question)).fetchone() != (answer,):
            await asyncio.sleep(0.01)
