"""The raw app, rows 1 to 22: what must hold of each, beside the bytes that the replay compares."""

import asyncio
import json
import threading
import zlib
from collections.abc import Generator
from pathlib import Path

import clock
import pytest

from examples.raw import app, document_001
from examples.sources import rows as database
from examples.sources import text
from rawasgi.dev.client import HTTPClient, connect, fetch
from rawasgi.formats import sse


@pytest.fixture(autouse=True)
def _as_in_the_documents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAWASGI_CACHE", str(tmp_path))
    monkeypatch.setenv("RAWASGI_SAMPLE_BYTES", "2000000")
    monkeypatch.setenv("CHAT_BACKEND", "embedded")
    for name in ("STREAM_TIME_SCALE", "RAWASGI_LOG_FILE", "RAWASGI_ROWS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


async def arrivals(target: str) -> list[tuple[float, str]]:
    """What came, and when."""
    async with connect(app, "GET", target) as client:
        return [(round(clock.now(), 3), chunk.decode()) async for chunk in client]


async def gone_after(client: HTTPClient, chunks: int) -> float:
    """Read so many chunks, leave in the pause after them; the seconds until the app had returned."""
    for _ in range(chunks):
        assert await client.chunk()
    await asyncio.sleep(0.05)
    left = clock.now()
    await client.leave()
    await client.finished()
    return clock.now() - left


def types(client: HTTPClient) -> list[str]:
    return [str(recorded.message["type"]) for recorded in client.messages if recorded.direction == "send"]


# Document 000


def test_a_whole_answer_is_one_start_and_one_body() -> None:
    async def main() -> None:
        async with connect(app, "GET", "/infer/home") as client:
            await client.finished()
        assert types(client) == ["http.response.start", "http.response.body"]
        assert (client.header("content-length"), client.body) == ("4", b'"OK"')

    clock.run(main())


def test_a_blocking_call_blocks_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(text, "hold", lambda _: answered.wait(10))

    async def main() -> None:
        async with connect(app, "GET", "/infer/predict") as client:
            assert await client.started() == 200
            with clock.outside():
                assert (await fetch(app, "/infer/home")).body == b'"OK"'
            assert client.body == b""
            answered.set()
            words = [chunk.decode() async for chunk in client]
        assert words == [f"{word}\n" for word in text.WORDS]

    clock.run(main())


# Document 001


def test_an_event_comes_when_it_is_there() -> None:
    assert clock.run(arrivals("/stream")) == [(number / 2, f"data: {number}\n\n") for number in range(5)]


def test_the_collected_answer_comes_when_all_is_there() -> None:
    assert clock.run(arrivals("/normal")) == [(2.5, '{"data":[0,1,2,3,4]}')]


@pytest.mark.parametrize("target", ["/stream-full", "/stream-background"])
@pytest.mark.parametrize("leaves", [False, True])
def test_the_background_work_runs_last_of_all(target: str, leaves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[bytes] = []

    async def main() -> None:
        async with connect(app, "GET", target) as client:

            async def cleanup() -> None:
                done.append(client.body)

            monkeypatch.setattr(document_001, "cleanup", cleanup)
            if leaves:
                assert await gone_after(client, 2) == 0
            await client.finished()
        assert done == [client.body]
        assert client.body.count(b"data") == (2 if leaves else 5)

    clock.run(main())


def test_connection_is_said_only_where_http_knows_it() -> None:
    async def main() -> None:
        for version, value in (("1.1", "keep-alive"), ("2", None), ("3", None)):
            answer = await fetch(app, "/stream-headers", scope={"http_version": version})
            assert answer.header("connection") == value
            assert answer.header("access-control-allow-origin") == "*"

    clock.run(main())


def test_a_bad_boolean_is_named() -> None:
    answer = clock.run(fetch(app, "/conditional-stream?stream=perhaps"))
    assert answer.status == 422
    problem = answer.json()
    assert isinstance(problem, dict)
    assert problem["errors"] == [
        {"loc": ["query", "stream"], "msg": "query parameter 'stream' must be true or false", "input": "perhaps"}
    ]


@pytest.mark.parametrize("target", ["/stream-error", "/stream-robust", "/stream-robust?fail=system"])
def test_a_stream_ends_well_after_its_error_event(target: str) -> None:
    answer = clock.run(fetch(app, target))
    *_, last = sse.Decoder().feed(answer.body)
    assert last.event == "error"
    assert answer.messages[-1].message.get("more_body", False) is False


def test_the_client_gets_an_id_and_the_log_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    answer = clock.run(fetch(app, "/stream-robust?fail=system"))
    *_, last = sse.Decoder().feed(answer.body)
    told = json.loads(last.data or "")
    assert told["code"] == "SYSTEM_ERROR"
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert f"id {told['id']}\nTraceback" in caplog.text
    assert "secret" in caplog.text


def test_an_item_has_as_long_as_the_limit_says() -> None:
    *_, last = clock.run(arrivals("/stream-timeout?slow=3&limit=1"))
    assert last == (3.5, "event: error\ndata: Timeout\n\n")


def test_batches_are_full_or_old() -> None:
    came = clock.run(arrivals("/stream-buffered?count=25"))
    assert [len(json.loads(batch[6:])) for _, batch in came] == [10, 10, 5]
    came = clock.run(arrivals("/stream-buffered?count=10&pause=0.3"))
    assert [(at, len(json.loads(batch[6:]))) for at, batch in came] == [(1.0, 4), (2.2, 4), (3.0, 2)]


def test_it_beats_only_when_nothing_else_was_sent() -> None:
    came = clock.run(arrivals("/stream-heartbeat?count=5&every=2"))
    beat = ": heartbeat\n\n"
    assert [at for at, chunk in came if chunk == beat] == [5, 7]
    assert [chunk for _, chunk in came if chunk != beat] == [f"data: {number}\n\n" for number in range(5)]


def test_one_gzip_stream_of_which_each_event_can_be_read_at_once() -> None:
    async def main() -> None:
        unpacker = zlib.decompressobj(wbits=31)
        async with connect(app, "GET", "/stream-compressed", headers={"accept-encoding": "gzip"}) as client:
            for number in range(10):
                event = b""
                while not event.endswith(b"\n\n"):
                    event += unpacker.decompress(await client.chunk())
                assert event == b"data: " + 1000 * b"x" + b"\n\n"
                assert clock.now() == number / 2
            assert unpacker.decompress(await client.rest()) == b""
        assert unpacker.eof
        assert unpacker.unused_data == b""
        assert client.header("content-length") is None
        assert client.header("vary") == "Accept-Encoding"

    clock.run(main())


def test_a_log_is_followed_through_its_rotation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("before\n")
    monkeypatch.setenv("RAWASGI_LOG_FILE", str(path))

    def write(text: str) -> None:
        with path.open("a") as file:
            file.write(text)

    async def main() -> None:
        async with connect(app, "GET", "/logs") as client:
            assert await client.started() == 200
            await asyncio.sleep(1)
            write("one\nha")
            assert await client.chunk() == b"data: one\n\n"
            write("lf\n")
            assert await client.chunk() == b"data: half\n\n"
            path.rename(path.with_suffix(".log.1"))
            path.write_text("new\n")
            assert await client.chunk() == b"data: new\n\n"

    clock.run(main())


# Document 002


def test_a_broken_download_is_taken_up_where_it_broke() -> None:
    async def main() -> None:
        async with connect(app, "GET", "/download/sample") as client:
            begun = await client.chunk()
        headers = {"range": f"bytes={len(begun)}-", "if-range": client.header("etag") or ""}
        rest = await fetch(app, "/download/sample", headers=headers)
        assert (rest.status, rest.header("content-range")) == (206, f"bytes {len(begun)}-1999999/2000000")
        whole = await fetch(app, "/download/sample")
        assert begun + rest.body == whole.body
        assert len(whole.body) == 2_000_000

    clock.run(main())


@pytest.mark.parametrize("header", ["bytes=5-2", "bytes=a-b", "bytes=-", "bytes=0-1,x", "lines=1-2"])
def test_a_range_that_says_nothing_is_no_range(header: str) -> None:
    answer = clock.run(fetch(app, "/download/sample", headers={"range": header}))
    assert (answer.status, len(answer.body)) == (200, 2_000_000)


def test_no_more_of_a_file_is_read_than_is_sent() -> None:
    async def main() -> None:
        async with connect(app, "GET", "/download/sample") as client:
            client.stall(after_bytes=1)
            await asyncio.sleep(20)
            sent = [message for message in client.messages if message.direction == "send"]
            bodies = [message.message.get("body", b"") for message in sent[1:]]
        assert sum(len(body) for body in bodies if isinstance(body, bytes)) <= 512 * 1024

    clock.run(main())


def test_a_source_stops_at_once_when_the_client_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with connect(app, "GET", "/safe-stream") as client:
            assert await gone_after(client, 3) == 0

    clock.run(main())
    assert capsys.readouterr().out == "生成器被取消\n生成器结束\n"


def test_the_cursor_is_closed_when_the_client_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    closed: list[int] = []

    def rows(count: int) -> Generator[dict[str, int], None, None]:
        try:
            for number in range(count):
                given.append(number)
                yield {"id": number}
        finally:
            closed.append(len(given))

    monkeypatch.setattr(database, "rows", rows)

    async def main() -> None:
        async with connect(app, "GET", "/rows?count=1000000") as client:
            assert (await client.until("\n")) == b'{"id":0}\n'
            client.stall()
            await client.leave()
            await client.finished()
        assert closed == [len(given)]
        assert len(given) < 500_000

    asyncio.run(main())
