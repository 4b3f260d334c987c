from collections.abc import AsyncIterator

import httpx
import pytest
from assistant.main import app
from assistant.proxy import get_client
from fastapi.testclient import TestClient

PROMPT = {"model": "large", "messages": [{"content": "What is a river?"}]}
WORDS = ["A river ", "is water ", "on its way."]
EVENTS = [f'data: {{"choices": [{{"delta": {{"content": "{word}"}}}}]}}\n\n' for word in WORDS]


async def provide(request: httpx.Request) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        for event in [*EVENTS, "data: [DONE]\n\n"]:
            yield event.encode()

    return httpx.Response(503 if b"broken" in request.content else 200, content=body())


async def provider() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url="http://provider", transport=httpx.MockTransport(provide)) as client:
        yield client


@pytest.fixture(autouse=True)
def with_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.dependency_overrides, get_client, provider)


def test_events_are_passed_on(client: TestClient) -> None:
    response = client.post("/v1/chat/completions", json=PROMPT, headers={"cookie": "user=ada"})
    assert response.text == "".join(EVENTS) + "data: [DONE]\n\n"
    assert response.headers["content-type"].startswith("text/event-stream")
    assert (response.headers["x-model"], response.headers["x-user"]) == ("large", "ada")


def test_text_is_passed_on(client: TestClient) -> None:
    assert client.post("/v1/text", json=PROMPT).text == "".join(WORDS)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/text"])
def test_a_provider_that_fails_is_502(client: TestClient, path: str) -> None:
    assert client.post(path, json={**PROMPT, "model": "broken"}).status_code == 502


def test_a_prompt_without_messages_is_refused(client: TestClient) -> None:
    assert client.post("/v1/text", json={"messages": []}).status_code == 422
