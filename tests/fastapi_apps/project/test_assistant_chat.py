import json

from fastapi.testclient import TestClient


def test_an_answer_is_streamed_and_kept_with_its_question(client: TestClient) -> None:
    response = client.post("/rooms/blue/posts", json={"text": "where is it"}, headers={"cookie": "user=ada"})
    lines = [line for line in response.text.splitlines() if line]
    assert lines[:3] == ["event: word", 'data: {"word": "WHERE"}', "id: 1"]
    assert lines[-2:] == ["event: done", 'data: {"user": "ada"}']
    events = client.get("/rooms/blue/events", params={"limit": 2})
    assert events.cookies["room"] == "blue"
    assert events.text.startswith(": welcome, anonymous\nretry: 2000\n\n")
    data = [json.loads(line.removeprefix("data: ")) for line in events.text.splitlines() if line.startswith("data: ")]
    assert data == [{"text": "where is it", "user": "ada"}, {"text": "WHERE IS IT", "user": "bot"}]


def test_events_go_on_after_the_last_one(client: TestClient) -> None:
    client.post("/rooms/red/posts", json={"text": "hello"})
    events = client.get("/rooms/red/events", params={"limit": 2}, headers={"last-event-id": "1"})
    assert [line for line in events.text.splitlines() if line.startswith("id: ")] == ["id: 2"]
