"""What a benchmark asks, and what the answer must be."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from benchmarks.clients import Answer
from benchmarks.peers import NAKED, RAW
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
    """A number that is measured: *name* is its unit, and of what. *more*: the greater, the better.

    *needs*: what must be there to measure it.
    """

    name: str
    more: bool = False
    needs: str = ""

    def speed(self, figure: float, of: float) -> float:
        """Return how many times as good *figure* is as the figure *of* another."""
        better, worse = (figure, of) if self.more else (of, figure)
        return better / worse if worse else 1.0 if not better else float("inf")


def binary(size: int) -> str:
    """Return *size*, a power of two, in B, KiB or MiB."""
    return f"{size} B" if size < 1 << 10 else f"{size >> 10} KiB" if size < 1 << 20 else f"{size >> 20} MiB"


@dataclass(frozen=True, slots=True)
class Curve:
    """Figures in *unit* that measure the same *at* so many of what grows. *label*: how one of these numbers is written.

    *of*: what grows.
    """

    unit: str
    of: str
    at: tuple[int, ...]
    label: Callable[[int], str] = "{:,}".format

    def figures(self) -> tuple[Figure, ...]:
        """Return the figures, in the order of *at*."""
        return tuple(Figure(f"{self.unit}, {self.label(point)} {self.of}".rstrip()) for point in self.at)


@dataclass(frozen=True, slots=True)
class Target:
    """What raw must reach, in the *figure*-th of a question's figures.

    Either against *peer*, in the same run: *faster* times as good or more, or *slower* times its figure or less. Or by
    itself: *most*, or *least*, in the figure's unit.

    A target that cannot be reached has a *reason*, in one sentence, and the bound that raw reaches nevertheless and
    *holds*: of the same kind.
    """

    peer: str = ""
    faster: float | None = None
    slower: float | None = None
    most: float | None = None
    least: float | None = None
    figure: int = 0
    reason: str = ""
    holds: float | None = None

    def __post_init__(self) -> None:
        if bool(self.reason) != (self.holds is not None):
            raise ValueError(f"Target.reason and .holds must be given together, not {self.reason!r} and {self.holds}")

    def reached(self, stands: float) -> bool:
        """Whether raw, *stands* times as good as the peer, or, without one, with that figure, is good enough."""
        if self.faster is not None:
            return stands >= self.faster
        if self.least is not None:
            return stands >= self.least
        if self.most is not None:
            return stands <= self.most
        return self.slower is None or 1 / stands <= self.slower

    def held(self) -> "Target":
        """Return the target that is to be reached instead."""
        faster, slower, most, least = (
            None if bound is None else self.holds for bound in (self.faster, self.slower, self.most, self.least)
        )
        return replace(self, faster=faster, slower=slower, most=most, least=least, reason="", holds=None)

    def say(self, what: str, stands: float) -> str:
        """Return where raw stands, in one sentence that begins with *what*."""
        said = f"{what}: {self._stands(stands)} asked: "
        if self.reached(stands):
            return f"{said}reached"
        if not self.reason:
            return f"{said}**not reached**"
        held = self.held()
        kept = "held" if held.reached(stands) else "**not held**"
        return f"{said}**not reached**: {self.reason} {held.bound().capitalize()} is {kept}."

    def bound(self) -> str:
        """Return what is asked: no more, or no less."""
        for end, bound in (("at least", self.faster), ("at least", self.least), ("at most", self.most)):
            if bound is not None:
                return f"{end} {bound:,g}"
        return f"at most {self.slower:,g}"

    def _stands(self, stands: float) -> str:
        if self.faster is not None:
            return f"raw is {stands:.2f} times as fast as {self.peer}, {self.bound()}"
        if self.slower is not None:
            return f"raw takes {1 / stands:.3f} of {self.peer}'s, {self.bound()}"
        return f"raw has {short(stands)}, {self.bound()}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a target. *excused*: it was not reached, but it cannot be, and what is to hold holds."""

    reached: bool
    excused: bool
    sentence: str


def judge(target: Target, what: str, stands: float) -> Verdict:
    """Return what became of *target*."""
    reached = target.reached(stands)
    excused = not reached and bool(target.reason) and target.held().reached(stands)
    return Verdict(reached, excused, target.say(what, stands))


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
    *peers*: who is asked; None: all. *turns*: how often each app is measured in a round, and so many times that if only
    what its targets are about is asked (*checked*); *fresh*: in another process after so many of them. *rounds*: in so
    many rounds at most. *targets*: by server. *curves*: whose figures follow one another, from the first on. *missing*:
    returns why it cannot be asked here, or None. *quick*: whether it is asked at all if it is to be quick.
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
    checked: int = 1
    fresh: int = 0
    rounds: int | None = None
    targets: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    note: str = ""
    curves: tuple[Curve, ...] = ()
    missing: Callable[[], str | None] = lambda: None
    quick: bool = True

    def to_check(self, server: str) -> "Question | None":
        """Return the question as it is to be asked for its targets on *server* alone; None if it has none there."""
        targets = self.targets.get(server)
        if not targets:
            return None
        peers = (NAKED, RAW, *{target.peer for target in targets if target.peer})
        return replace(self, peers=peers, turns=self.turns * self.checked)

    def stands(self, target: Target) -> str:
        """Return what *target* is about."""
        named = target.figure or not target.peer
        return f"{self.name}, {self.figures[target.figure].name}" if named else self.name
