"""A client that nobody here wrote comes back by itself: the one of the Model Context Protocol's Python SDK."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from mcp_endpoint import STEPS
from serving import HERE, PATIENCE, Server, need

SERVERS = ["uvicorn", "hypercorn"]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need("mcp")
    server = Server(request.param, "mcp_endpoint:app", tmp_path_factory.mktemp("mcp") / "log")
    try:
        yield server
    finally:
        server.stop()


# When a second connection breaks off, this client comes back with the id that the first one left it, and has what the
# second one brought twice (2.3.0); so only one breaks.
@pytest.mark.parametrize(("cuts", "how"), [([3], "end"), ([3, 7], "end"), ([3], "break")])
@pytest.mark.parametrize("server", SERVERS, indirect=True)
def test_a_tool_call_that_is_cut_gives_all_its_progress_and_its_result_once(
    server: Server, cuts: list[int], how: str
) -> None:
    url, arguments = f"http://127.0.0.1:{server.port}/mcp", json.dumps({"cuts": cuts, "how": how})
    command = [sys.executable, str(HERE / "mcp_caller.py"), url, arguments]
    caller = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert caller.returncode == 0, caller.stderr
    assert json.loads(caller.stdout) == {
        "tools": ["count"],
        "progress": [[step, STEPS] for step in range(1, STEPS + 1)],
        "result": [f"counted to {STEPS}"],
        "failed": False,
    }
    seen = asyncio.run(server.seen("/seen"))
    assert seen["calls"] == 1
    assert [int(each.rpartition("-")[2]) - 1 for each in seen["resumed"]] == cuts
