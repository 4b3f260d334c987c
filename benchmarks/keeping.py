"""A run on disk: its figures as JSON, from which tables and plots can be drawn at any time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import plots, report
from benchmarks.question import Question, Samples
from benchmarks.running import Result


@dataclass(frozen=True, slots=True)
class Kept:
    """A run. *began*: in ISO 8601, UTC."""

    began: str
    server: str
    quick: bool
    rounds: int
    machine: dict[str, object]
    results: dict[str, Result]


def dumps(kept: Kept, questions: Mapping[str, Question]) -> str:
    """Return *kept* as JSON, with the names of the figures."""
    described = {
        name: {
            "figures": [figure.name for figure in questions[name].figures],
            "samples": result.samples,
            "left_out": result.left_out,
            "seconds": [round(taken, 1) for taken in result.seconds],
        }
        for name, result in kept.results.items()
    }
    head = {"began": kept.began, "server": kept.server, "quick": kept.quick, "rounds": kept.rounds}
    return json.dumps({**head, "machine": kept.machine, "results": described}, indent=1, ensure_ascii=False) + "\n"


def load(path: Path, questions: Mapping[str, Question]) -> Kept:
    """Return the run kept at *path*, without the questions that are not there any more, or measure other things now."""
    run = json.loads(path.read_text())
    results = {
        name: Result(_samples(kept["samples"]), kept["left_out"], kept.get("seconds", []))
        for name, kept in run["results"].items()
        if name in questions and kept["figures"] == [figure.name for figure in questions[name].figures]
    }
    return Kept(run["began"], run["server"], run["quick"], run["rounds"], run["machine"], results)


def _samples(kept: dict[str, list[list[float | None]]]) -> Samples:
    return {app: [tuple(one) for one in taken] for app, taken in kept.items()}


def draw(path: Path, kept: Kept, questions: Sequence[Question]) -> list[str]:
    """Write the report of *kept* beside *path*, and its plots into a folder of that name; return what to say of it."""
    folder = path.with_suffix("")
    missing = plots.missing()
    parts = [f"# {kept.server}, {kept.began}{', quick' if kept.quick else ''}", "", report.sentence(kept.machine), ""]
    for question in questions:
        result = kept.results[question.name]
        if missing is None and report.ordered(question, result.samples):
            folder.mkdir(exist_ok=True)
            (folder / f"{question.name}.svg").write_text(plots.svg(question, result.samples))
            parts += [f"![{question.name}]({folder.name}/{question.name}.svg)", ""]
        parts.append(report.table(question, kept.server, result, kept.machine))
    parts += [report.summary(questions, kept.server, kept.results), ""]
    text = path.with_suffix(".md")
    text.write_text("\n".join(parts))
    return [f"the figures are in {path}, the report in {text}", *([] if missing is None else [missing])]
