"""The sources that many follow: a log that grows, tasks that outlive their readers, the machine's metrics."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest

from examples.sources import logs
from examples.sources.logs import LogFile
from examples.sources.monitor import Metrics, Monitor, changes, read_metrics
from examples.sources.shared import WhileWatched
from examples.sources.tasks import Tasks, TaskStopped, TooManyTasks, event_id, resume_point

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0")
    monkeypatch.setenv("RAWASGI_CACHE", str(tmp_path))
    monkeypatch.delenv("RAWASGI_LOG_FILE", raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "app.log"
    file.write_bytes(b"old\n")
    return file


def run(coroutine: Coroutine[object, object, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 10))


async def collect(source: AsyncIterable[T]) -> list[T]:
    return [item async for item in source]


def add(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_a_log_is_followed_from_its_end(path: Path) -> None:
    log = LogFile(path)
    assert log.look() == []
    add(path, b"one\ntwo\r\n")
    assert log.look() == ["one", "two"]
    log.close()


def test_a_half_written_line_is_held_back(path: Path) -> None:
    log = LogFile(path)
    whole = "一行".encode()
    add(path, whole[:4])
    assert log.look() == []
    add(path, whole[4:] + b"\nnext")
    assert log.look() == ["一行"]
    log.close()


def test_a_line_without_an_end_is_not_held_for_ever(path: Path) -> None:
    log = LogFile(path)
    add(path, b"x" * (logs.LINE_LIMIT_BYTES + 5))
    assert [len(line) for line in log.look()] == [logs.LINE_LIMIT_BYTES]
    add(path, b"\n")
    assert log.look() == ["xxxxx"]
    log.close()


def test_truncation_is_followed(path: Path) -> None:
    log = LogFile(path)
    add(path, b"half a li")
    assert log.look() == []
    path.write_bytes(b"new\n")
    assert log.look() == ["new"]
    log.close()


def test_rotation_is_followed_after_the_rest_of_the_old_file(path: Path) -> None:
    log = LogFile(path)
    path.rename(path.with_suffix(".1"))
    add(path.with_suffix(".1"), b"last\n")
    assert log.look() == ["last"]
    assert log.look() == []  # the old name means nothing for a moment
    path.write_bytes(b"first\n")
    assert log.look() == ["first"]
    log.close()


def test_the_unfinished_line_of_a_rotated_file_is_given(path: Path) -> None:
    log = LogFile(path)
    add(path, b"no end")
    assert log.look() == []
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"first\n")
    assert log.look() == ["no end"]
    assert log.look() == ["first"]
    log.close()


def test_a_missing_log_fails_before_the_first_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAWASGI_LOG_FILE", str(tmp_path / "none.log"))
    with pytest.raises(FileNotFoundError):
        run(anext(logs.followed()))


def test_tail_yields_what_is_added_and_closes_the_file(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv("RAWASGI_LOG_FILE", str(path))

    async def main() -> list[str]:
        async with aclosing(logs.followed()) as lines:
            first = asyncio.ensure_future(anext(lines))
            await asyncio.sleep(0)
            add(path, b"one\ntwo\n")
            return [await first, await anext(lines)]

    assert run(main()) == ["one", "two"]


def test_the_demo_writes_its_log_only_while_somebody_reads(tmp_path: Path) -> None:
    lines = run(collect(logs.followed(2)))
    assert ["系统运行正常" in line for line in lines] == [True, True]
    assert logs.demo_writer.watchers == 0
    assert (tmp_path / "demo.log").is_file()


def test_the_demo_rotates_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(logs, "DEMO_LIMIT_BYTES", 10)
    assert len(run(collect(logs.followed(3)))) == 3
    assert (tmp_path / "demo.log.1").is_file()


def test_twenty_lines_are_invented() -> None:
    lines = run(collect(logs.invented()))
    assert len(lines) == 20
    assert lines[19].endswith("日志条目 #20: 系统运行正常\n")


def test_a_task_is_followed_twice_from_where_each_reader_is() -> None:
    async def main() -> tuple[list[object], list[object]]:
        tasks = Tasks()
        name = tasks.start(4)
        async with aclosing(tasks.follow(name)) as first:
            await anext(first)  # and this reader leaves
        whole, rest = await asyncio.gather(collect(tasks.follow(name)), collect(tasks.follow(name, after=2)))
        assert await collect(tasks.follow(name)) == whole
        return [step["step"] for step in whole], [step["step"] for step in rest]

    assert run(main()) == ([1, 2, 3, 4], [3, 4])


def test_what_a_task_raised_reaches_each_follower() -> None:
    async def broken(_: int) -> AsyncGenerator[dict[str, object], None]:
        yield {"step": 1}
        raise ValueError("broken")

    async def main() -> None:
        tasks = Tasks(broken)
        name = tasks.start(1)
        for _ in range(2):
            steps = tasks.follow(name)
            assert await anext(steps) == {"step": 1}
            with pytest.raises(ValueError, match="broken"):
                await anext(steps)

    run(main())


def test_tasks_are_bounded() -> None:
    async def main() -> None:
        tasks = Tasks(max_running=2, max_kept=1)
        first, second = tasks.start(1), tasks.start(2)
        with pytest.raises(TooManyTasks):
            tasks.start(1)
        await collect(tasks.follow(second))
        with pytest.raises(LookupError, match=first):
            tasks.follow(first)
        await tasks.aclose()

    run(main())


def test_closing_the_tasks_stops_their_work() -> None:
    closed = asyncio.Event()

    async def endless(_: int) -> AsyncGenerator[dict[str, object], None]:
        try:
            while True:
                yield {}
                await asyncio.sleep(0)
        finally:
            closed.set()

    async def main() -> None:
        tasks = Tasks(endless)
        begun = tasks.follow(tasks.start(1))
        await anext(begun)
        unbegun = tasks.follow(tasks.start(1))
        await tasks.aclose()
        with pytest.raises(TaskStopped):
            await collect(begun)
        with pytest.raises(TaskStopped):
            await collect(unbegun)

    run(main())
    assert closed.is_set()


@pytest.mark.parametrize("odd", [None, "", "3", "name", "name-x", "name-" + "9" * 30])
def test_an_id_that_no_task_gave_resumes_nothing(odd: str | None) -> None:
    assert resume_point(odd) is None


def test_an_event_id_says_where_to_go_on() -> None:
    assert resume_point(event_id("a-b", 3)) == ("a-b", 3)


def test_many_watchers_have_one_reader_that_stops_with_the_last() -> None:
    readings = count(1)

    async def main() -> tuple[list[Metrics], list[Metrics], int]:
        monitor = Monitor(lambda: changes(lambda: {"reading": next(readings)}))
        first, second = await asyncio.gather(collect(monitor.watch(3)), collect(monitor.watch(3)))
        stopped_at = next(readings)
        await asyncio.sleep(0.03)
        assert next(readings) == stopped_at + 1
        return first, second, monitor.watchers

    first, second, watchers = run(main())
    assert [metrics["reading"] for metrics in first] == [metrics["reading"] for metrics in second] == [1, 2, 3]
    assert watchers == 0


def test_metrics_come_only_when_they_change_and_never_from_before() -> None:
    values = iter([1, 1, 2, 3, 3, 3, 4, 5, 6])

    async def main() -> list[float]:
        monitor = Monitor(lambda: changes(lambda: {"value": next(values)}))
        seen = await collect(monitor.watch(2))
        return [metrics["value"] for metrics in [*seen, *await collect(monitor.watch(2))]]

    assert run(main()) == [1, 2, 3, 4]


def test_a_reader_that_fails_fails_its_watchers() -> None:
    def fail() -> Metrics:
        raise OSError("no such machine")

    with pytest.raises(OSError, match="no such machine"):
        run(collect(Monitor(lambda: changes(fail)).watch()))


def test_the_machine_is_read() -> None:
    assert read_metrics()["process_cpu_seconds"] > 0


def test_shared_work_starts_again_for_who_comes_later() -> None:
    async def main() -> int:
        starts = 0

        async def work() -> None:
            nonlocal starts
            starts += 1
            await asyncio.Event().wait()

        shared = WhileWatched(work)
        for _ in range(2):
            async with shared, shared:
                await asyncio.sleep(0)
        return starts

    assert run(main()) == 2
