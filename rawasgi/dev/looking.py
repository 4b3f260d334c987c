"""``rawasgi trace``: what an app does under the hood, message by message, in a terminal."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import asdict
from functools import partial
from typing import TextIO
from urllib.parse import urlencode

from rawasgi.asgi import App
from rawasgi.dev.checking import or_none
from rawasgi.dev.client import HTTPClient, connect, lifespan
from rawasgi.dev.live import arrivals, is_url
from rawasgi.dev.personalities import PERSONALITIES
from rawasgi.dev.places import relative
from rawasgi.dev.serving import load
from rawasgi.dev.tracing import Traced, trace

WIDTH = 72  # of the time line
RED, PLAIN = "\x1b[31m", "\x1b[0m"


EPILOG = """\
examples:
  rawasgi trace module:app /stream
  rawasgi trace module:app /stream --leave-after 2 --server hypercorn
  rawasgi trace module:app /rows --query count=10 --stall --seconds 1
  rawasgi trace http://127.0.0.1:8000/stream          what a server that runs sends, and when

exit status: 0; 1 if a rule was broken or the app failed; 2 if it could not be loaded.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    one = commands.add_parser(
        "trace",
        parents=[script_options()],
        help="show every message of one exchange, and when",
        description="Show each message of one exchange: when, how long the app waited for it, and what it broke.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("app", metavar="app|url", help="module:attribute, or the URL of a server that runs")
    one.add_argument("path", nargs="?", default="/")
    one.set_defaults(run=run_trace)


def script_options() -> argparse.ArgumentParser:
    """The options that say what the client does, and as which server we behave."""
    parser = argparse.ArgumentParser(add_help=False)
    add = parser.add_argument
    add("--method", default="GET", help="default: GET")
    add("--query", action="append", default=[], metavar="NAME=VALUE", help="may be given again")
    add("--header", action="append", default=[], type=header, metavar="NAME:VALUE", help="may be given again")
    add("--data", default="", help="the body of the request")
    add("--leave-after", type=int, metavar="N", help="the client leaves after N messages with a body")
    add("--seconds", type=float, default=5.0, help="the client leaves after so long; default: 5")
    add("--stall", action="store_true", help="the client does not read")
    add("--spec", default="2.3", help="spec_version that the server says; default: 2.3")
    add("--server", choices=PERSONALITIES, default="uvicorn", help="as which server behaves; default: uvicorn")
    add("--json", action="store_true", help="a line of JSON a message")
    return parser


def header(text: str) -> tuple[str, str]:
    """What --header says. Raises: ArgumentTypeError."""
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"a header is NAME:VALUE, not {text!r}")
    return name.strip(), value.strip()


def asked(path: str, options: argparse.Namespace) -> str:
    """*path* with the query of *options*, percent-encoded."""
    query = urlencode([each.partition("=")[::2] for each in options.query])
    return path if not query else f"{path}{'&' if '?' in path else '?'}{query}"


def traced(
    app: App, path: str, options: argparse.Namespace, tell: Callable[[Traced], None] = lambda _: None
) -> list[Traced]:
    """What *app* does with the request of *options*; what it raises is in the last entry, and goes no further.

    *tell* is given each message as it happens. Raises: CancelledError if *tell* raises BrokenPipeError, once the app is
    cancelled and has ended.
    """
    found: list[Traced] = []

    async def script() -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()

        def note(each: Traced) -> None:
            found.append(each)
            try:
                tell(each)
            except BrokenPipeError:  # not raised: in the app's send(), it is a client that disconnected
                if not task.cancelling():
                    task.cancel()

        async with lifespan(or_none(app), validated=False) as life:
            client = connect(
                trace(app, note, loop.time),
                options.method,
                asked(path, options),
                body=options.data.encode(),
                headers=options.header,
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


@contextmanager
def own_output() -> Iterator[TextIO]:
    """Standard output for us alone: what the app prints goes to standard error."""
    output = sys.stdout
    with redirect_stdout(sys.stderr):
        yield output


def run_trace(options: argparse.Namespace) -> int:
    """Trace one exchange. Returns: 1 if a rule was broken or the app failed."""
    show = as_json if options.json else partial(line, colour=sys.stdout.isatty())
    with own_output() as output:

        def tell(each: Traced) -> None:
            print(show(each), file=output, flush=True)

        found: list[Traced] = []
        if is_url(options.app):
            for each in arrivals(asked(options.app, options), options):
                found.append(each)
                tell(each)
        else:
            app = loaded(options.app)
            if app is None:
                return 2
            found = traced(app, options.path, options, tell)
    if not options.json:
        print(timeline(found))
    return int(any(each.problem for each in found) or found[-1].what not in ("complete", "client left"))


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


def loaded(name: str, factory: bool = False) -> App | None:
    """Return the app that *name* says, or that the function there returns; None, and a sentence, if there is none."""
    sys.path.insert(0, "")
    try:
        found = load(name)
        return found() if factory else found  # type: ignore[call-arg, return-value]  # it is no app yet
    except Exception as error:  # of the module's own: nothing of it runs yet
        kind = "" if isinstance(error, ImportError | AttributeError | ValueError) else f"{type(error).__name__}: "
        print(f"cannot load {name!r}: {kind}{error}", file=sys.stderr)
        return None


def file_of(name: str) -> str:
    """Return the file of the module in *name*, which is loaded; an empty text if it has none."""
    file = getattr(sys.modules.get(name.partition(":")[0]), "__file__", None)
    return relative(file) if file else ""
