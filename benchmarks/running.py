"""Run the questions: servers of our own, in turn, round after round.

A round starts one server process an app, compares what they send, asks each question of each app in turn, and stops
the servers. So a machine that is slower for a while is so for all of them, and what a process has by chance (where its
memory lies, its hash seed: up to 5 % of a chunk's time) is in the spread. A question about less than that has fresh
processes now and then. Only the app that is being measured has anything to do.

A peer that is not installed, cannot do what is asked, or does not answer what naked answers, is left out of that
question, and the reason is kept beside the figures.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from time import perf_counter

from benchmarks import clients, peers, serving
from benchmarks.clients import Unexpected
from benchmarks.peers import NAKED, NGINX, PEERS, RAW
from benchmarks.question import Question, Sample, Samples, Turn, short
from benchmarks.serving import Served


@dataclass(frozen=True, slots=True)
class Result:
    """What one question gave: the figures, by app, and who was left out, with the reason. *seconds*: what it took."""

    samples: Samples
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)  # a round

    def drop(self, name: str, reason: str) -> None:
        """Leave *name* out. Raises: Unexpected if nothing can be said without it."""
        if name in (NAKED, RAW):
            raise Unexpected(reason)
        self.samples.pop(name, None)
        self.left_out[name] = reason


Say = Callable[[str], None]


def run(
    questions: Sequence[Question], names: Iterable[str], server: str, rounds: int, quick: bool, say: Say
) -> dict[str, Result]:
    """Return what *rounds* rounds give, by question; *say* is told of each figure. Raises: Unexpected."""
    results = {}
    for question in questions:
        whom = [name for name in names if question.peers is None or name in question.peers]
        here, left_out = peers.asked(question.name, whom)
        if (reason := question.missing()) is not None:
            here, left_out = [], dict.fromkeys((*here, *left_out), reason)
        results[question.name] = Result({name: [] for name in here}, left_out)
        for name, reason in left_out.items():
            say(f"{question.name}: {name} is left out: {reason}")
    for number in range(rounds):
        with Servers(server) as servers:
            for question in questions:
                if results[question.name].samples and (question.rounds is None or number < question.rounds):
                    began = perf_counter()
                    _ask(question, results[question.name], servers, number, quick, say)
                    results[question.name].seconds.append(perf_counter() - began)
    return results


def _ask(question: Question, result: Result, servers: "Servers", number: int, quick: bool, say: Say) -> None:
    dropped = set(result.left_out)
    servers.start(result.samples, question.app)
    served, answers = {}, {}
    for name in list(result.samples):
        try:
            served[name] = servers.served(name, question.app)
            answers[name] = clients.read(served[name].port, question.path)
        except (Unexpected, OSError, HTTPException) as error:
            result.drop(name, f"it does not answer: {error!r}")
    for name, reason in differing(answers, question.view).items():
        result.drop(name, reason)
    for turn in range(question.turns):
        if question.fresh and turn % question.fresh == 0:
            served = servers.fresh(result.samples, question.app)
        for name in _turned(list(result.samples), number * question.turns + turn):
            one = Turn(name, served[name], quick, partial(servers.another, name))
            sample = _measured(question, one, say)
            if isinstance(sample, Exception):
                result.drop(name, f"it could not be measured: {sample!r}")
                continue
            result.samples[name].append(sample)
            pairs = zip(sample, question.figures, strict=True)
            told = [f"{short(value)} {figure.name}" for value, figure in pairs if value is not None]
            say(f"{question.name} {number + 1} {name}: {'; '.join(told)}")
    for name in result.left_out.keys() - dropped:
        say(f"{question.name}: {name} is left out: {result.left_out[name]}")


def _measured(question: Question, turn: Turn, say: Say) -> Sample | Exception:
    """Return the figures, or the error, if it fails twice: once must not spoil a run of half an hour."""
    try:
        return question.measure(turn)
    except (Unexpected, OSError) as error:
        say(f"{question.name}: {turn.peer} is measured once more: {error!r}")
    try:
        return question.measure(turn)
    except (Unexpected, OSError) as error:
        return error


def _turned(names: list[str], by: int) -> list[str]:
    """The same order, begun elsewhere: nobody is always the first."""
    by %= len(names)
    return names[by:] + names[:by]


def differing(answers: dict[str, clients.Answer], view: Callable[[clients.Answer], object]) -> dict[str, str]:
    """Return who does not answer what the first of them does, as *view* sees it, with a sentence.

    Raises: Unexpected if the first has nothing to say.
    """
    (first, wanted), *others = answers.items()
    if wanted.status != 200 or not wanted.body:
        raise Unexpected(f"{first} must answer 200 and a body, not {wanted}")
    return {
        name: f"{name} must answer what {first} answers, {wanted}, not {answer}"
        for name, answer in others
        if answer.status != 200 or view(answer) != view(wanted)
    }


class Servers:
    """The servers of a round: those of an app start when they are first wanted, all at once."""

    def __init__(self, server: str) -> None:
        self.server = server
        self._stack = ExitStack()
        self._fresh = self._stack.enter_context(ExitStack())
        self._ready: dict[tuple[str, str], Callable[[], Served]] = {}

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, names: Iterable[str], app: str) -> None:
        """Start the server of each of *names* that does not run yet, and do not wait."""
        for name in names:
            if (name, app) not in self._ready:
                self._ready[name, app] = self._stack.enter_context(self._starting(name, app))

    def _starting(self, name: str, app: str) -> AbstractContextManager[Callable[[], Served]]:
        return serving.nginx() if name == NGINX else serving.starting(self.server, PEERS[name].module, app)

    def fresh(self, names: Iterable[str], app: str) -> dict[str, Served]:
        """Return the server of each of *names*, a process of its own until the next call. Raises: Unexpected."""
        self._fresh.close()
        ready = {name: self._fresh.enter_context(self._starting(name, app)) for name in names}
        return {name: listens() for name, listens in ready.items()}

    def served(self, name: str, app: str) -> Served:
        """Return the server of *name*, which listens. Raises: Unexpected."""
        return self._ready[name, app]()

    def another(self, name: str, app: str = "app") -> AbstractContextManager[Served]:
        """Another server of the same app, while a block runs: for who asks what the others must not feel."""
        return serving.serving(self.server, PEERS[name].module, app)
