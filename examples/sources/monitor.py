"""Document 004: metrics of the machine as they change; many watchers, one reader."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from examples.sources.pace import pause
from examples.sources.shared import WhileWatched

Metrics = dict[str, float]


def read_metrics() -> Metrics:
    """Load, memory and this process's own time and size. What the machine does not tell is left out."""
    metrics: Metrics = {"process_cpu_seconds": time.process_time()}
    if hasattr(os, "getloadavg"):
        metrics["load"] = os.getloadavg()[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        memory = {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":", 1) for line in lines)}
        metrics["memory_total_bytes"] = memory["MemTotal"]
        metrics["memory_available_bytes"] = memory["MemAvailable"]
        metrics["process_memory_bytes"] = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except (OSError, KeyError):
        pass  # not Linux
    return metrics


async def changes(read: Callable[[], Metrics] = read_metrics, every: float = 1.0) -> AsyncGenerator[Metrics, None]:
    """The metrics now, and then each time they change. Raises: what reading raises."""
    latest: Metrics = {}
    while True:
        metrics = read()
        if metrics != latest:
            latest = metrics
            yield metrics
        await pause(every, at_least=0.01)


class Monitor:
    """Reads while somebody watches, once for all. A watcher who is slow gets the newest metrics, not every one."""

    def __init__(self, changes: Callable[[], AsyncGenerator[Metrics, None]] = changes) -> None:
        self._read = changes
        self._reader = WhileWatched(self._keep_reading)
        self._latest: Metrics = {}
        self._changes = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def watchers(self) -> int:
        return self._reader.watchers

    async def _keep_reading(self) -> None:
        try:
            async with aclosing(self._read()) as found:
                async for self._latest in found:
                    self._changes += 1
                    for waiter in self._waiting:
                        if not waiter.done():
                            waiter.set_result(None)
        except Exception as error:
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_exception(error)
            raise
        finally:
            self._latest = {}  # nobody who comes later is shown what was

    async def watch(self, count: int | None = None) -> AsyncGenerator[Metrics, None]:
        """The metrics now, then each time they change; at most *count* times. Raises: what reading raised."""
        seen = sent = 0
        async with self._reader:
            while sent != count:
                while seen == self._changes or not self._latest:
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiting.discard(waiter)
                seen = self._changes
                sent += 1
                yield {**self._latest, "watchers": self.watchers}
