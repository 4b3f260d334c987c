"""Documents 000, 003 and 004: lines and characters of text."""

import asyncio
import unicodedata
from collections.abc import AsyncGenerator, Generator

from examples.sources.pace import hold, pause

WORDS = ("你好", "這是", "測試", "Stream", "輸出", "並且", "同步", "發送", "訊息")
ZERO_WIDTH_JOINER = "\u200d"


def heavy_io() -> list[str]:
    """Block for 1 s, as a model or a slow driver does."""
    hold(1)
    return list(WORDS)


async def predicted() -> AsyncGenerator[str, None]:
    """The nine words of heavy_io(), which blocks a thread and not the loop; 0.5 s after each."""
    for word in await asyncio.to_thread(heavy_io):
        yield f"{word}\n"
        await pause(0.5)


async def simple() -> AsyncGenerator[str, None]:
    """Ten lines, 0.5 s before each."""
    for number in range(10):
        await pause(0.5)
        yield f"数据 {number}\n"


async def parameterized(count: int, delay: float = 0.5) -> AsyncGenerator[str, None]:
    """*count* lines, *delay* seconds before each."""
    for number in range(count):
        await pause(delay)
        yield f"第 {number + 1}/{count} 条数据\n"


async def objects(count: int) -> AsyncGenerator[dict[str, object], None]:
    """*count* JSON objects, 0.3 s before each."""
    for number in range(count):
        await pause(0.3)
        yield {"id": number, "message": f"数据项 {number}", "timestamp": asyncio.get_running_loop().time()}


async def with_cleanup() -> AsyncGenerator[str, None]:
    """Five lines of a resource that is released whatever happens; the last line is for a reader who is still there.

    The document yields inside ``finally``. A generator that is being closed may not: RuntimeError.
    """
    resource = "数据库连接"
    print(f"获取资源: {resource}", flush=True)
    try:
        for number in range(5):
            await pause(0.2)
            yield f"使用 {resource} 获取数据 {number}\n"
    finally:
        print(f"释放资源: {resource}", flush=True)
    yield "资源已释放\n"


async def disconnectable() -> AsyncGenerator[str, None]:
    """A hundred lines, 0.1 s before each, for a reader who may leave.

    The document waits for GeneratorExit, which comes only to a generator that stands at its ``yield``. This one nearly
    always stands at its pause, and there it is cancelled instead.
    """
    try:
        for number in range(100):
            await pause(0.1)
            yield f"数据 {number}\n"
    except (GeneratorExit, asyncio.CancelledError):
        print("客户端断开连接，停止生成数据", flush=True)
        raise
    finally:
        print("生成器结束，资源已清理", flush=True)


def blocking() -> Generator[str, None, None]:
    """Five lines, 0.5 s of blocking before each."""
    for number in range(5):
        hold(0.5)
        yield f"同步数据 {number}\n"


async def asynchronous() -> AsyncGenerator[str, None]:
    """Five lines, 0.5 s of waiting before each."""
    for number in range(5):
        await pause(0.5)
        yield f"异步数据 {number}\n"


async def brief() -> AsyncGenerator[str, None]:
    """Five lines, 0.3 s before each."""
    for number in range(5):
        await pause(0.3)
        yield f"数据 {number}\n"


def clusters(text: str) -> Generator[str, None, None]:
    """The characters of *text* as a reader sees them: accents, variation selectors and joined emoji stay together.

    An approximation of UAX #29 without its tables: where it errs it cuts too often, but never inside a code point.
    """
    cluster = ""
    for character in text:
        extends = unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Mc")
        skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
        flag = _is_regional(character) and len(cluster) == 1 and _is_regional(cluster)
        if cluster and not (
            extends or skin_tone or flag or character == ZERO_WIDTH_JOINER or cluster[-1] == ZERO_WIDTH_JOINER
        ):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


async def characters(text: str, delay: float = 0.1) -> AsyncGenerator[str, None]:
    """*text*, character by character, *delay* seconds before each."""
    for cluster in clusters(text):
        await pause(delay)
        yield cluster


async def failing_text() -> AsyncGenerator[str, None]:
    """Item 0 to Item 2, 0.2 s before each, then ValueError."""
    for number in range(5):
        await pause(0.2)
        if number == 3:
            raise ValueError("模拟错误")
        yield f"Item {number}\n"


async def cancellable() -> AsyncGenerator[str, None]:
    """0 to 99, 0.1 s before each; says so when it is cancelled."""
    try:
        for number in range(100):
            await pause(0.1)
            yield f"{number}\n"
    except asyncio.CancelledError:
        print("流被取消", flush=True)
        raise
