"""The command: ask the questions, print the tables, keep the figures."""

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    blocking,
    burst,
    chunks,
    compressed,
    compressed_idle,
    crowd,
    crowds,
    fairness,
    fanout,
    file,
    held,
    idle,
    instructions,
    items,
    keeping,
    ndjson,
    neighbours,
    paced,
    peers,
    plain,
    readme,
    report,
    routes,
    rows,
    running,
    scale,
    serving,
    short,
    sse,
    startup,
)
from benchmarks.clients import Unexpected
from benchmarks.keeping import Kept
from benchmarks.question import Question

QUESTIONS: dict[str, Question] = {
    module.QUESTION.name: module.QUESTION
    for module in (
        *(burst, chunks, short, paced, sse, ndjson, items, rows, blocking, neighbours, file, plain, routes),
        *(idle, held, crowd, scale, fanout, compressed, compressed_idle, startup, fairness),
        instructions,
    )
}
RESULTS = Path(__file__).parent / "results"

DESCRIPTION = """\
Measure rawasgi ("raw") against hand-written ASGI ("naked", 1.00 in every table) and its peers.

"""
EPILOG = """\
examples:
  python -m benchmarks --quick                       a first look, in less than three minutes
  python -m benchmarks --check                       whether the targets are reached: asks only what they are about
  python -m benchmarks --only paced --rounds 9       one question, more often
  python -m benchmarks --peers fastapi,litestar      beside naked and raw, only these
  python -m benchmarks --server hypercorn            on another server
  python -m benchmarks --report results/X.json       draw the tables and plots of a run again, without running
  python -m benchmarks --report X.json --readme      the same, and write them into the README files

exit status: 0; 1 if --check finds a target that was missed and has no reason, or a bound that does not hold, with a
sentence for each; 2 if nothing could be measured: a server did not start, or raw did not send what naked sends.
Figures, tables and plots are kept in benchmarks/results/.
"""


def parser() -> argparse.ArgumentParser:
    names = "\n".join(f"  {question.name:16} {question.text}" for question in QUESTIONS.values())
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=DESCRIPTION + "questions:\n" + names + f"\n\npeers:\n  {' '.join(peers.PEERS)}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--quick", action="store_true", help="less of everything: shows where things stand, not by how many per cent")
    add("--check", action="store_true", help="only what has a target; exit with 1 if one is missed without a reason")
    add("--only", metavar="NAME", action="append", choices=[*QUESTIONS], help="one question; may be given again")
    add("--peers", metavar="A,B", type=_peers, default=[*peers.PEERS], help="who is measured beside naked and raw")
    add("--json", action="store_true", help="print the figures as JSON instead of the tables")
    add("--server", choices=[*serving.SERVERS], default="uvicorn", help="default: uvicorn")
    add("--rounds", type=_count, metavar="N", help="how often to start anew; default 5, with --check 3, with --quick 1")
    add("--report", type=Path, metavar="FILE", help="no run: tables and plots of an earlier one")
    add("--readme", action="store_true", help="write them into the README files, too; with --report")
    return result


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {count}")
    return count


def _peers(text: str) -> list[str]:
    wanted = {peers.NAKED, peers.RAW, *text.split(",")}
    if unknown := wanted - peers.PEERS.keys():
        raise argparse.ArgumentTypeError(f"must be of {', '.join(peers.PEERS)}, not {', '.join(sorted(unknown))}")
    return [name for name in peers.PEERS if name in wanted]


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.report:
        kept = keeping.load(options.report, QUESTIONS)
        status = _show(options.report, kept, options)
        return _written(kept) or status if options.readme else status
    if options.readme:
        parser().error("--readme must have a run to tell of: --report FILE")
    questions = [question for question in QUESTIONS.values() if _wanted(question, options)]
    if options.check:
        questions = [needed for question in questions if (needed := question.to_check(options.server))]
    rounds: int = options.rounds or (1 if options.quick else 3 if options.check else 5)
    began = datetime.now(UTC)
    machine = report.machine()
    crowds.allow_many()
    try:
        results = running.run(questions, options.peers, options.server, rounds, options.quick, _say)
    except Unexpected as error:
        print(error, file=sys.stderr)
        return 2
    kept = Kept(began.isoformat(timespec="seconds"), options.server, options.quick, rounds, machine, results)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{began:%Y%m%d-%H%M%S}-{options.server}.json"
    path.write_text(keeping.dumps(kept, QUESTIONS))
    return _show(path, kept, options)


def _wanted(question: Question, options: argparse.Namespace) -> bool:
    return question.name in options.only if options.only else question.quick or not options.quick


def _show(path: Path, kept: Kept, options: argparse.Namespace) -> int:
    """Print the tables or the figures, draw the report beside *path*, and check if that is asked."""
    questions = [QUESTIONS[name] for name in kept.results]
    if options.json:
        print(keeping.dumps(kept, QUESTIONS), end="")
    else:
        for question in questions:
            print(report.table(question, kept.server, kept.results[question.name], kept.machine))
        print(report.sentence(kept.machine))
        print(report.summary(questions, kept.server, kept.results))
    for sentence in keeping.draw(path, kept, questions):
        _say(sentence)
    failed = report.missed(questions, kept.server, kept.results) if options.check else []
    for sentence in failed:
        print(sentence, file=sys.stderr)
    return 1 if failed else 0


def _written(kept: Kept) -> int:
    """Write the README files; return the exit status."""
    try:
        for sentence in readme.write(kept, QUESTIONS):
            _say(sentence)
    except Unexpected as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda number, _: sys.exit(128 + number))  # else the servers would run on, or a traceback
    sys.exit(main())
