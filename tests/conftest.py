"""Warnings are errors, and a test leaves nothing behind: no task, no open async generator, nothing unraisable."""

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextvars import Context
from pathlib import Path
from types import AsyncGeneratorType
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from rawasgi import sending
from rawasgi.clocks import Ring

T = TypeVar("T")
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
collect_ignore = ["fastapi_apps/project"]  # its tests are run as its own: test_fastapi_apps.py
PEERS: pytest.StashKey["subprocess.Popen[str]"] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The peers' tests go last: they run beside all others, as they mostly wait."""
    items.sort(key=lambda item: "conformance" in item.path.parts)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Each test collects garbage: what was imported before need not be looked at 3,000 times, at 80 ms each."""
    if os.environ.get("REQUIRE_PARTS") and any("conformance" in item.path.parts for item in session.items):
        command = [sys.executable, str(Path(__file__).parent / "conformance" / "run.py")]
        session.config.stash[PEERS] = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    peers = session.config.stash.get(PEERS, None)
    if peers is not None and peers.poll() is None:
        os.killpg(peers.pid, signal.SIGKILL)


@pytest.fixture
def peers(request: pytest.FixtureRequest) -> "subprocess.Popen[str]":
    """The peers' own tests, under way since the session began."""
    return request.config.stash[PEERS]


class Complaints(logging.Handler):
    """What asyncio only logs: an exception that nobody fetched, a task that was destroyed."""

    def __init__(self, left: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.left = left

    def emit(self, record: logging.LogRecord) -> None:
        self.left.append(self.format(record))


def is_open(generator: AsyncGenerator[object, None]) -> bool:
    return isinstance(generator, AsyncGeneratorType) and generator.ag_frame is not None


async def watch(main: Coroutine[object, object, T], left: list[str]) -> T:
    """Run *main*; add to *left* every task and every async generator that it did not end itself."""
    opened: weakref.WeakSet[AsyncGenerator[object, None]] = weakref.WeakSet()
    first, final = sys.get_asyncgen_hooks()

    def on_first(generator: AsyncGenerator[object, None]) -> None:
        opened.add(generator)
        if first is not None:
            first(generator)

    def on_final(generator: AsyncGenerator[object, None]) -> None:
        left.append(f"left to the garbage collector: {generator!r}")
        if final is not None:
            final(generator)

    sys.set_asyncgen_hooks(on_first, on_final)  # the loop sets its own back when it stops
    try:
        return await main
    finally:
        left.extend(f"still open: {generator!r}" for generator in opened if is_open(generator))
        left.extend(f"still running: {task!r}" for task in asyncio.all_tasks() if task is not asyncio.current_task())


@pytest.fixture(autouse=True, scope="module")
def what_was_there_before_is_not_looked_at() -> None:
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every ``clock.run()`` and ``asyncio.run()`` of a test is watched."""
    left: list[str] = []
    run = asyncio.Runner.run
    has_run = False

    def watched(runner: asyncio.Runner, main: Coroutine[object, object, T], *, context: Context | None = None) -> T:
        nonlocal has_run
        has_run = True
        return run(runner, watch(main, left), context=context)

    monkeypatch.setattr(asyncio.Runner, "run", watched)
    complaints = Complaints(left)
    logging.getLogger("asyncio").addHandler(complaints)
    yield
    gc.collect(2 if has_run else 1)  # who runs no loop leaves nothing old; 10 ms each, for half of all tests
    logging.getLogger("asyncio").removeHandler(complaints)
    assert not left


@pytest.fixture
def no_time_passes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine an item may seem to have taken its time, and is sent by itself."""
    monkeypatch.setattr(sending, "monotonic", lambda: 0.0)


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[Ring]:
    """The timers that responses share, as they are made."""
    made: list[Ring] = []
    make = Ring.__init__

    def noted(ring: Ring, *arguments: Any) -> None:
        make(ring, *arguments)
        made.append(ring)

    monkeypatch.setattr(Ring, "__init__", noted)
    return made
