"""Parts of a file, by each way that a server may have."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clock import run

from rawasgi import sendfile
from rawasgi.asgi import HTTPScope, Received, Sent
from rawasgi.dev.client import connect
from rawasgi.dev.validation import validate
from rawasgi.errors import FileChanged
from rawasgi.ranges import Slice
from rawasgi.response import Response
from rawasgi.sendfile import File, FileParts

PATHSEND: dict[str, dict[str, object]] = {"http.response.pathsend": {}}
ZEROCOPY: dict[str, dict[str, object]] = {"http.response.zerocopysend": {}}
MIB = 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.dat"
    made.write_bytes(bytes(range(256)) * 4096)  # 1 MiB
    return made


def sent(path: Path, *parts: bytes | Slice, extensions: Any = None, method: str = "GET") -> list[Sent]:
    """The messages of a response made of *parts*."""

    async def script() -> list[Sent]:
        file = File(str(path))
        try:
            async with connect(
                Response(FileParts(file, parts or ((0, file.size),))), method, scope={"extensions": extensions}
            ) as client:
                await client.rest()
                await client.finished()
        finally:
            file.close()
        return [message.message for message in client.messages if message.direction == "send"]  # type: ignore[misc]

    return run(script())


def joined(messages: list[Sent]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages)  # type: ignore[misc]


# In pieces


def test_a_file_is_sent_in_pieces_of_128_KiB(path: Path) -> None:
    messages = sent(path)
    assert joined(messages) == path.read_bytes()
    assert {len(message.get("body", b"")) for message in messages} == {0, 128 * 1024}  # type: ignore[arg-type]


def test_slices_and_bytes_are_sent_in_order(path: Path) -> None:
    data = path.read_bytes()
    assert (
        joined(sent(path, b"<", (10, 20), b"|", (0, 300_000), b">"))
        == b"<" + data[10:20] + b"|" + data[:300_000] + b">"
    )


def test_pieces_grow_for_who_has_taken_8_MiB_at_once(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (16 * MIB))
    sizes = [len(m.get("body", b"")) for m in sent(path)]  # type: ignore[arg-type]
    assert max(sizes[:60]) == 128 * 1024
    assert sum(sizes) == 16 * MIB
    assert 768 * 1024 in sizes


def test_what_is_not_in_the_page_cache_is_read_in_a_thread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    original = File._in_thread

    async def watched(file: File, start: int, stop: int) -> bytes:
        threads.append(start)
        return await original(file, start, stop)

    monkeypatch.setattr(File, "_in_thread", watched)
    sent(path)
    assert threads == []

    def would_block(*_: object) -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "preadv", would_block)
    assert joined(sent(path)) == path.read_bytes()
    assert len(threads) == 8
    monkeypatch.setattr(sendfile, "_NOWAIT", None)  # another system
    sent(path)
    assert len(threads) == 16


def test_head_reads_nothing(path: Path) -> None:
    assert joined(sent(path, method="HEAD")) == b""


# A file that changes


def changing(path: Path, change: str) -> None:
    if change == "shrinks":
        os.truncate(path, 700_000)
    elif change == "grows":
        with path.open("ab") as file:
            file.write(b"more")
    elif change == "is emptied and written anew":
        path.write_bytes(b"y" * MIB)
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("change", ["shrinks", "grows", "is emptied and written anew"])
@pytest.mark.parametrize("extensions", [{}, ZEROCOPY], ids=["in pieces", "zero copy"])
def test_a_file_that_changes_while_it_is_sent_is_cut(
    path: Path, change: str, extensions: dict[str, dict[str, object]]
) -> None:
    path.write_bytes(b"x" * (2 * MIB))
    server = Server(on_first=lambda: changing(path, change))
    with pytest.raises(FileChanged, match="rename"):
        served(path, server, extensions)
    assert server.messages[-1]["more_body"]  # type: ignore[typeddict-item]


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_is_deleted_or_replaced_by_rename_is_sent_whole(path: Path, tmp_path: Path, how: str) -> None:
    def change() -> None:
        if how == "deleted":
            path.unlink()
        else:
            (tmp_path / "new").write_bytes(b"new")
            os.replace(tmp_path / "new", path)

    data = path.read_bytes()
    server = Server(on_first=change)
    served(path, server, {})
    assert joined(server.messages) == data


class Server:
    """A server that does *on_first* at the first message after the start, takes *wait* seconds for each, fails after
    *fails*, and tells after *leaves* that the client left."""

    def __init__(
        self, wait: float = 0.0, fails: int = 99, leaves: int = 99, on_first: Callable[[], None] | None = None
    ) -> None:
        self.messages: list[Sent] = []
        self.wait, self.fails, self.leaves = wait, fails, leaves
        self.on_first = on_first
        self.left = asyncio.Event()
        self.asked = False

    async def send(self, message: Sent) -> None:
        self.messages.append(message)
        if len(self.messages) > self.fails:
            raise BrokenPipeError
        if len(self.messages) >= self.leaves:
            self.left.set()
        if len(self.messages) == 2 and self.on_first is not None:
            self.on_first()
        await asyncio.sleep(self.wait)

    async def receive(self) -> Received:
        if not self.asked:
            self.asked = True
            return {"type": "http.request"}
        await self.left.wait()
        return {"type": "http.disconnect"}


def served(path: Path, server: Server, extensions: dict[str, dict[str, object]]) -> None:
    """Send the whole file by *server*."""
    scope: HTTPScope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "extensions": extensions,
    }

    async def script() -> None:
        file = File(str(path))
        try:
            await validate(Response(FileParts(file, ((0, file.size),))))(scope, server.receive, server.send)
        finally:
            file.close()

    run(script())


# By the server


def test_a_whole_file_goes_by_path_where_the_server_takes_one(path: Path) -> None:
    messages = sent(path, extensions=PATHSEND)
    assert [message["type"] for message in messages] == ["http.response.start", "http.response.pathsend"]
    assert messages[1]["path"] == str(path)  # type: ignore[typeddict-item]


def test_a_part_does_not(path: Path) -> None:
    assert joined(sent(path, (0, 10), extensions=PATHSEND)) == bytes(range(10))


def test_zero_copy_mixes_with_bytes(path: Path) -> None:
    _, first, copied, last = sent(path, b"<", (10, 20), b">", extensions=ZEROCOPY)
    assert first == {"type": "http.response.body", "body": b"<", "more_body": True}
    assert (copied["offset"], copied["count"], copied["more_body"]) == (10, 10, True)  # type: ignore[typeddict-item]
    assert last == {"type": "http.response.body", "body": b">", "more_body": False}


def test_zero_copy_goes_in_steps_so_that_who_left_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (2 * MIB + 5))
    _, *copies = sent(path, extensions=ZEROCOPY)
    assert [(m["offset"], m["count"], m["more_body"]) for m in copies] == [  # type: ignore[typeddict-item]
        (0, MIB, True),
        (MIB, MIB, True),
        (2 * MIB, 5, False),
    ]


@pytest.mark.parametrize(
    ("server", "messages"),
    [(Server(fails=2), 3), (Server(wait=40.0), 1), (Server(wait=0.1, leaves=3), 3), (Server(), 6)],
    ids=["send fails", "send is stuck", "the client leaves", "all is well"],
)
def test_zero_copy_ends_in_silence_when_the_client_is_gone(tmp_path: Path, server: Server, messages: int) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (5 * MIB))
    served(path, server, ZEROCOPY)
    assert len(server.messages) == messages


def test_zero_copy_lets_others_run_when_send_takes_long(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (5 * MIB))
    server = Server(on_first=lambda: time.sleep(0.006))
    served(path, server, ZEROCOPY)
    assert len(server.messages) == 6


# Opening and closing


def test_only_a_regular_file_is_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileNotFoundError, match="no regular file"):
        File(str(tmp_path / "fifo"))
    with pytest.raises(IsADirectoryError):
        File(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        File(str(tmp_path / "none"))


def test_a_file_is_closed_when_nobody_reads_it_any_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script() -> tuple[bool, bool]:
        loop = asyncio.get_running_loop()
        file = File(str(path))
        begun, go_on = asyncio.Event(), threading.Event()
        original = File._read

        def slow(self: File, start: int, stop: int) -> bytes:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(5)
            return original(self, start, stop)

        monkeypatch.setattr(File, "_read", slow)
        monkeypatch.setattr(sendfile, "_NOWAIT", None)
        reading = asyncio.create_task(file.read(0, 10))
        await begun.wait()
        reading.cancel()
        await asyncio.wait([reading])
        file.close()
        file.close()
        while_read = is_open(file.fileno())
        go_on.set()
        await asyncio.get_running_loop().shutdown_default_executor()
        await asyncio.sleep(0)
        return while_read, is_open(file.fileno())

    assert asyncio.run(script()) == (True, False)


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
