"""The command: ask the questions, print the tables, keep the figures."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import burst, file, paced, report, running, short
from benchmarks.clients import Unexpected

QUESTIONS = {question.QUESTION.name: question.QUESTION for question in (burst, paced, short, file)}
RESULTS = Path(__file__).parent / "results"

DESCRIPTION = """\
Measure rawasgi against hand-written ASGI ("naked", 1.00 in every table) and FastAPI.

"""
EPILOG = """\
examples:
  python -m benchmarks --quick                  a first look, in less than a minute
  python -m benchmarks --check                  the whole run, and whether the targets were reached
  python -m benchmarks --only paced --rounds 9  one question, more often
  python -m benchmarks --server hypercorn       on another server

exit status: 0; 1 if --check finds a target that was not reached, with a sentence for each; 2 if nothing could be
measured: a server did not start, or the apps did not send the same bytes. The figures are kept in benchmarks/results/.
"""


def parser() -> argparse.ArgumentParser:
    names = "\n".join(f"  {question.name:7} {question.text}" for question in QUESTIONS.values())
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=DESCRIPTION + "questions:\n" + names,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--quick", action="store_true", help="less of everything: shows where things stand, not by how many per cent")
    add("--check", action="store_true", help="exit with 1 if raw is not as fast as it has to be")
    add("--only", metavar="NAME", action="append", choices=[*QUESTIONS], help="one question; may be given again")
    add("--json", action="store_true", help="print the figures as JSON instead of the tables")
    add("--server", choices=[*running.SERVERS], default="uvicorn", help="default: uvicorn")
    add("--rounds", type=_count, metavar="N", help="how often to start anew; default 5, with --quick 2")
    return result


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {count}")
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    questions = [question for question in QUESTIONS.values() if not options.only or question.name in options.only]
    rounds: int = options.rounds or (2 if options.quick else 5)
    began = datetime.now(UTC)
    machine = report.machine()
    try:
        samples = running.run(questions, options.server, rounds, options.quick, _say)
    except Unexpected as error:
        print(error, file=sys.stderr)
        return 2
    result = {
        "began": began.isoformat(timespec="seconds"),
        "server": options.server,
        "quick": options.quick,
        "rounds": rounds,
        "machine": machine,
        "units": {question.name: question.figures for question in questions},
        "samples": {
            name: {app: [asdict(sample) for sample in taken] for app, taken in apps.items()}
            for name, apps in samples.items()
        },
    }
    text = json.dumps(result, indent=1)
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{began:%Y%m%d-%H%M%S}-{options.server}.json"
    kept.write_text(text + "\n")
    if options.json:
        print(text)
    else:
        for question in questions:
            print(report.table(question, options.server, samples[question.name]))
        print(report.sentence(machine))
    _say(f"the figures are in {kept}")
    failed = report.missed(questions, options.server, samples) if options.check else []
    for sentence in failed:
        print(sentence, file=sys.stderr)
    return 1 if failed else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
