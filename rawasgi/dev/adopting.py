"""``rawasgi adopt``: what an app of FastAPI or Starlette would gain, route by route, and which lines change."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from rawasgi.dev import trial
from rawasgi.dev.findings import Limits
from rawasgi.dev.looking import header, loaded, own_output
from rawasgi.dev.reports import Annotations, Lines, Report, Text, add_outputs, progress
from rawasgi.dev.results import Result, plan_of
from rawasgi.dev.samples import Given
from rawasgi.dev.sarif import Sarif
from rawasgi.dev.surveying import BadUse, Choice, Survey, status

LIMITS = Limits()
STATUSES = """\
exit status: 0 nothing was found; 1 something was; 2 bad use: no such app, path or parameter, or the app did not start;
3 nothing was found, but a route that streams could not be judged: it answered 401, 404 or 422, needs a method that may
change something, or --timeout was over.
"""
DESCRIPTION = """\
Find the routes of a FastAPI or Starlette app that stream, try on each what real clients and servers do (rawasgi check),
and report per route what is wrong, which import mends it, and what remains. A route streams if its declaration or its
code says so, or if a first request shows it. What remains is found by a second check, of the app with those imports
changed: in memory, in a process of its own. No file is written.
"""
EPILOG = f"""\
examples:
  rawasgi adopt module:app
  rawasgi adopt module:app "/items/*" --param id=1 --header "authorization: Bearer ..."
  rawasgi adopt module:app --method POST --data '{{"prompt": "hello"}}' --skip /payments
  rawasgi adopt module:app --sarif > rawasgi.sarif

Only GET and QUERY are called, each some fifty times; other methods may change something, and are called if --method or
--unsafe says so. A required parameter or body that is not given is made from the OpenAPI schema: its example, default
or type.

{STATUSES}"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "adopt",
        help="find what a FastAPI or Starlette app's streams do wrong, and which import mends it",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("app", help="module:attribute")
    parser.add_argument("paths", nargs="*", metavar="path", help="only these routes, as patterns: '/items/*'")
    parser.add_argument(
        "--method", action="append", default=[], type=str.upper, help="call routes of this method, too; may be repeated"
    )
    parser.add_argument("--once", action="store_true", help="do not check again with the changes")
    parser.add_argument(trial.OPTION, action="store_true", help=argparse.SUPPRESS)
    add_request(parser)
    add_limits(parser)
    add_outputs(parser)
    parser.set_defaults(run=run_adopt)


def add_request(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is asked of the routes."""
    add = parser.add_argument
    add("--factory", action="store_true", help="the attribute is a function that returns the app")
    add("--unsafe", action="store_true", help="call the routes of all methods")
    add("--param", action="append", default=[], type=pair, metavar="NAME=VALUE", help="of a path, a query or a header")
    add("--header", action="append", default=[], type=header, metavar="NAME:VALUE", help="may be given again")
    add("--data", help="the body of the requests, other than GET")
    add("--skip", action="append", default=[], metavar="PATTERN", help="leave routes out; may be given again")


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the limits of the checker."""
    add = parser.add_argument
    add("--seconds", type=seconds, default=LIMITS.whole, help="for each exchange, and to return in; default: 2")
    add("--grace", type=seconds, default=LIMITS.grace, help="until all must be cleaned up; default: 1")
    add("--blocked", type=seconds, default=LIMITS.blocked, help="the event loop may be held up for; default: 0.1")
    add("--timeout", type=seconds, help="seconds for all of it; what is left then is not judged; default: none")
    add("--thorough", action="store_true", help="leave at each message and turn of the loop, not only at the first")


def pair(text: str) -> tuple[str, str]:
    """Read what --param says. Raises: ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"a parameter is NAME=VALUE, not {text!r}")
    return name, value


def seconds(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"must be more than 0, not {text}")
    return number


def given_of(options: argparse.Namespace) -> Given:
    data = None if options.data is None else options.data.encode()
    return Given(dict(options.param), options.header, data)


def limits_of(options: argparse.Namespace) -> Limits:
    return Limits(options.seconds, options.grace, options.blocked)


def report_of(options: argparse.Namespace) -> type[Report]:
    """Return the form of the report that is asked for."""
    return Lines if options.json else Sarif if options.sarif else Annotations if options.github else Text


def run_adopt(options: argparse.Namespace) -> int:
    """Check the routes that stream. Returns: the exit status."""
    if options.changed:
        trial.install(sys.stdin.read())
    choice = Choice(options.paths, options.skip, options.method, options.unsafe)
    return run_survey(options, choice, is_tried=not (options.once or options.changed))


def run_survey(options: argparse.Namespace, choice: Choice, is_tried: bool = False) -> int:
    """Check the routes of *choice*, with *is_tried* also after their changes, and report. Returns: the exit status."""
    end = time.monotonic() + (options.timeout or float("inf"))
    app = loaded(options.app, options.factory)
    if app is None:
        return 2
    with own_output() as output:
        report = report_of(options)(output)
        survey = Survey(
            app, options.app, choice, given_of(options), limits_of(options), report, options.timeout, options.thorough,
            is_tried,
        )  # fmt: skip
        try:
            results, unread = asyncio.run(survey.run())
        except BadUse as error:
            print(error, file=sys.stderr)
            return 2
        if is_tried:
            _try_changes(options, results, end)
            for result in results:
                if result.verdict == "faults":
                    report.judged(result)
        found = status(results)
        report.end(results, unread, found)
    return found


def _try_changes(options: argparse.Namespace, results: Sequence[Result], end: float) -> None:
    """Check what has faults again with its changes, if there are any."""
    edits = plan_of(results).edits
    faulty = [result for result in results if result.verdict == "faults" and result.plan.names]
    if edits:
        try:
            trial.check_again(options, faulty, edits, end)
        except trial.NotTried as error:
            print(f"the changes must be tried to know what remains, which failed: {error}", file=sys.stderr)
        progress("")
