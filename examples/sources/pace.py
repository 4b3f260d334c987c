"""The pauses of the documents, times STREAM_TIME_SCALE, which is read at each pause.

1.0 (the default) is the documents' own pace; 0 is no pause, but still one switch to the event loop. Only pauses are
scaled. A limit or an interval that the client asks for in seconds is a promise, and stays in seconds.
"""

import asyncio
import os
import time


def scale() -> float:
    """Raises: ValueError when STREAM_TIME_SCALE is not a number, or negative."""
    text = os.environ.get("STREAM_TIME_SCALE", "1.0")
    factor = float(text)
    if not 0 <= factor < float("inf"):
        raise ValueError(f"STREAM_TIME_SCALE must be 0 or a positive number, not {text!r}")
    return factor


async def pause(seconds: float, at_least: float = 0.0) -> None:
    """Give way for *seconds*, scaled; a loop without an end names the *at_least* that keeps it cool at scale 0."""
    await asyncio.sleep(max(seconds * scale(), at_least))


def hold(seconds: float) -> None:
    """Block the calling thread for *seconds*, scaled: what the documents' blocking calls do."""
    time.sleep(seconds * scale())
