"""Documents 001, 002 and 004: how far something is."""

import asyncio
from collections.abc import AsyncGenerator

from examples.sources.items import Item
from examples.sources.pace import pause


async def progress(total: int = 100) -> AsyncGenerator[Item, None]:
    """0 to *total* with percentage and message, 0.1 s before each, then done."""
    for current in range(total + 1):
        await pause(0.1)
        yield Item(
            {
                "current": current,
                "total": total,
                "percentage": current / total * 100,
                "message": f"Processing {current}/{total}",
            }
        )
    yield Item("Completed", "done")


async def steps(total: int) -> AsyncGenerator[dict[str, object], None]:
    """*total* steps of a long task, 0.2 s before each."""
    for step in range(1, total + 1):
        await pause(0.2)
        yield {
            "step": step,
            "total": total,
            "percentage": step / total * 100,
            "message": f"处理步骤 {step}/{total}",
        }


async def events(after: int = 0, count: int = 10) -> AsyncGenerator[Item, None]:
    """Events *after* + 1 to *count*, each with its number as id, 1 s after each, then done."""
    for number in range(after + 1, count + 1):
        yield Item(
            {"id": number, "message": f"事件 #{number}", "timestamp": asyncio.get_running_loop().time()},
            id=str(number),
        )
        await pause(1)
    yield Item("流结束", "done")


def resume_point(last_event_id: str | None) -> int:
    """The number to go on after: 0 for no id, or for one that events() never gave."""
    if last_event_id and last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= 18:
        return int(last_event_id)
    return 0


async def safe() -> AsyncGenerator[str, None]:
    """第1条 to 第100条, 0.5 s after each; says when it is cancelled and when it ends."""
    try:
        for number in range(1, 101):
            yield f"第{number}条"
            await pause(0.5)
    except asyncio.CancelledError:
        print("生成器被取消", flush=True)
        raise
    finally:
        print("生成器结束", flush=True)
