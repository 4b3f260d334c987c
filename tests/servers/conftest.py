"""Each server is started once for all tests."""

from collections.abc import Iterator

import pytest
from serving import Server, started
from v1_clients import Endpoint, endpoints


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of that name: parametrize it, ``indirect=True``."""
    yield from started(request.param, tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="session")
def v1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Endpoint]]:
    """The vendors' endpoints, by the name of their server."""
    with endpoints(tmp_path_factory.mktemp("v1")) as found:
        yield found


@pytest.fixture(params=["uvicorn", "hypercorn", "hypercorn gateway"])
def endpoint(request: pytest.FixtureRequest, v1: dict[str, Endpoint]) -> Endpoint:
    return v1[request.param]


@pytest.fixture(params=["uvicorn", "hypercorn", "hypercorn gateway", "uvicorn twin", "hypercorn twin"])
def any_app(request: pytest.FixtureRequest, v1: dict[str, Endpoint]) -> Endpoint:
    """For what the twin has, too."""
    return v1[request.param]


@pytest.fixture(params=["uvicorn", "hypercorn", "uvicorn gateway", "hypercorn gateway"])
def each(request: pytest.FixtureRequest, v1: dict[str, Endpoint]) -> Endpoint:
    """For what depends on the servers, and not on what is said."""
    return v1[request.param]


@pytest.fixture(params=["uvicorn gateway", "hypercorn gateway"])
def gateway(request: pytest.FixtureRequest, v1: dict[str, Endpoint]) -> Endpoint:
    return v1[request.param]


@pytest.fixture(params=["uvicorn", "hypercorn"])
def alone(request: pytest.FixtureRequest, v1: dict[str, Endpoint]) -> Endpoint:
    """For what a gateway has nothing to do with."""
    return v1[request.param]
