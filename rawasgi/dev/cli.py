"""The command ``rawasgi``."""

import argparse
import sys
from collections.abc import Sequence

from rawasgi.dev import checkup, diffing, looking, rulebook, serving
from rawasgi.dev.lifetime import LifespanFailed

EPILOG = """\
examples:
  rawasgi serve module:app                     run it; on Ctrl-C each stream says good-bye
  rawasgi trace module:app /stream             each message: when, how long, in which order, against which rule
  rawasgi diff mine:app theirs:app /stream     the same request to both, side by side
  rawasgi check module:app /stream             leave, stall, cancel, fail: what does it leave behind?
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
    rulebook.add_parser(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; what follows ``--`` is for what it starts. Returns: the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    cut = given.index("--") if "--" in given else len(given)
    top = parser()
    options = top.parse_args(given[:cut], argparse.Namespace(rest=given[cut + 1 :]))
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
