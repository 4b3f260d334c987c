"""What came out: tables, the targets, and the machine it was on."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.question import APPS, NAKED, RAW, Question
from benchmarks.running import Figures

PACKAGES = ("uvicorn", "uvloop", "httptools", "hypercorn", "h11", "fastapi", "starlette")


def speeds(question: Question, figures: dict[str, list[float]], app: str, peer: str) -> list[float]:
    """Return how many times as fast *app* is as *peer*, turn by turn: both in the same minute."""
    return [question.speed(figure, of) for figure, of in zip(figures[app], figures[peer], strict=True)]


def sentences(question: Question, server: str, figures: dict[str, list[float]]) -> list[tuple[bool, str]]:
    """Return for each target whether it was reached, and where raw stands."""
    result = []
    for target in question.targets.get(server, ()):
        speed = median(speeds(question, figures, RAW, target.peer))
        result.append((target.reached(speed), target.say(question.name, speed)))
    return result


def missed(questions: Iterable[Question], server: str, figures: Figures) -> list[str]:
    """Return one sentence for each target that was not reached."""
    return [
        sentence
        for question in questions
        for reached, sentence in sentences(question, server, figures[question.name])
        if not reached
    ]


def table(question: Question, server: str, figures: dict[str, list[float]]) -> str:
    """Return the table of one question in Markdown, and where raw stands below it. Naked is 1.00."""
    count = len(figures[NAKED])
    lines = [
        f"{question.name} on {server}: {question.text} ({question.unit}, {count} times each)",
        "",
        f"| app     | {'median':>8} | {'least to most':>19} | {'times as fast as naked':>22} |",
        "|---------|---------:|--------------------:|-----------------------:|",
    ]
    for app in APPS:
        taken = figures[app]
        spread = f"{_short(min(taken))} to {_short(max(taken))}"
        speed = median(speeds(question, figures, app, NAKED))
        lines.append(f"| {app:7} | {_short(median(taken)):>8} | {spread:>19} | {speed:22.2f} |")
    stands = [sentence for _, sentence in sentences(question, server, figures)]
    return "\n".join([*lines, "", *stands, ""])


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.3f}" if figure < 1 else f"{figure:.2f}"


def machine() -> dict[str, object]:
    """Return where and with what it was measured."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": list(os.getloadavg()),
        **{name: _version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def sentence(described: dict[str, object]) -> str:
    """Return machine() in one line."""
    names: Sequence[str] = ("python", *PACKAGES)
    versions = ", ".join(f"{name} {described[name]}" for name in names if described[name] is not None)
    return f"{versions}; {described['processor']}, {described['cores']} cores, {described['system']}"
