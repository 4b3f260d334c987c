"""Requests that an app of a file refuses: for their method, or for want of a file descriptor."""

import errno
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from clock import run

from rawasgi import Router, files, opening
from rawasgi.asgi import App
from rawasgi.dev.client import Result, fetch
from rawasgi.familiar import FileResponse
from rawasgi.handling import handler
from rawasgi.request import Request

DATA = b"0123456789"


class Digits:
    """A source for ``files.content``."""

    size = len(DATA)

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        yield DATA[start:stop]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.txt"
    made.write_bytes(DATA)
    return made


def ask(app: App, method: str, url: str = "/a.txt", **headers: str) -> Result:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return run(fetch(app, url, method=method, headers=pairs))


def mounted(app: App) -> App:
    router = Router()
    router.mount("/files", app)
    return router


APPS: dict[str, Callable[[Path], App]] = {
    "file": files.file,
    "content": lambda _: files.content(Digits()),
    "directory": lambda path: files.directory(path.parent),
}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("name", APPS)
def test_an_app_answers_get_and_head_only(name: str, method: str, path: Path) -> None:
    app = APPS[name](path)
    assert [ask(app, method).status for method in ("GET", "HEAD")] == [200, 200]
    for refused in (ask(app, method), ask(mounted(app), method, "/files/a.txt")):
        assert (refused.status, refused.header("allow"), refused.body) == (405, "GET, HEAD", b"Method Not Allowed")


@pytest.mark.parametrize("name", ["file", "content"])
def test_a_handler_that_returns_one_has_chosen_its_methods(name: str, path: Path) -> None:
    router = Router()

    @router.post("/a.txt")
    async def export(_: Request) -> App:
        return APPS[name](path)

    assert (ask(router, "POST").status, ask(router, "POST").body) == (200, DATA)
    assert ask(router, "PUT").status == 405


def test_a_page_of_an_error_answers_any_method(path: Path) -> None:
    answer = ask(files.file(path, status=404), "POST")
    assert (answer.status, answer.body) == (404, DATA)


def test_a_response_as_starlettes_answers_any_method(path: Path) -> None:
    async def export(_: Request) -> App:
        return FileResponse(path)

    for app in (FileResponse(path), handler(export)):
        assert (ask(app, "POST").status, ask(app, "POST").body) == (200, DATA)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
@pytest.mark.parametrize("name", ["file", "directory"])
def test_without_a_file_descriptor_the_answer_is_503(
    name: str, number: int, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(path: str) -> None:
        raise OSError(number, "too many", path)

    app = APPS[name](path)
    monkeypatch.setattr(opening, "File", fail)
    answer = ask(app, "GET")
    assert (answer.status, answer.header("retry-after"), answer.body) == (503, "1", b"Service Unavailable")
    assert caplog.record_tuples == [("rawasgi", logging.WARNING, f"[Errno {number}] too many: '{path}'")]


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENAMETOOLONG])
def test_any_other_file_that_cannot_be_opened_is_404(number: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> None:
        raise OSError(number, "no", path)

    monkeypatch.setattr(opening, "File", fail)
    assert ask(files.file(path), "GET").status == 404
