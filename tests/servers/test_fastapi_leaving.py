"""20 clients leave each streaming route of a FastAPI app with our classes, and of FastAPI's tutorials, on real servers.

All sources are closed before the first dependency of their request is, and their clean-up, which awaits, is finished.
What FastAPI's own classes do is in the report: tests/fastapi_apps/report.py.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from leaving import ASSISTANT, TUTORIALS, TWENTY, Request, Result, prepare, twenty_leave
from peers import PEERS, fetch
from serving import PATIENCE, Server

FETCHED = os.environ.get("REQUIRE_PARTS") == "1"
PLACES = [("uvicorn", ""), ("uvicorn", "/2.4"), ("hypercorn", ""), ("hypercorn", "/2.4"), ("granian", "")]
in_each_place = pytest.mark.parametrize(
    ("server", "spec"),
    PLACES,
    indirect=["server"],
    ids=[name + spec.replace("/", "-") for name, spec in PLACES],
    scope="module",
)


@pytest.fixture(scope="session")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """FastAPI's documentation, as its sdist has it."""
    return fetch(PEERS["fastapi"].sdist, tmp_path_factory.mktemp("sdist")) / "docs_src" if FETCHED else None


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, docs: Path | None
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fastapi")
    prepare(folder, ours=True, docs=docs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WATCHED_APPS", str(folder))
        started = Server(request.param, "fastapi_served:app", folder / "log")
    try:
        yield started
    finally:
        started.stop()


async def leave(server: Server, app: str, request: Request) -> tuple[Result, int]:
    """Return what became of the sources, and how many files are still open."""
    result = await twenty_leave(server, app, request, PATIENCE)
    return result, sum((await server.seen("/open-files")).values())


@pytest.mark.parametrize("request_", ASSISTANT, ids=lambda request: request.name)
@in_each_place
def test_20_clients_leave_and_20_of_20_sources_are_closed_before_the_dependencies(
    server: Server, spec: str, request_: Request
) -> None:
    result, open_files = asyncio.run(leave(server, f"{spec}/assistant", request_))
    assert (result, open_files) == (Result(*[TWENTY] * 6), 0)


@pytest.mark.skipif(not FETCHED, reason="fetches FastAPI's documentation: set REQUIRE_PARTS=1 to run")
@pytest.mark.parametrize(
    ("name", "request_"),
    [
        pytest.param(name, request, id=f"{name} {request.name}")
        for name, requests in TUTORIALS.items()
        for request in requests
    ],
)
@in_each_place
def test_so_are_those_of_fastapis_tutorials(server: Server, spec: str, name: str, request_: Request) -> None:
    result, open_files = asyncio.run(leave(server, f"{spec}/{name}", request_))
    assert (result, open_files) == (Result(*[TWENTY] * 6), 0)
