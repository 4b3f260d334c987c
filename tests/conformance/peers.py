"""The peers whose own tests are run, which of these, and what they need."""

import os
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple


class Peer(NamedTuple):
    sdist: str
    files: tuple[str, ...]


PEERS = {
    "starlette": Peer("starlette-1.10.0", ("test_responses.py", "test_background.py")),
    "sse-starlette": Peer(
        "sse_starlette-3.7.0",
        (
            "test_event.py",
            "test_sse.py",
            "test_streaming_parity.py",
            "test_issue167.py",
            "test_issue217.py",
            "test_issue218.py",
        ),
    ),
    # What streams, and what surrounds it: dependencies that yield, handlers of errors, routers, responses, telemetry
    "fastapi": Peer(
        "fastapi-0.165.0",
        (
            "test_async_dependency_cleanup.py",
            "test_custom_route_class.py",
            "test_default_response_class.py",
            "test_default_response_class_router.py",
            "test_dependency_after_yield_raise.py",
            "test_dependency_after_yield_streaming.py",
            "test_dependency_contextmanager.py",
            "test_dependency_contextvars.py",
            "test_dependency_overrides.py",
            "test_dependency_partial.py",
            "test_dependency_wrapped.py",
            "test_dependency_yield_except_httpexception.py",
            "test_dependency_yield_scope.py",
            "test_exception_handlers.py",
            "test_response_by_alias.py",
            "test_response_class_no_mediatype.py",
            "test_response_dependency.py",
            "test_router_events.py",
            "test_sse.py",
            "test_stream_bare_type.py",
            "test_stream_cancellation.py",
            "test_stream_json_validation_error.py",
            "test_stream_non_finite_floats.py",
            "test_stream_status_code.py",
            "test_sub_callbacks.py",
            "test_telemetry/test_http.py",
            "test_tutorial/test_background_tasks",
            "test_tutorial/test_custom_request_and_route",
            "test_tutorial/test_custom_response",
            "test_tutorial/test_dependencies",
            "test_tutorial/test_response_change_status_code",
            "test_tutorial/test_response_cookies",
            "test_tutorial/test_response_headers",
            "test_tutorial/test_server_sent_events",
            "test_tutorial/test_stream_data",
            "test_tutorial/test_stream_json_lines",
        ),
    ),
}
NEEDED = (
    "anyio",
    "dirty-equals",
    "fastapi==0.165.0",
    "httpx",
    "httpx2",
    "inline-snapshot",
    "opentelemetry-sdk",
    "orjson",
    "pytest",
    "python-multipart",
    "sse-starlette==3.7.0",
    "starlette==1.10.0",
)
# What the sdist of sse-starlette leaves out of its own tests
ADDED = {
    "anyio_compat.py": "from sse_starlette._utils import collapse_excgroups as collapse_excgroups\n",
    "conftest.py": "import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n",
}


def prepare(folder: Path) -> Path:
    """Lay the peers' tests out in *folder*; return the Python that has what they need."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    commands = [
        [*pip, "install", "--no-compile", *NEEDED],
        *(downloading(peer.sdist, folder, pip) for peer in PEERS.values()),
    ]
    with ThreadPoolExecutor() as pool:  # most of their time they wait for the network
        list(pool.map(partial(subprocess.run, check=True), commands))
    for peer in PEERS.values():
        extract(peer.sdist, folder)
    for file, text in ADDED.items():
        (folder / PEERS["sse-starlette"].sdist / "tests" / file).write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n")
    return python


def fetch(sdist: str, folder: Path) -> Path:
    """Return the folder of *sdist*, which is fetched into *folder*."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(downloading(sdist, folder, pip), check=True)
    extract(sdist, folder)
    return folder / sdist


def downloading(sdist: str, folder: Path, pip: list[str]) -> list[str]:
    name, _, version = sdist.partition("-")
    return [*pip, "download", "--dest", str(folder), "--no-deps", "--no-binary", name, f"{name}=={version}"]


def extract(sdist: str, folder: Path) -> None:
    with tarfile.open(folder / f"{sdist}.tar.gz") as archive:
        # PEP 706: its name for Pythons before 3.11.4, which have no such filter
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        archive.extractall(folder)
