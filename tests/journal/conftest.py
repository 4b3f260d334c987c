"""A real server for the journals in Redis, started once for all tests of them."""

import asyncio
from collections.abc import Iterator

import pytest
from valkeys import Valkey, flushed, valkey


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("valkey")) as started:
        yield started


@pytest.fixture
def server(shared: Valkey) -> Valkey:
    """A server that is never killed, and empty."""
    asyncio.run(flushed(shared))
    return shared
