from pathlib import Path

import pytest
from assistant.download import downloads
from fastapi.testclient import TestClient

CONTENT = bytes(range(256)) * 500


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    monkeypatch.setenv("FILES", str(tmp_path))


def test_a_file_is_sent_and_the_download_is_noted(client: TestClient) -> None:
    downloads.clear()
    response = client.get("/files/a.bin", headers={"cookie": "user=ada"})
    assert (response.content, response.headers["content-length"]) == (CONTENT, str(len(CONTENT)))
    assert response.headers["cache-control"] == "private"
    assert "a.bin" in response.headers["content-disposition"]
    assert downloads == [("ada", "a.bin")]


def test_a_range(client: TestClient) -> None:
    response = client.get("/files/a.bin", headers={"range": "bytes=256-259"})
    assert (response.status_code, response.content) == (206, b"\x00\x01\x02\x03")
    assert response.headers["content-range"] == f"bytes 256-259/{len(CONTENT)}"


@pytest.mark.parametrize("path", ["/files/none", "/files/none/chunks"])
def test_no_file(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_chunks(client: TestClient) -> None:
    assert client.get("/files/a.bin/chunks").content == CONTENT
