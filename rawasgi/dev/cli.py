"""The command ``rawasgi``."""

import argparse
import sys
from collections.abc import Sequence

from rawasgi.dev import looking, serving


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="rawasgi", description="Serve an app, and look at what it does.")
    commands = top.add_subparsers(dest="command", metavar="command", title="commands")
    serving.add_parser(commands)
    looking.add_parsers(commands)
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
    status: int = options.run(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
