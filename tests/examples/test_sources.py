"""The sources: what they yield, and that they close what they wrap."""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import pytest

from examples.sources import files, numbers, pace, pipeline, progress, rows, text
from examples.sources.items import Item
from examples.sources.postgres import Postgres

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "0")
    monkeypatch.setenv("RAWASGI_CACHE", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)


def run(coroutine: Coroutine[object, object, T]) -> T:
    return asyncio.run(asyncio.wait_for(coroutine, 10))


async def collect(source: AsyncIterable[T]) -> list[T]:
    return [item async for item in source]


class Watched:
    """A source that says whether it was closed."""

    def __init__(self, *items: int, failure: Exception | None = None, waits: bool = False) -> None:
        self.closed = False
        self._items, self._failure, self._waits = items, failure, waits

    async def stream(self) -> AsyncGenerator[int, None]:
        try:
            for item in self._items:
                yield item
            if self._failure:
                raise self._failure
            if self._waits:
                await asyncio.Event().wait()
        finally:
            self.closed = True


def test_a_pause_at_scale_0_is_one_switch_to_the_loop() -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        asyncio.get_running_loop().call_soon(seen.append, "other")
        await pace.pause(3600)
        asyncio.get_running_loop().call_soon(seen.append, "late")
        return [*seen]

    assert run(main()) == ["other"]


def test_the_scale_is_read_at_each_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pace.scale() == 0
    monkeypatch.setenv("STREAM_TIME_SCALE", "0.5")
    assert pace.scale() == 0.5
    monkeypatch.delenv("STREAM_TIME_SCALE")
    assert pace.scale() == 1.0


@pytest.mark.parametrize("wrong", ["-1", "nan", "inf", "fast"])
def test_a_scale_that_is_no_pace_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", wrong)
    with pytest.raises(ValueError):
        pace.scale()


def test_the_texts_are_those_of_the_documents() -> None:
    assert run(collect(text.predicted())) == [f"{word}\n" for word in text.WORDS]
    assert run(collect(text.simple())) == [f"数据 {number}\n" for number in range(10)]
    assert run(collect(text.parameterized(2))) == ["第 1/2 条数据\n", "第 2/2 条数据\n"]
    assert run(collect(text.brief())) == [f"数据 {number}\n" for number in range(5)]
    assert run(collect(text.asynchronous())) == [f"异步数据 {number}\n" for number in range(5)]
    assert list(text.blocking()) == [f"同步数据 {number}\n" for number in range(5)]
    assert [item["message"] for item in run(collect(text.objects(2)))] == ["数据项 0", "数据项 1"]
    assert len(run(collect(text.cancellable()))) == 100
    assert run(collect(numbers.numbers())) == run(numbers.collected()) == [0, 1, 2, 3, 4]
    assert run(collect(numbers.messages(2))) == ["Message 0", "Message 1"]
    assert run(collect(numbers.halting(5))) == run(collect(numbers.numbers()))
    assert run(collect(numbers.slow_numbers())) == list(range(10))
    assert run(collect(numbers.blocks())) == ["x" * 1000] * 10
    assert run(collect(progress.safe()))[-1] == "第100条"


def test_the_blocking_call_leaves_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.setattr(text, "hold", lambda _: threads.append(threading.get_ident()))
    run(collect(text.predicted()))
    assert threads
    assert threads != [threading.get_ident()]


@pytest.mark.parametrize(
    ("whole", "cut"),
    [
        ("ab", ["a", "b"]),
        ("你好", ["你", "好"]),
        ("e\u0301x", ["e\u0301", "x"]),
        ("👨\u200d👩\u200d👧!", ["👨\u200d👩\u200d👧", "!"]),
        ("👍🏽👍", ["👍🏽", "👍"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("❤\ufe0f", ["❤\ufe0f"]),
        ("", []),
    ],
)
def test_a_text_is_cut_between_what_a_reader_takes_for_characters(whole: str, cut: list[str]) -> None:
    assert run(collect(text.characters(whole))) == cut


def test_failing_sources_fail_after_their_items() -> None:
    async def until_failure(source: AsyncIterable[T]) -> tuple[list[T], str]:
        seen: list[T] = []
        try:
            async for item in source:
                seen.append(item)
        except Exception as error:
            return seen, f"{type(error).__name__}: {error}"
        return seen, ""

    assert run(until_failure(numbers.failing())) == ([0, 1, 2, 3, 4], "RuntimeError: 模拟错误")
    assert run(until_failure(text.failing_text())) == (["Item 0\n", "Item 1\n", "Item 2\n"], "ValueError: 模拟错误")
    assert run(until_failure(numbers.robust()))[1] == "ValueError: 数据验证失败"
    assert run(until_failure(numbers.robust("system")))[1].startswith("ConnectionResetError")
    assert run(collect(numbers.robust("none")))[-1] == Item({"status": "completed"}, "done")


def test_cleanup_happens_always_and_its_line_goes_only_to_a_reader(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(collect(text.with_cleanup()))[-1] == "资源已释放\n"
    assert capsys.readouterr().out == "获取资源: 数据库连接\n释放资源: 数据库连接\n"

    async def leave() -> None:
        async with aclosing(text.with_cleanup()) as source:
            await anext(source)

    run(leave())
    assert capsys.readouterr().out == "获取资源: 数据库连接\n释放资源: 数据库连接\n"


def test_a_reader_who_leaves_stops_the_source_while_it_pauses(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_TIME_SCALE", "1000")

    async def cancel(source: AsyncGenerator[str, None]) -> None:
        reader = asyncio.ensure_future(collect(source))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader

    run(cancel(text.disconnectable()))
    run(cancel(text.cancellable()))
    run(cancel(progress.safe()))
    assert capsys.readouterr().out.split() == [
        "客户端断开连接，停止生成数据",
        "生成器结束，资源已清理",
        "流被取消",
        "生成器被取消",
        "生成器结束",
    ]


def test_events_go_on_after_the_last_one_seen() -> None:
    assert [item.id for item in run(collect(progress.events()))] == [*map(str, range(1, 11)), None]
    assert [item.id for item in run(collect(progress.events(progress.resume_point("8"))))] == ["9", "10", None]
    assert run(collect(progress.events(99))) == [Item("流结束", "done")]


@pytest.mark.parametrize("odd", [None, "", "-1", "x", "٣", "9" * 5000])
def test_an_id_that_was_never_given_starts_from_the_beginning(odd: str | None) -> None:
    assert progress.resume_point(odd) == 0


def test_progress_ends_with_done() -> None:
    items = run(collect(progress.progress(4)))
    assert [item.data for item in items[:-1] if isinstance(item.data, dict)][2]["percentage"] == 50.0
    assert items[-1] == Item("Completed", "done")


def test_closing_a_pipeline_closes_its_source() -> None:
    async def main() -> tuple[int, bool]:
        watched = Watched(1, 2, 3)
        pipe = pipeline.keep(pipeline.transform(watched.stream(), lambda item: item * 2), lambda item: item > 2)
        first = await anext(pipe)
        await pipe.aclose()
        return first, watched.closed

    assert run(main()) == (4, True)


def test_merge_yields_in_order_of_arrival() -> None:
    merged = run(collect(pipeline.merge(pipeline.letters_a(), pipeline.letters_b())))
    assert sorted(merged) == ["A0\n", "A1\n", "A2\n", "B0\n", "B1\n", "B2\n"]
    assert merged.index("B0\n") < merged.index("A2\n")


def test_one_failing_source_ends_the_other() -> None:
    async def main() -> tuple[list[int], bool]:
        patient, broken = Watched(1, waits=True), Watched(2, failure=ValueError("broken"))
        merged = pipeline.merge(patient.stream(), broken.stream())
        seen = [await anext(merged), await anext(merged)]
        with pytest.raises(ValueError, match="broken"):
            await anext(merged)
        return seen, patient.closed

    assert run(main()) == ([1, 2], True)


def test_leaving_a_merge_closes_every_source() -> None:
    async def main() -> list[bool]:
        sources = [Watched(1, waits=True), Watched(waits=True), Watched(failure=ValueError("unread"))]
        async with aclosing(pipeline.merge(*(source.stream() for source in sources))) as merged:
            await anext(merged)
        return [source.closed for source in sources]

    assert run(main()) == [True, True, True]


def test_the_sample_is_made_once_and_says_its_own_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAWASGI_SAMPLE_BYTES", str(2 * files.CHUNK_BYTES + 10))
    path = files.sample()
    made = path.stat().st_ino
    content = b"".join(files.chunks(path))
    assert len(content) == 2 * files.CHUNK_BYTES + 10
    assert content[4096:4112] == b"%015d\n" % 4096
    assert files.sample().stat().st_ino == made
    assert os.listdir(path.parent) == [path.name]


def test_a_file_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.made_once(tmp_path / "file", fail)
    assert list(tmp_path.iterdir()) == []


def test_rows_come_from_a_table_that_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAWASGI_ROWS", "7")
    assert len(list(rows.rows())) == 7
    assert list(rows.rows(1)) == [{"id": 1, "name": "第 1 行", "amount": 0.25}]
    assert [path.name for path in tmp_path.iterdir()] == ["rows-7.sqlite3"]


def test_a_closed_cursor_closes_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect
    list(rows.rows(1))

    def watched(name: str, *, uri: bool, check_same_thread: bool) -> sqlite3.Connection:
        opened.append(connect(name, uri=uri, check_same_thread=check_same_thread))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", watched)
    cursor = rows.rows()
    next(cursor)
    cursor.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


def test_who_names_a_postgresql_and_has_no_client_for_it_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@localhost/shop")
    monkeypatch.setitem(sys.modules, "psycopg_pool", None)
    with pytest.raises(RuntimeError, match=r"pip install 'psycopg\[binary,pool\]'"):
        asyncio.run(Postgres().__aenter__())
