"""Each server is started once for all tests."""

from collections.abc import Iterator

import pytest
from serving import Server, started


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of that name: parametrize it, ``indirect=True``."""
    yield from started(request.param, tmp_path_factory.mktemp("server"))
