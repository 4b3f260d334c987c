"""What a benchmark asks, and what the answer must be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.clients import Taken

NAKED, RAW, FASTAPI, NGINX = "naked", "raw", "fastapi", "nginx"
APPS = {NAKED: "benchmarks.apps.naked:app", RAW: "benchmarks.apps.raw:app", FASTAPI: "benchmarks.apps.fastapi_:app"}


@dataclass(frozen=True, slots=True)
class Target:
    """How raw must stand to *peer*: *faster* times as fast or more, or *slower* times its time or less."""

    peer: str
    faster: float | None = None
    slower: float | None = None

    def reached(self, speed: float) -> bool:
        """Whether raw, *speed* times as fast as the peer, is fast enough."""
        if self.faster is not None:
            return speed >= self.faster
        return self.slower is None or 1 / speed <= self.slower

    def say(self, question: str, speed: float) -> str:
        """Return where raw stands, in one sentence."""
        end = "reached" if self.reached(speed) else "NOT reached"
        if self.faster is not None:
            return f"{question}: raw is {speed:.2f} times as fast as {self.peer}, at least {self.faster:g} asked: {end}"
        return f"{question}: raw takes {1 / speed:.3f} of {self.peer}'s time, at most {self.slower} asked: {end}"


@dataclass(frozen=True, slots=True)
class Question:
    """One benchmark.

    *unit*: what is counted. *measure*: given the port of a server and whether to be quick, returns how long how many
    of them took. *is_rate*: the figure is how many a second, or else microseconds for one. *path*: what is compared
    between the apps before anything is timed. *turns*: how often each app is measured in a round. *targets*: by server.
    *apps*: those that are asked; nginx only where it is installed.
    """

    name: str
    text: str
    unit: str
    path: str
    measure: Callable[[int, bool], Taken]
    is_rate: bool = False
    turns: int = 1
    targets: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    apps: tuple[str, ...] = (NAKED, RAW, FASTAPI)

    @property
    def figures(self) -> str:
        """What the figures are."""
        return f"{self.unit}s a second" if self.is_rate else f"us a {self.unit}"

    def figure(self, taken: Taken) -> float:
        return taken.count / taken.seconds if self.is_rate else taken.seconds / taken.count * 1e6

    def speed(self, figure: float, of: float) -> float:
        """Return how many times as fast *figure* is as the figure *of* another."""
        return figure / of if self.is_rate else of / figure
