"""Readings of a thermometer, and one that breaks."""

from collections.abc import AsyncGenerator

from examples.sources.pace import pause

JSON = dict[str, object]


async def readings(count: int, fail: bool = False) -> AsyncGenerator[JSON, None]:
    """*count* readings, 0.3 s before each; if it is to *fail*, an error after the third."""
    for number in range(count):
        if fail and number == 3:
            raise OSError("/dev/thermometer0: Input/output error")
        await pause(0.3)
        yield {"id": number, "celsius": 20 + number / 2, "room": "厨房"}


async def message(text: str) -> AsyncGenerator[JSON, None]:
    """A message of an assistant in the parts of the AI SDK: a step, and in it a text, 0.05 s before each character."""
    yield {"type": "start", "messageId": "m1"}
    yield {"type": "start-step"}
    yield {"type": "text-start", "id": "1"}
    for character in text:
        await pause(0.05)
        yield {"type": "text-delta", "id": "1", "delta": character}
    yield {"type": "text-end", "id": "1"}
    yield {"type": "finish-step"}
    yield {"type": "finish"}
