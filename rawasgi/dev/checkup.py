"""``rawasgi check``: run the checker on an app, and say what it found."""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import TextIO

from rawasgi.asgi import App
from rawasgi.dev.checking import FAULTS, Finding, Limits, Target, check
from rawasgi.dev.looking import header, loaded, own_output
from rawasgi.streams import owned

LIMITS = Limits()

DESCRIPTION = """\
Try what real clients and servers do, on any ASGI app, and report what it does wrong: the client leaves before the
start, at each message, or stops reading; send raises OSError; receive blocks after the disconnect; the server cancels
the call; a source fails. Everything runs in this process; the app's lifespan is run around it.
"""
EPILOG = """\
examples:
  rawasgi check module:app /stream
  rawasgi check module:app "/rows?count=10" /events --grace 0.2
  rawasgi check module:app /upload --method POST --data '{"a": 1}' --header content-type:application/json
  rawasgi check module:app --json | jq .id
  rawasgi check --faults

exit status: 0; 1 if something was found; 2 if the app could not be loaded or did not start.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "check",
        help="find what an app does wrong when clients leave, stall, or are many",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("app", nargs="?", help="module:attribute")
    add("paths", nargs="*", default=["/"], metavar="path", help="default: /")
    add("--method", default="GET", help="default: GET; WS: a websocket")
    add("--header", action="append", default=[], type=header, metavar="NAME:VALUE", help="may be given again")
    add("--data", default="", help="the body of the request")
    add("--seconds", type=_seconds, default=LIMITS.whole, help="for each exchange, and to return in; default: 2")
    add("--grace", type=_seconds, default=LIMITS.grace, help="until all must be cleaned up; default: 1")
    add("--blocked", type=_seconds, default=LIMITS.blocked, help="the event loop may be held up for; default: 0.1")
    add("--thorough", action="store_true", help="leave at each message and turn of the loop, not only at the first")
    add("--json", action="store_true", help="a line of JSON for each finding, and one of a summary")
    add("--faults", action="store_true", help="list what is looked for")
    parser.set_defaults(run=run_check)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"must be more than 0, not {text}")
    return seconds


def run_check(options: argparse.Namespace) -> int:
    """Check an app. Returns: 1 if something was found."""
    if options.faults:
        print("\n".join(f"{id}\n    {text}" for id, text in FAULTS.items()))
        return 0
    if options.app is None:
        print("check needs an app, as module:attribute; see rawasgi check --help", file=sys.stderr)
        return 2
    app = loaded(options.app)
    if app is None:
        return 2
    targets = [Target(path, options.method.upper(), options.header, options.data.encode()) for path in options.paths]
    limits = Limits(options.seconds, options.grace, options.blocked)
    with own_output() as output:
        say = _lines(output) if options.json else _Page(output).say
        counts = asyncio.run(_check(app, targets, limits, options.thorough, say))
        if options.json:
            print(json.dumps({"summary": {"paths": len(targets), "findings": counts}}), file=output)
        else:
            print(summary(counts, len(targets)), file=output)
    return int(bool(counts))


async def _check(
    app: App, targets: list[Target], limits: Limits, thorough: bool, say: Callable[[Finding], None]
) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for number, target in enumerate(targets, 1):
        _progress(f"{number}/{len(targets)} {target}")
        async with owned(check(app, target, limits=limits, thorough=thorough)) as findings:
            async for finding in findings:
                counts[finding.id] += 1
                _progress("")
                say(finding)
    _progress("")
    return dict(counts)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _lines(output: TextIO) -> Callable[[Finding], None]:
    def say(finding: Finding) -> None:
        print(json.dumps(asdict(finding), ensure_ascii=False), file=output, flush=True)

    return say


class _Page:
    """Findings for people: below each path, what was found, and what showed it."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._path = ""

    def say(self, finding: Finding) -> None:
        if finding.path != self._path:
            self._path = finding.path
            print(finding.path, file=self._output)
        print(
            f"  {finding.id}: {finding.what}\n      when {finding.probe} ({finding.server})",
            file=self._output,
            flush=True,
        )


def summary(counts: dict[str, int], paths: int) -> str:
    """Return what was found, in a sentence, and what each of it means."""
    where = f"{paths} path{'s' * (paths != 1)}"
    if not counts:
        return f"{where}: nothing found"
    lines = [f"{count:4} {id}: {FAULTS.get(id, 'see rawasgi rules')}" for id, count in sorted(counts.items())]
    return "\n".join([f"{where}: {sum(counts.values())} found", *lines])
