"""What a benchmark asks, and what the answer must be."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from benchmarks.clients import Answer
from benchmarks.serving import Served

# A question's figures from one turn, in their order; None where the system does not tell.
Sample = tuple[float | None, ...]
# by app, in the order in which they were taken: the n-th of each app belong together
Samples = dict[str, list[Sample]]


def short(figure: float) -> str:
    """Return *figure* with three digits or a few more."""
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.3f}" if figure < 1 else f"{figure:.2f}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is measured: *name* is its unit, and of what. *more*: the greater, the better."""

    name: str
    more: bool = False

    def speed(self, figure: float, of: float) -> float:
        """Return how many times as good *figure* is as the figure *of* another."""
        better, worse = (figure, of) if self.more else (of, figure)
        return better / worse if worse else 1.0 if not better else float("inf")


@dataclass(frozen=True, slots=True)
class Target:
    """What raw must reach, in the *figure*-th of a question's figures.

    Either against *peer*, in the same run: *faster* times as good or more, or *slower* times its figure or less. Or by
    itself: *most*, in the figure's unit.
    """

    peer: str = ""
    faster: float | None = None
    slower: float | None = None
    most: float | None = None
    figure: int = 0

    def reached(self, stands: float) -> bool:
        """Whether raw, *stands* times as good as the peer, or, without one, with that figure, is good enough."""
        if self.faster is not None:
            return stands >= self.faster
        if self.most is not None:
            return stands <= self.most
        return self.slower is None or 1 / stands <= self.slower

    def say(self, what: str, stands: float) -> str:
        """Return where raw stands, in one sentence that begins with *what*."""
        end = "reached" if self.reached(stands) else "NOT reached"
        if self.faster is not None:
            return f"{what}: raw is {stands:.2f} times as fast as {self.peer}, at least {self.faster:g} asked: {end}"
        if self.most is not None:
            return f"{what}: raw has {stands:.4g}, at most {self.most:g} asked: {end}"
        return f"{what}: raw takes {1 / stands:.3f} of {self.peer}'s, at most {self.slower:g} asked: {end}"


@dataclass(frozen=True, slots=True)
class Turn:
    """One app's turn. *served*: its server of this round. *serving*: another one, of its own, while a block runs."""

    peer: str
    served: Served
    quick: bool
    serving: Callable[..., AbstractContextManager[Served]]


def exactly(answer: Answer) -> object:
    """Status, media type and every byte."""
    return answer


@dataclass(frozen=True, slots=True)
class Question:
    """One benchmark.

    *figures*: what is measured; the apps are ordered by the first. *measure*: returns the figures of one turn. *path*:
    what is compared between the apps before anything is timed, as *view* sees it. *app*: which app of each module.
    *peers*: who is asked; None: all. *turns*: how often each app is measured in a round. *rounds*: in so many rounds
    at most. *targets*: by server.
    *note*: what must be known to read the figures.
    """

    name: str
    text: str
    figures: tuple[Figure, ...]
    path: str
    measure: Callable[[Turn], Sample]
    view: Callable[[Answer], object] = exactly
    app: str = "app"
    peers: tuple[str, ...] | None = None
    turns: int = 1
    rounds: int | None = None
    targets: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    note: str = ""

    def stands(self, target: Target) -> str:
        """Return what *target* is about."""
        named = target.figure or target.most is not None
        return f"{self.name}, {self.figures[target.figure].name}" if named else self.name
