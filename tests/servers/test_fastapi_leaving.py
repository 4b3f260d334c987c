"""The app of tests/fastapi_apps with our classes: 20 clients leave each of its streaming routes, on real servers.

All sources are closed before the first dependency of their request is, and their clean-up, which awaits, is finished.
What FastAPI's own classes do is in the report: tests/fastapi_apps/report.py.
"""

import asyncio
from collections.abc import Iterator

import pytest
from leaving import ASSISTANT, TWENTY, Request, Result, prepare, twenty_leave
from serving import PATIENCE, Server

NESTED = "at its yield an outer generator closes, and not the inner one that it reads"


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn", "granian"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fastapi")
    prepare(folder, ours=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WATCHED_APPS", str(folder))
        started = Server(request.param, "fastapi_served:app", folder / "log")
    try:
        yield started
    finally:
        started.stop()


def are_nested(request: Request) -> bool:
    return request.path.startswith(("/jobs", "/agent", "/rooms/red"))


@pytest.mark.parametrize("spec", ["", "/2.4"])
@pytest.mark.parametrize("request_", ASSISTANT, ids=lambda request: request.name)
def test_20_clients_leave_and_20_of_20_sources_are_closed_before_the_dependencies(
    server: Server, request_: Request, spec: str
) -> None:
    result = asyncio.run(twenty_leave(server, f"{spec}/assistant", request_, PATIENCE))
    if spec == "/2.4" and are_nested(request_):
        assert result.closed == result.finished == TWENTY, NESTED
    else:
        assert result == Result(TWENTY, TWENTY, TWENTY, TWENTY, TWENTY)
    assert asyncio.run(server.seen("/open-files")) == {"large.bin": 0}
