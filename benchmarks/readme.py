"""What the README files say of a run, written from its figures: python -m benchmarks --report FILE --readme.

Between "<!-- figures -->" and "<!-- end of figures -->" README.md and README.zh.md have four figures and two plots, and
between "<!-- run -->" and "<!-- end of run -->" benchmarks/README.md has all the tables. pictures/ has the plots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import plots, report
from benchmarks.clients import Unexpected
from benchmarks.keeping import Kept
from benchmarks.peers import FASTAPI, NAKED, RAW
from benchmarks.question import Question, short

ROOT = Path(__file__).parent.parent
PICTURES = "benchmarks/pictures"
APPS = {NAKED: "", RAW: "rawasgi", "starlette": "Starlette", FASTAPI: "FastAPI"}  # naked: as the page says it
FIGURES = ("burst", "blocking", "fairness", "idle")  # of each the first figure
PLOTS = ("burst", "chunks")


@dataclass(frozen=True, slots=True)
class Page:
    """How a README says it. *rows*: what each of FIGURES is. *plots*: what each of PLOTS shows."""

    by_hand: str
    rows: tuple[str, ...]
    plots: tuple[str, ...]
    ending: str


PAGES = {
    "README.md": Page(
        by_hand="by hand",
        rows=(
            "a chunk that is ready: us",
            "an item of a blocking generator: us",
            "an answer beside a stream that never waits, 99 of 100: ms (given up after 4,000)",
            "an open event stream that is silent: KiB",
        ),
        plots=("A chunk that is ready, against ASGI by hand", "A chunk of 16 B to 1 MiB"),
        ending="{server}, Python {python}, {cores} cores, {date}: {reached} of {asked} targets reached.",
    ),
    "README.zh.md": Page(
        by_hand="手写",
        rows=(
            "一个已就绪的块：微秒",
            "阻塞生成器的一项：微秒",
            "旁边有一个从不等待的流时，100 个回答中第 99 个：毫秒（4,000 后放弃）",
            "一个打开而沉默的事件流：KiB",
        ),
        plots=("一个已就绪的块，与手写 ASGI 相比", "16 B 到 1 MiB 的块"),
        ending="{server}，Python {python}，{cores} 个核，{date}：{reached} / {asked} 个目标达到。",
    ),
}


def write(kept: Kept, questions: Mapping[str, Question], root: Path = ROOT) -> list[str]:
    """Write what the README files of *root* say of *kept*, and the plots; return what to say of it.

    Raises: Unexpected if something is missing in *kept*.
    """
    check(kept)
    shown = [questions[name] for name in kept.results]
    drawn = [question for question in shown if question.name in PLOTS or question.curves]
    folder = root / PICTURES
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for question in drawn:
        (folder / f"{question.name}.svg").write_text(plots.svg(question, kept.results[question.name].samples))
    for name, page in PAGES.items():
        put(root / name, "figures", figures(kept, shown, page))
    put(root / "benchmarks/README.md", "run", run(kept, shown))
    return [f"written: {', '.join([*PAGES, 'benchmarks/README.md'])} and {len(drawn)} plots in {PICTURES}"]


def check(kept: Kept) -> None:
    """Raises: Unexpected unless *kept* is a run that the README files can tell of."""
    if (missing := plots.missing()) is not None:
        raise Unexpected(missing)
    if kept.quick:
        raise Unexpected("the README files tell of a whole run, and this one was quick")
    wanted = {*FIGURES, *PLOTS}
    if lacking := sorted(name for name in wanted if name not in kept.results or not kept.results[name].samples):
        raise Unexpected(f"the README files tell of {', '.join(lacking)}, too, and the run has not")


def put(path: Path, mark: str, text: str) -> None:
    """Write *text* between the marks in the file at *path*. Raises: Unexpected if they are not there, once."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    before = path.read_text()
    if before.count(begin) != 1 or before.count(end) != 1:
        raise Unexpected(f"{path} must have {begin.strip()} and {end} once each")
    head, _, rest = before.partition(begin)
    path.write_text(f"{head}{begin}{text}{end}{rest.partition(end)[2]}")


def figures(kept: Kept, questions: list[Question], page: Page) -> str:
    """Return the four figures and the two plots of a README."""
    names = [f"{name or page.by_hand} {kept.machine.get(app) or ''}".rstrip() for app, name in APPS.items()]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for question, words in zip(FIGURES, page.rows, strict=True):
        samples = kept.results[question].samples
        taken = [report.known(samples.get(app, []), 0) for app in APPS]
        lines.append(f"| {words} | {' | '.join(short(median(one)) if one else '' for one in taken)} |")
    pictures = [f"![{words}]({PICTURES}/{name}.svg)" for name, words in zip(PLOTS, page.plots, strict=True)]
    verdicts = report.all_verdicts(questions, kept.server, kept.results)
    said = page.ending.format(
        server=report.served(kept.server, kept.machine),
        python=kept.machine["python"],
        cores=kept.machine["cores"],
        date=kept.began[:10],
        reached=sum(verdict.reached for verdict in verdicts),
        asked=len(verdicts),
    )
    return "\n".join([*lines, "", said, "", *pictures, ""])


def run(kept: Kept, questions: list[Question]) -> str:
    """Return all the tables, and how long each question took."""
    times = [f"{question.name} {sum(kept.results[question.name].seconds):.0f}" for question in questions]
    whole = sum(sum(kept.results[question.name].seconds) for question in questions)
    rounds = "one round" if kept.rounds == 1 else f"{kept.rounds} rounds"
    parts = [
        f"{kept.began[:10]}, {rounds} on {kept.server}: {report.sentence(kept.machine)}.",
        f"It took {whole / 60:.0f} minutes; in seconds: {', '.join(times)}.",
        f"**{report.summary(questions, kept.server, kept.results)}**",
    ]
    for question in questions:
        if question.curves and kept.results[question.name].samples:
            parts.append(f"![{question.name}]({Path(PICTURES).name}/{question.name}.svg)")
        parts.append(report.table(question, kept.server, kept.results[question.name], kept.machine).rstrip())
    return "\n" + "\n\n".join([*parts, ""])
