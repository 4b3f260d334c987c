"""The checker has teeth: it finds what is wrong with the peers' streams, and nothing in any row of ours."""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import need

from examples.catalogue import MORE, ROWS, Row

HERE = Path(__file__).parent
FAST = ["--seconds", "0.5", "--grace", "0.3", "--blocked", "0.2"]
PATIENT = ["--seconds", "3", "--grace", "3", "--blocked", "3"]
PEERS = {"fastapi": ["/stream", "/blocking", "/sse", "/hot"], "litestar": ["/stream", "/blocking", "/sse"]}
TWIN = ["/safe-stream", "/disconnect", "/sync"]  # rows 21, 27 and 28
WORKERS = 4  # most of it is waiting


def started(app: str, *arguments: str, limits: list[str] = FAST) -> "subprocess.Popen[str]":
    path = os.pathsep.join([str(HERE.parent.parent), str(HERE)])
    return subprocess.Popen(
        [sys.executable, "-m", "rawasgi.dev.cli", "check", app, *arguments, "--json", *limits],
        env={**os.environ, "PYTHONPATH": path, "STREAM_TIME_SCALE": "0.01", "CHAT_BACKEND": "embedded"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def findings(process: "subprocess.Popen[str]") -> list[dict[str, str]]:
    """What a check has found; its last line says that it came to its end."""
    said = process.communicate(timeout=120)[0]
    *found, last = map(json.loads, said.splitlines())
    assert process.returncode == bool(found)
    assert last["summary"]["paths"] >= 1
    return found


Processes = list["subprocess.Popen[str]"]


def options(row: Row) -> list[str]:
    body = [] if row.body is None else ["--data", row.body.decode(), "--header", "content-type: application/json"]
    return ["--method", row.method, *body]


@pytest.fixture(scope="module")
def under_way() -> Iterator[dict[str, Processes]]:
    """All checks of this file, side by side: ours under "raw", and each peer's that is there."""
    rows = [row for row in ROWS + MORE if row.method == "GET"]
    shares = [[row.example for row in rows[n::WORKERS]] for n in range(WORKERS)]
    others = [row for row in ROWS + MORE if row.method != "GET"]
    peers = {peer: paths for peer, paths in PEERS.items() if importlib.util.find_spec(peer)}
    processes = {peer: [started(f"faulty_peers:{peer}", *paths)] for peer, paths in peers.items()}
    processes["twin"] = [started("examples.twin:app", *TWIN)]
    processes["raw"] = [started("examples.raw:app", *share) for share in shares]
    processes["raw"] += [started("examples.raw:app", row.example, *options(row)) for row in others]
    yield processes
    for process in itertools.chain(*processes.values()):
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def peers(under_way: dict[str, Processes]) -> dict[tuple[str, str], set[str]]:
    """The ids of what is found, by peer and path."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for peer in (*PEERS, "twin"):
        need("fastapi" if peer == "twin" else peer)
        for found in findings(under_way[peer][0]):
            ids[peer, found["path"].removeprefix("GET ")].add(found["id"])
    return ids


@pytest.mark.parametrize(
    ("peer", "path", "fault"),
    [
        ("fastapi", "/stream", "clean-up-cut"),
        ("fastapi", "/stream", "source-left-open"),
        ("fastapi", "/stream", "head-runs-stream"),
        ("fastapi", "/stream", "error-raised"),
        ("fastapi", "/blocking", "source-left-open"),
        ("fastapi", "/sse", "error-swallowed"),
        ("fastapi", "/sse", "source-left-open"),
        ("fastapi", "/hot", "never-gives-way"),
        ("litestar", "/stream", "clean-up-cut"),
        ("litestar", "/stream", "source-left-open"),
        ("litestar", "/blocking", "source-left-open"),
        ("litestar", "/sse", "source-left-open"),
        ("twin", "/safe-stream", "source-left-open"),
        ("twin", "/disconnect", "source-left-open"),
        ("twin", "/sync", "source-left-open"),
    ],
)
def test_a_fault_of_a_peer_is_found(peers: dict[tuple[str, str], set[str]], peer: str, path: str, fault: str) -> None:
    assert fault in peers[peer, path]


def test_nothing_is_found_in_any_row_of_ours(under_way: dict[str, Processes]) -> None:
    """A busy machine is slow, too: what was too slow for the short limits must be so for long ones, alone."""
    rows = {f"{row.method} {row.example}": row for row in ROWS + MORE}
    found = {finding["path"] for process in under_way["raw"] for finding in findings(process)}
    for row in map(rows.__getitem__, sorted(found)):
        with started("examples.raw:app", row.example, *options(row), limits=PATIENT) as process:
            assert findings(process) == []
