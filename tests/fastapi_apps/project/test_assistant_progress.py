from fastapi.testclient import TestClient


def test_a_job_is_followed_to_its_end(client: TestClient) -> None:
    started = client.post("/jobs", params={"steps": 4})
    assert started.status_code == 202
    job = started.json()["id"]
    response = client.get(f"/jobs/{job}/events", headers={"cookie": "user=ada"})
    lines = response.text.splitlines()
    assert [line for line in lines if line.startswith("data")] == [
        *["data: 25", "data: 50", "data: 75", "data: 100"],
        "data: ada",
    ]
    assert [line for line in lines if line.startswith("id")] == ["id: 1", "id: 2", "id: 3", "id: 4"]
    assert response.headers["x-steps"] == "4"


def test_its_log_is_followed(client: TestClient) -> None:
    job = client.post("/jobs", params={"steps": 2}).json()["id"]
    response = client.get(f"/jobs/{job}/log")
    assert response.text == '{"number":1,"text":"step 1 of 2"}\n{"number":2,"text":"step 2 of 2"}\n'
    assert response.headers["content-type"] == "application/jsonl"


def test_no_job(client: TestClient) -> None:
    assert client.get("/jobs/0/events").status_code == 404
    assert client.get("/jobs/0/log").status_code == 404
