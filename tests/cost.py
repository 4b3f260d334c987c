"""How the cost of something grows: a machine that is busy makes it slow, but not quadratic."""

import time
from collections.abc import Callable


def growth(work: Callable[[int], object], small: int, large: int) -> float:
    """How many times more CPU *work(large)* takes than *work(small)*: for 16 times the size 16 if linear, 256 if
    quadratic."""
    return _seconds(work, large) / _seconds(work, small)


def _seconds(work: Callable[[int], object], size: int) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        work(size)
        best = min(best, time.process_time() - start)
    return max(best, 1e-6)
