import json

from fastapi.testclient import TestClient

KINDS = ["plan", "call", "call", "result", "result", "word", "word", "done"]


def test_events_have_ids_and_kinds(client: TestClient) -> None:
    lines = client.post("/agent", json={"question": "why not"}).text.splitlines()
    assert [line.removeprefix("event: ") for line in lines if line.startswith("event: ")] == KINDS
    assert [line for line in lines if line.startswith("id: ")] == [f"id: {number}" for number in range(1, 9)]


def test_tools_are_asked(client: TestClient) -> None:
    text = client.post("/agent", json={"question": "why", "tools": ["search"]}).text
    assert "search 1 knows why, search 2 knows why" in text


def test_a_trace_has_the_same_events(client: TestClient) -> None:
    events = [json.loads(line) for line in client.get("/agent/why%20not/trace").text.splitlines()]
    assert [event["kind"] for event in events] == KINDS


def test_streams_are_described_in_openapi(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert "itemSchema" in paths["/agent"]["post"]["responses"]["200"]["content"]["text/event-stream"]
    assert "itemSchema" in paths["/agent/{question}/trace"]["get"]["responses"]["200"]["content"]["application/jsonl"]
