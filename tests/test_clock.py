"""Time that jumps, and the fixture that sees what a test leaves."""

import asyncio
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from clock import Deadlock, Livelock, loop, now, outside, run


def test_time_jumps_when_every_task_waits() -> None:
    async def main() -> float:
        await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(7200))
        return now()

    began = time.monotonic()
    assert run(main()) == 7200
    assert time.monotonic() - began < 3600


def test_timers_go_off_in_their_order_and_at_their_time() -> None:
    async def note(seconds: float) -> None:
        await asyncio.sleep(seconds)
        noted.append((seconds, now()))

    async def main() -> None:
        await asyncio.gather(*map(note, (3, 1, 2)))

    noted: list[tuple[float, float]] = []
    run(main())
    assert noted == [(1, 1), (2, 2), (3, 3)]


def test_time_stands_still_while_a_task_can_run() -> None:
    async def main() -> None:
        for _ in range(1000):
            await asyncio.sleep(0)
        assert now() == 0

    run(main())


def test_time_stands_still_while_the_executor_works() -> None:
    async def main() -> None:
        async with asyncio.timeout(1):
            assert await asyncio.to_thread(work) == 4
        assert now() == 0

    def work() -> int:
        return sum(range(100_000)) // 10**9

    run(main())


def test_time_stands_still_while_a_thread_that_was_told_of_works() -> None:
    async def main() -> None:
        running, done = loop(), asyncio.Event()

        def work() -> None:
            sum(range(100_000))
            running.call_soon_threadsafe(done.set)

        thread = threading.Thread(target=work)
        thread.start()
        with outside():
            async with asyncio.timeout(1):
                await done.wait()
        thread.join()
        assert now() == 0

    run(main())


def test_without_timers_threads_need_not_be_told_of() -> None:
    async def main() -> None:
        done = asyncio.Event()
        thread = threading.Thread(target=loop().call_soon_threadsafe, args=(done.set,))
        thread.start()
        await done.wait()
        thread.join()

    run(main())


def test_waiting_for_nothing_is_a_deadlock_and_not_a_hang() -> None:
    async def main() -> None:
        await asyncio.sleep(5)
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match=r"at 5\.0 s"):
        run(main())


def test_going_on_for_ever_is_a_livelock_and_not_a_hang() -> None:
    async def main() -> None:
        def again() -> None:
            loop().call_soon(again)

        await asyncio.sleep(5)
        again()
        await asyncio.Event().wait()

    with pytest.raises(Livelock, match=r"at 5\.0 s"):
        run(main(), debug=False)


CARELESS = """
import asyncio
import pytest
from clock import run

kept = []

async def endless():
    while True:
        yield 1

def test_task():
    async def main():
        kept.append(asyncio.ensure_future(asyncio.sleep(100)))
    run(main())

def test_open_generator():
    async def main():
        kept.append(endless())
        await anext(kept[-1])
    asyncio.run(main())

def test_abandoned_generator():
    async def main():
        await anext(endless())
    run(main())

def test_exception_that_nobody_fetched():
    async def main():
        async def fails():
            raise ValueError
        asyncio.ensure_future(fails())
        await asyncio.sleep(1)
    run(main())

def test_coroutine_that_nobody_awaited():
    asyncio.sleep(1)

def test_unraisable_exception():
    class Fails:
        def __del__(self):
            raise ValueError
    fails = Fails()
    fails.itself = fails
"""
CAREFUL = """
def test_generator_that_was_closed():
    async def main():
        numbers = endless()
        kept.append(numbers)
        await anext(numbers)
        await numbers.aclose()
        kept.append(endless())  # never begun
        task = asyncio.ensure_future(asyncio.sleep(100))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    run(main())
"""


def test_what_a_test_leaves_is_its_failure(tmp_path: Path) -> None:
    for helper in ("conftest.py", "clock.py"):
        shutil.copy(Path(__file__).parent / helper, tmp_path)
    (tmp_path / "test_leaving.py").write_text(CARELESS + CAREFUL)
    command = [sys.executable, "-m", "pytest", "-q", "-rfEp", "-p", "no:cacheprovider", "test_leaving.py"]
    report = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60).stdout
    blamed = set(re.findall(r"^(?:FAILED|ERROR) test_leaving\.py::(\w+)", report, re.MULTILINE))
    assert blamed == set(re.findall(r"def (test_\w+)", CARELESS)), report
    assert "PASSED test_leaving.py::test_generator_that_was_closed" in report
