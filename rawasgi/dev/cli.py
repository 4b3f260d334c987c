"""The command ``rawasgi``."""

import argparse
import asyncio
import os
import select
import sys
from collections.abc import Sequence
from typing import TextIO

from rawasgi.dev import adopting, checkup, diffing, looking, rulebook, serving
from rawasgi.dev.lifetime import LifespanFailed

EPILOG = """\
examples:
  rawasgi serve module:app                     run it; on Ctrl-C each stream says good-bye
  rawasgi trace module:app /stream             each message: when, how long, in which order, against which rule
  rawasgi diff mine:app theirs:app /stream     the same request to both, side by side
  rawasgi check module:app /stream             leave, stall, cancel, fail: what does it leave behind?
  rawasgi adopt module:app                     the streams of a FastAPI app: what is wrong, which import mends it
  rawasgi rules                                what an app and a server are held to, and where that is written

Each command has a --help of its own. In tests, check is the fixture asgi_check of pytest.
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="rawasgi",
        description="Serve any ASGI app so that it stops well, and look at what it does under the hood.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="command", title="commands")
    serving.add_parser(commands)
    looking.add_parser(commands)
    diffing.add_parser(commands)
    checkup.add_parser(commands)
    adopting.add_parser(commands)
    rulebook.add_parser(commands)
    return top


# What a shell reports of a process that SIGPIPE ended, as it ends most commands. Not 0: what was found is not known.
CLOSED_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; what follows ``--`` is for what it starts. Returns: the exit status.

    141 if the reader of the output has closed its pipe, as ``head`` does. SIGPIPE itself stays ignored, as its default
    would also end a server whose client disconnects.
    """
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except (BrokenPipeError, asyncio.CancelledError, SystemExit):
        closed = [stream for stream in (sys.stdout, sys.stderr) if _is_closed(stream)]
        if not closed:
            raise
        for stream in closed:  # Python flushes both as it exits, and would report what it cannot write
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
        return CLOSED_PIPE


def _is_closed(stream: TextIO) -> bool:
    """Return whether *stream* is a pipe without a reader."""
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    try:
        poll.register(stream, 0)  # an error is reported whatever is asked for
    except (OSError, ValueError):  # no file: as a test captures it
        return False
    return bool(poll.poll(0))


def _run(arguments: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    cut = given.index("--") if "--" in given else len(given)
    top = parser()
    options, more = top.parse_known_args(given[:cut], argparse.Namespace(rest=given[cut + 1 :]))
    if more and hasattr(options, "paths") and not any(each.startswith("-") for each in more):
        options.paths = [*options.paths, *more]  # argparse takes no path that stands behind an option
    elif more:
        top.error(f"unrecognized arguments: {' '.join(more)}")
    if options.command is None:
        top.print_help()
        return 0
    try:
        status: int = options.run(options)
    except LifespanFailed as error:
        print(f"the app could not start or stop: {error}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
