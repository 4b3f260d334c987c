"""Models, dataclasses and dates from a router in FastAPI, behind BaseHTTPMiddleware, read by httpx."""

import asyncio
import csv
import json
from collections.abc import Iterator

import httpx
import pytest
from serving import PATIENCE, Server

from rawasgi.formats import json_array, json_seq

ORDER = {
    "id": "00000000-0000-0000-0000-000000000001",
    "at": "2026-01-02T03:04:05Z",
    "price": "1.10",
    "kind": "new",
    "theNote": "一行\u2028示例\x85数据",
}
LINE = {"order": ORDER, "text": "名"}
ERROR = {"code": "internal", "message": "the stream failed", "id": "ID"}


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(request.param, "item_routes:app", tmp_path_factory.mktemp("items") / "log")
    try:
        yield started
    finally:
        started.stop()


def lines(server: Server, path: str) -> list[str]:
    """The lines of an answer, as httpx cuts them: at what str.splitlines() takes for a line end."""
    with server.httpx() as client, client.stream("GET", path) as answer:
        assert answer.status_code == 200
        assert answer.headers["x-seen"] == "1"
        return [line for line in answer.iter_lines() if line]


def body(server: Server, path: str) -> bytes:
    with server.httpx() as client:
        return client.get(path).content


def with_id(error: dict[str, str]) -> dict[str, str]:
    assert len(error["id"]) == 16
    return error | {"id": "ID"}


def test_events_and_lines_are_not_torn_by_a_client_that_splits_lines_as_python_does(server: Server) -> None:
    assert [json.loads(line.removeprefix("data: ")) for line in lines(server, "/fastapi/ours/whole/sse")] == [
        ORDER,
        LINE,
    ]
    assert [json.loads(line) for line in lines(server, "/fastapi/ours/whole/ndjson")] == [ORDER, LINE]


def test_arrays_sequences_and_records(server: Server) -> None:
    assert json.loads(body(server, "/fastapi/ours/whole/array")) == [ORDER, LINE]
    assert json_array.Decoder().feed(body(server, "/fastapi/ours/whole/array")) == [ORDER, LINE]
    assert json_seq.Decoder().feed(body(server, "/fastapi/ours/whole/json-seq")) == [ORDER, LINE]
    records = [*csv.DictReader(body(server, "/fastapi/ours/whole/csv").decode().split("\r\n")[:-1])]
    assert records == [ORDER, ORDER]
    assert "示例".encode() in body(server, "/fastapi/ours/whole/ndjson")


@pytest.mark.parametrize("name", ["sse", "ndjson", "json-seq", "array", "csv"])
def test_an_item_that_cannot_be_encoded_is_reported_or_cut_and_the_source_released(server: Server, name: str) -> None:
    before = len(server_released(server))
    stream = body(server, f"/fastapi/ours/reported/{name}")
    if name == "csv":
        last = stream.decode().split("\r\n")[-2].split(",")
        assert (last[:3], len(last[3])) == (["#error", "internal", "the stream failed"], 16)
    else:
        text = stream.decode().rpartition('{"error":')[2].partition("}")[0] + "}"
        assert with_id(json.loads(text)) == ERROR
    if name == "array":
        assert json.loads(stream)[:2] == [ORDER, LINE]
        assert "error" in json.loads(body(server, f"/plain/cut/{name}"))[-1]  # it reports by itself
    else:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            body(server, f"/plain/cut/{name}")

    async def all_released() -> None:
        async with asyncio.timeout(PATIENCE):
            while server_released(server)[before:] != [name, name]:
                await asyncio.sleep(0.02)

    asyncio.run(all_released())


def server_released(server: Server) -> list[str]:
    with server.httpx() as client:
        released: list[str] = client.get("/plain/released").json()["released"]
    return released
