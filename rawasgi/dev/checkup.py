"""``rawasgi check``: run the checker on paths of an app, or on all of its routes, and report what it finds."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from rawasgi.asgi import App
from rawasgi.dev.adopting import (
    STATUSES,
    add_limits,
    add_request,
    given_of,
    limits_of,
    report_of,
    run_survey,
)
from rawasgi.dev.checking import Session
from rawasgi.dev.findings import FAULTS, Target
from rawasgi.dev.looking import file_of, loaded, own_output
from rawasgi.dev.reports import Report, add_outputs, progress
from rawasgi.dev.results import Result
from rawasgi.dev.routes import route_at, routes
from rawasgi.dev.surveying import Choice, check_into

DESCRIPTION = """\
Try what real clients and servers do, on any ASGI app, and report what it does wrong: the client leaves before the
start, at each message, or stops reading; send raises OSError; receive blocks after the disconnect; the server cancels
the call; a source fails. Everything runs in this process; the app's lifespan is run around it.
"""
EPILOG = f"""\
examples:
  rawasgi check module:app /stream
  rawasgi check module:app "/rows?count=10" /events --grace 0.2
  rawasgi check module:app /upload --method POST --data '{{"a": 1}}' --header content-type:application/json
  rawasgi check module:app --all --param id=1 --skip "/admin/*"
  rawasgi check module:app --json | jq .id
  rawasgi check --faults

A path that is answered 400 or more is not judged, and the status is 2, unless --expect names that answer. --all checks
each route of a FastAPI, Starlette or rawasgi.Router app, as rawasgi adopt does with those that stream.

{STATUSES}"""


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
    add("paths", nargs="*", metavar="path", help="default: /; with --all a pattern: '/items/*'")
    add("--all", action="store_true", help="check all routes of the app")
    add("--method", type=str.upper, help="default: GET; WS: a websocket; with --all: called beside GET")
    add("--expect", type=int, metavar="STATUS", help="the status that each path must answer; default: any below 400")
    add_request(parser)
    add_limits(parser)
    add_outputs(parser)
    add("--faults", action="store_true", help="list what is looked for")
    parser.set_defaults(run=run_check)


def run_check(options: argparse.Namespace) -> int:
    """Check an app. Returns: the exit status."""
    if options.faults:
        print("\n".join(f"{id}\n    {text}" for id, text in FAULTS.items()))
        return 0
    if options.app is None:
        print("check needs an app, as module:attribute; see rawasgi check --help", file=sys.stderr)
        return 2
    if options.all:
        methods = [options.method] if options.method else []
        return run_survey(options, Choice(options.paths, options.skip, methods, options.unsafe, streams=False))
    for name in ("unsafe", "param", "skip"):
        if getattr(options, name):
            print(f"--{name} is for --all: without it, the paths and --method say what is asked", file=sys.stderr)
            return 2
    app = loaded(options.app, options.factory)
    if app is None:
        return 2
    given = given_of(options)
    targets = [
        Target(path, options.method or "GET", given.headers, given.data or b"", options.expect)
        for path in options.paths or ["/"]
    ]
    with own_output() as output:
        report = report_of(options)(output)
        results = asyncio.run(_check(app, targets, options, report))
        status = 1 if any(each.findings for each in results) else 2 if _unjudged(results) else 0
        report.end(results, [], status)
        for result in _unjudged(results):
            print(result.reason, file=sys.stderr)
    return status


def _unjudged(results: Sequence[Result]) -> list[Result]:
    return [each for each in results if each.verdict == "unjudged"]


async def _check(app: App, targets: Sequence[Target], options: argparse.Namespace, report: Report) -> list[Result]:
    found = routes(app).found
    module = file_of(options.app)
    results = [
        Result(str(each), route=route_at(found, each.method, each.path), listed=False, module=module)
        for each in targets
    ]
    try:
        async with asyncio.timeout(options.timeout):
            async with Session(app, limits_of(options), options.thorough) as session:
                for number, (result, target) in enumerate(zip(results, targets, strict=True), 1):
                    progress(f"{number}/{len(targets)} {target}")
                    await check_into(result, session, target, report)
                    progress("")
                    report.judged(result)
    except TimeoutError:
        progress("")
        for result in results:
            if result.end(options.timeout):
                report.judged(result)
    return results
