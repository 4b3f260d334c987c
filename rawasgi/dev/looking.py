"""``rawasgi trace``, ``diff`` and ``rules``: what an app does under the hood, in a terminal."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import zip_longest

from rawasgi.asgi import App, Receive, Scope, Send
from rawasgi.dev.client import HTTPClient, connect, lifespan
from rawasgi.dev.exchange import Personality
from rawasgi.dev.serving import load
from rawasgi.dev.tracing import Traced, trace
from rawasgi.dev.validation import rules
from rawasgi.errors import AppError, ServerError

PERSONALITIES = {
    "uvicorn": Personality(),
    "hypercorn": Personality(repeats_disconnect=False),
    "granian": Personality(gives_way=True, holds_start=True),
    "daphne": Personality(repeats_disconnect=False, holds_start=True, window_bytes=1 << 30),
}
WIDTH = 72  # of the time line
RED, PLAIN = "\x1b[31m", "\x1b[0m"


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    looking = argparse.ArgumentParser(add_help=False)
    add = looking.add_argument
    add("--method", default="GET", help="default: GET")
    add("--header", action="append", default=[], metavar="NAME:VALUE", help="may be given again")
    add("--data", default="", help="the body of the request")
    add("--leave-after", type=int, metavar="N", help="the client leaves after N messages with a body")
    add("--seconds", type=float, default=5.0, help="the client leaves after so long; default: 5")
    add("--stall", action="store_true", help="the client does not read")
    add("--spec", default="2.3", help="spec_version that the server says; default: 2.3")
    add("--server", choices=PERSONALITIES, default="uvicorn", help="as which server behaves; default: uvicorn")
    add("--json", action="store_true", help="a line of JSON a message")

    one = commands.add_parser("trace", parents=[looking], help="show every message of one exchange, and when")
    one.add_argument("app", help="module:attribute")
    one.add_argument("path", nargs="?", default="/")
    one.set_defaults(run=run_trace)

    two = commands.add_parser("diff", parents=[looking], help="the same request to two apps, side by side")
    two.add_argument("app", help="module:attribute")
    two.add_argument("other", help="module:attribute")
    two.add_argument("path", nargs="?", default="/")
    two.set_defaults(run=run_diff)

    listed = commands.add_parser("rules", help="list what an app and a server are held to")
    listed.add_argument("--markdown", action="store_true", help="as a table")
    listed.set_defaults(run=run_rules)


def traced(app: App, path: str, options: argparse.Namespace) -> list[Traced]:
    """What *app* does with the request of *options*; what it raises is in the last entry, and goes no further."""
    found: list[Traced] = []

    async def script() -> None:
        loop = asyncio.get_running_loop()
        headers = [tuple(header.split(":", 1)) for header in options.header]
        async with lifespan(_or_none(app), validated=False) as life:
            client = connect(
                trace(app, found.append, loop.time),
                options.method,
                path,
                body=options.data.encode(),
                headers=[(name.strip(), value.strip()) for name, value in headers],
                spec_version=options.spec,
                state=life.state,
                personality=PERSONALITIES[options.server],
                validated=False,
            )
            with suppress(Exception):  # the last entry has it
                async with client:
                    if options.stall:
                        client.stall()
                    await _read(client, options)

    asyncio.run(script())
    return found


def _or_none(app: App) -> App:
    """*app*, for which a lifespan that it refuses is one that it does not have, as for every server."""

    async def living(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except AppError as error:
            raise RuntimeError("no lifespan") from error

    return living


async def _read(client: HTTPClient, options: argparse.Namespace) -> None:
    """Read as *options* say, then leave."""
    count = 0
    with suppress(TimeoutError, EOFError):
        async with asyncio.timeout(options.seconds):
            while not options.stall and count != options.leave_after and await client.chunk():
                count += 1
            if count != options.leave_after:
                await client.finished()
    await client.leave()


# What is printed


def run_trace(options: argparse.Namespace) -> int:
    """Trace one exchange. Returns: 1 if a rule was broken or the app failed."""
    app = _loaded(options.app)
    if app is None:
        return 2
    found = traced(app, options.path, options)
    for each in found:
        print(as_json(each) if options.json else line(each, sys.stdout.isatty()))
    if not options.json:
        print(timeline(found))
    return int(any(each.problem for each in found) or found[-1].what not in ("complete", "client left"))


def run_diff(options: argparse.Namespace) -> int:
    """Trace two apps. Returns: 1 if they differ in what they send."""
    apps = [_loaded(name) for name in (options.app, options.other)]
    if None in apps:
        return 2
    both = [[each for each in traced(app, options.path, options) if each.arrow != "<"] for app in apps if app]
    differ = False
    for one, other in zip_longest(*both):
        same = one is not None and other is not None and _kind(one) == _kind(other)
        mark = " " if same else "!" if not differ else "|"
        differ = differ or not same
        print(f"{_half(one):<58} {mark} {_half(other)}")
    names = ("", options.app, options.other)
    rows = [names, *([name, *values] for name, *values in zip(SUMMARY, *map(summary, both), strict=True))]
    print("\n" + "\n".join(f"{row[0]:<22}{row[1]:>24}{row[2]:>24}" for row in rows))
    return int(differ)


def run_rules(options: argparse.Namespace) -> int:
    """List the rules."""
    faults = {AppError: "app", ServerError: "server"}
    if options.markdown:
        print("| rule | whose | what holds | where it is written |\n|---|---|---|---|")
    for rule in rules():
        whose = next((name for kind, name in faults.items() if issubclass(rule.fault, kind)), "either")
        if options.markdown:
            print(f"| `{rule.id}` | {whose} | {rule.text} | {rule.spec} |")
        else:
            print(f"{rule.id} ({whose})\n    {rule.text}\n    {rule.spec}")
    return 0


def line(each: Traced, colour: bool = False) -> str:
    """Return one message in one line, and below it the rule that it broke."""
    shown = repr(each.first)[1:] if each.first else ""
    size = f"{each.size} B" if each.size else ""
    took = f"{each.took * 1000:.1f} ms" if each.arrow != "=" else ""
    text = f"{each.at * 1000:9.1f} ms {each.arrow} {each.what:<24} {each.detail:<22} {size:>8} {took:>10}  {each.state}"
    if shown:
        text += f"\n{'':14}{shown}"
    if each.problem is not None:
        red, plain = (RED, PLAIN) if colour else ("", "")
        text += f"\n{'':14}{red}broken: {each.problem}{plain}"
    return text.rstrip()


def timeline(found: Sequence[Traced]) -> str:
    """Return when each message came, drawn in characters: one column is a part of the whole time."""
    whole = max((each.at + each.took for each in found), default=0.0) or 1e-9
    rows = []
    for arrow, name in ((">", "sent"), ("<", "received")):
        cells = ["·"] * WIDTH
        for each in found:
            if each.arrow == arrow:
                place = min(int(each.at / whole * WIDTH), WIDTH - 1)
                cells[place] = {"·": "1", "9": "+", "+": "+"}.get(cells[place]) or str(int(cells[place]) + 1)
        rows.append(f"{name:>9} {''.join(cells)}")
    return "\n".join([*rows, f"{'':9} 0 ms{whole * 1000:>{WIDTH - 4}.1f} ms"])


def as_json(each: Traced) -> str:
    return json.dumps({**asdict(each), "first": each.first.decode("utf-8", "replace")}, ensure_ascii=False)


SUMMARY = ("first body byte, ms", "last, ms", "messages with a body", "bytes", "end")


def summary(found: Sequence[Traced]) -> list[str]:
    bodies = [each for each in found if each.size]
    return [
        f"{bodies[0].at * 1000:.1f}" if bodies else "-",
        f"{found[-1].at * 1000:.1f}",
        str(len(bodies)),
        str(sum(each.size for each in bodies)),
        found[-1].what[:22],
    ]


def _kind(each: Traced) -> tuple[str, str, int]:
    return each.what, each.detail.partition(" ")[0], each.size


def _half(each: Traced | None) -> str:
    if each is None:
        return ""
    return (
        f"{each.at * 1000:8.1f} {each.what.removeprefix('http.response.'):<10.30} {each.detail:<22} {each.size or ''}"
    )


def _loaded(name: str) -> App | None:
    sys.path.insert(0, "")
    try:
        return load(name)
    except (ImportError, AttributeError, ValueError) as error:
        print(f"cannot load {name!r}: {error}", file=sys.stderr)
        return None
