"""What all the apps stream."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

CHUNK = "一行示例数据，用来比较每块开销\n".encode()  # 46 bytes
FEW = 5
FILES = Path(tempfile.gettempdir()) / "rawasgi-benchmarks"
PLAIN = {"message": "你好，世界", "number": 42}
BLOCKED = 0.5  # seconds that a blocked stream's thread sleeps before each chunk
BEAT = 15.0  # seconds between the heartbeats of an idle stream
COMMENT = b": still here\n\n"
Row = dict[str, object]

dumps = json.dumps  # what a user has at hand


def file(name: str) -> Path:
    """Return the file of as many MiB as *name* says, made on first use. Blocks."""
    path = FILES / name
    if not path.exists():
        FILES.mkdir(exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        with part.open("wb") as out:
            for number in range(int(name)):
                out.write(b"%07d\n" % number * 131_072)
        part.replace(path)
    return path


async def ready(count: int) -> AsyncGenerator[bytes, None]:
    """Yield *count* chunks, all of them ready."""
    for _ in range(count):
        yield CHUNK


async def sized(size: int, count: int) -> AsyncGenerator[bytes, None]:
    """Yield *count* chunks of *size* bytes, all of them ready."""
    chunk = b"x" * size
    for _ in range(count):
        yield chunk


async def paced(count: int) -> AsyncGenerator[bytes, None]:
    """Yield *count* chunks, each after a turn of the event loop."""
    for _ in range(count):
        await asyncio.sleep(0)
        yield CHUNK


async def rows(count: int) -> AsyncGenerator[Row, None]:
    """Yield *count* objects, all of them ready."""
    for number in range(count):
        yield {"number": number, "text": "一行示例数据"}


async def events(count: int) -> AsyncGenerator[bytes, None]:
    """Yield the rows as events: for whoever has no events of its own."""
    async for row in rows(count):
        yield f"data: {dumps(row)}\n\n".encode()


async def lines(count: int) -> AsyncGenerator[bytes, None]:
    """Yield the rows as lines: for whoever has no lines of its own."""
    async for row in rows(count):
        yield f"{dumps(row)}\n".encode()


def blocking(count: int) -> Iterator[bytes]:
    """Yield *count* chunks, as a library does that knows no event loop."""
    for _ in range(count):
        yield CHUNK


def blocked() -> Iterator[bytes]:
    """Yield chunks for ever, and block before each."""
    while True:
        time.sleep(BLOCKED)
        yield CHUNK


def work() -> str:
    """What the endpoint beside the blocked streams does, in a thread: next to nothing."""
    return "done"


async def hot() -> AsyncGenerator[bytes, None]:
    """Yield chunks for ever and never wait."""
    while True:
        yield CHUNK


async def ticks(milliseconds: int) -> AsyncGenerator[bytes, None]:
    """Yield a chunk, and another after each so many milliseconds, for ever."""
    while True:
        yield CHUNK
        await asyncio.sleep(milliseconds / 1000)


async def silence() -> AsyncGenerator[Row, None]:
    """Yield one object, and then wait for a day: for whoever has a heartbeat of its own."""
    yield {"number": 0}
    await asyncio.sleep(86_400)  # waiting as the others do: an Event has a KB of its own


async def beating() -> AsyncGenerator[bytes, None]:
    """Yield one event and a comment now and then: for whoever has no heartbeat."""
    yield b'data: {"number":0}\n\n'
    while True:
        await asyncio.sleep(BEAT)
        yield COMMENT


async def chat(ticket: int) -> AsyncGenerator[bytes, None]:
    """Yield 50 chunks of OpenAI's, as events, one each 5 ms; when each was made can be read at made(ticket)."""
    made = []
    for number in range(50):
        await asyncio.sleep(0.005)
        choice = {"index": 0, "delta": {"content": f"词{number}"}, "logprobs": None, "finish_reason": None}
        head = {"id": "chatcmpl-9f3bK2", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "gpt-4o"}
        event = f"data: {dumps({**head, 'system_fingerprint': None, 'choices': [choice]})}\n\n".encode()
        made.append(time.perf_counter())
        if number == 49:
            FILES.mkdir(exist_ok=True)
            made_at(ticket).write_text(json.dumps(made))
        yield event


def made_at(ticket: int) -> Path:
    """Return where chat() writes when each event was made: the clock is the same in all processes of a machine."""
    return FILES / f"made-{ticket}.json"


def tasks() -> str:
    """Return how many tasks the event loop has."""
    return str(len(asyncio.all_tasks()))
