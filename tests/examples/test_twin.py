"""The FastAPI twin: each row answers with the right status, media type and body."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from examples.catalogue import ROWS, Row
from examples.sources import text, tokens
from examples.twin import app, document_004, lifespan
from examples.twin.events import frame

T = TypeVar("T")
MEDIA_TYPES = {
    "text": "text/plain; charset=utf-8",
    "sse": "text/event-stream; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "file": "application/octet-stream",
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0")
    monkeypatch.setenv("RAWASGI_CACHE", str(tmp_path))
    monkeypatch.setenv("RAWASGI_SAMPLE_BYTES", "200000")
    monkeypatch.setenv("CHAT_BACKEND", "embedded")
    for name in ("RAWASGI_LOG_FILE", "RAWASGI_ROWS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def run(coroutine: Coroutine[object, object, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 10))


async def request(path: str, method: str = "GET", **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://twin") as client:
        return await client.request(method, path, **options)


def get(path: str, **headers: str) -> httpx.Response:
    return run(request(path, headers={name.replace("_", "-"): value for name, value in headers.items()}))


def events(body: str) -> list[dict[str, str]]:
    """What a client sees: one dict an event."""
    whole = body.removesuffix("\n\n").split("\n\n")
    return [dict(line.split(": ", 1) for line in event.split("\n")) for event in whole]


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind != "websocket"], ids=lambda row: row.path)
def test_a_row_answers_as_the_catalogue_says(row: Row) -> None:
    path = row.example.replace("slow=3&limit=1", "slow=3&limit=0.01")
    response = run(request(path, row.method, content=row.body))
    assert response.status_code == 200
    assert response.headers["content-type"] == MEDIA_TYPES[row.kind]
    assert response.content
    if row.kind == "sse":
        assert response.text.endswith("\n\n")
        assert all(set(event) <= {"event", "id", "data"} for event in events(response.text))


def test_the_paths_are_listed() -> None:
    assert get("/").json() == [row.path for row in ROWS]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/infer/home", '"OK"'),
        ("/infer/predict", "".join(f"{word}\n" for word in text.WORDS)),
        ("/stream", "".join(f"data: {number}\n\n" for number in range(5))),
        ("/normal", '{"data":[0,1,2,3,4]}'),
        ("/conditional-stream", '{"data":[0,1,2,3,4]}'),
        ("/simple", "".join(f"数据 {number}\n" for number in range(10))),
        ("/parameterized/1", "第 1/1 条数据\n"),
        ("/parameterized/0", ""),
        ("/sync", "".join(f"同步数据 {number}\n" for number in range(5))),
        ("/text?text=你好", "你好"),
        ("/pipeline", "12\n14\n16\n18\n"),
        ("/stream-text-error", "Item 0\nItem 1\nItem 2\nERROR: 模拟错误\n"),
    ],
)
def test_a_body_is_the_documents_own(path: str, body: str) -> None:
    assert get(path).text == body


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("/stream-error", frame({"error": "模拟错误", "code": "GENERATION_ERROR"}, "error")),
        ("/stream-robust", frame({"error": "数据验证失败", "code": "VALIDATION_ERROR", "recoverable": True}, "error")),
        ("/stream-robust?fail=none", frame({"status": "completed"}, "done")),
        ("/stream-timeout?slow=3&limit=0.01", frame("Timeout", "error")),
        ("/progress", frame("Completed", "done")),
        ("/events", frame("流结束", "done")),
        ("/rag?question=x", frame({"type": "done", "message": "回答完成"}, "done")),
    ],
)
def test_a_stream_ends_with_the_event_that_says_how(path: str, event: str) -> None:
    assert get(path).text.endswith("\n\n" + event)


def test_a_failure_of_ours_is_an_id_for_the_client_and_a_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    body = get("/stream-robust?fail=system").text
    last = json.loads(events(body)[-1]["data"])
    assert last["code"] == "SYSTEM_ERROR"
    assert "secret" not in body
    assert "Traceback" not in body
    assert last["id"] in caplog.text
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/conditional-stream?stream=perhaps", "stream"),
        ("/parameterized/x", "count"),
        ("/parameterized/3?delay=nan", "delay"),
        ("/json/-1", "count"),
        ("/tasks/0", "steps"),
        ("/chat", "prompt"),
        ("/logs?lines=0", "lines"),
    ],
)
def test_a_bad_parameter_is_422_and_named(path: str, parameter: str) -> None:
    response = get(path)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][-1] == parameter


def test_background_work_runs_after_the_last_byte(capsys: pytest.CaptureFixture[str]) -> None:
    get("/stream-background")
    assert capsys.readouterr().out == "清理资源\n"


def test_events_go_on_after_the_last_one_the_client_saw() -> None:
    assert [event.get("id") for event in events(get("/events", last_event_id="8").text)] == ["9", "10", None]


def test_compression_is_negotiated_and_one_stream() -> None:
    plain = get("/stream-compressed", accept_encoding="gzip;q=0")
    zipped = get("/stream-compressed", accept_encoding="*")
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.text == plain.text
    assert plain.headers["vary"] == zipped.headers["vary"] == "Accept-Encoding"


def test_connection_is_said_only_where_it_is_legal() -> None:
    assert get("/stream-headers").headers["connection"] == "keep-alive"
    headers = run(drive("/stream-headers", http_version="2"))[0]["headers"]
    assert b"connection" not in dict(headers)


def test_a_log_that_is_missing_is_an_error_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAWASGI_LOG_FILE", "/nonexistent.log")
    assert events(get("/logs").text) == [{"event": "error", "data": "Log file not found"}]


def test_a_file_has_ranges_and_validators() -> None:
    whole = get("/download/sample")
    part = get("/download/sample", range="bytes=16-31")
    assert (part.status_code, part.text) == (206, "000000000000016\n")
    assert get("/download/sample", if_none_match=whole.headers["etag"]).status_code == 304
    assert get("/download/sample", range="bytes=16-31", if_range='"other"').status_code == 200
    head = run(request("/download/sample", "HEAD"))
    assert (head.headers["content-length"], head.content) == ("200000", b"")


def test_a_task_is_followed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> tuple[httpx.Response, ...]:
        first = await request("/tasks/5")
        name = first.headers["x-task-id"]
        resumed = await request("/tasks/5", headers={"Last-Event-ID": f"{name}-3"})
        again = await request(f"/tasks/5?task={name}")
        monkeypatch.setattr(document_004.tasks, "_max_running", 0)
        return first, resumed, again, await request("/tasks/5"), await request("/tasks/5?task=none")

    first, resumed, again, full, unknown = run(main())
    assert first.text == again.text
    assert [event["id"][-2:] for event in events(resumed.text)[1:-1]] == ["-4", "-5"]
    assert (full.status_code, full.headers["retry-after"]) == (503, "1")
    assert unknown.status_code == 404


def test_completions_speak_openai() -> None:
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": "你好"}]}
    path = "/v1/chat/completions"
    whole = run(request(path, "POST", json=body)).json()
    *chunks, done = events(run(request(path, "POST", json={**body, "stream": True})).text)
    assert done["data"] == "[DONE]"
    said = "".join(json.loads(chunk["data"])["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert said == whole["choices"][0]["message"]["content"]
    for wrong in (b"{", b"[" * 100_000, b"{}"):
        refused = run(request(path, "POST", content=wrong))
        assert refused.status_code == 400
        assert refused.json()["error"]["type"] == "invalid_request_error"


def test_a_model_that_fails_is_an_error_frame_and_no_done(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> AsyncGenerator[str, None]:
        yield "a"
        raise ValueError("secret")

    monkeypatch.setattr(tokens.Model, "reply", fail)
    body = {"model": "gpt-4", "stream": True, "messages": [{"role": "user", "content": "你好"}]}
    failed = run(request("/v1/chat/completions", "POST", json=body)).text
    assert json.loads(events(failed)[-1]["data"])["error"]["type"] == "server_error"
    assert "DONE" not in failed
    assert "secret" not in failed


def test_a_shutdown_stops_the_tasks() -> None:
    async def main() -> bool:
        others = asyncio.all_tasks()
        async with lifespan(app):
            document_004.tasks.start(1000)
        return asyncio.all_tasks() == others

    assert run(main())


async def drive(path: str, *messages: dict[str, Any], type: str = "http", http_version: str = "1.1") -> list[Any]:
    """What the app sends to a client that leaves after *messages*, or once something but the start came."""
    sent: list[Any] = []
    given = list(messages)
    gone = asyncio.Event()

    async def receive() -> Any:
        if given:
            return given.pop(0)
        if type == "http":
            await gone.wait()
        return {"type": f"{type}.disconnect", "code": 1001, "reason": ""}

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) > 1:
            gone.set()

    scope: dict[str, Any] = {
        "type": type, "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": http_version, "method": "GET",
        "scheme": type, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [],
    }  # fmt: skip
    await app(scope, receive, send)
    return sent


def test_a_client_that_leaves_stops_the_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "1000")
    assert len(run(drive("/safe-stream"))) == 2
    assert capsys.readouterr().out == "生成器被取消\n生成器结束\n"


@pytest.mark.parametrize(
    ("frames", "kinds"),
    [
        ([{"text": '{"type": "close"}'}], ["websocket.accept", "websocket.close 1000"]),
        ([{"bytes": b"x", "text": None}], ["websocket.accept", "websocket.close 1003"]),
        ([], ["websocket.accept"]),
    ],
)
def test_a_websocket_is_left_with_a_code(frames: list[dict[str, Any]], kinds: list[str]) -> None:
    messages = [{"type": "websocket.receive", **message} for message in frames]
    sent = run(drive("/ws", {"type": "websocket.connect"}, *messages, type="websocket"))
    assert [f"{message['type']} {message.get('code', '')}".strip() for message in sent] == kinds
