"""``rawasgi serve``: run an app by a server so that it stops without breaking anything off.

uvicorn and granian are started by their own command lines, with the app drained in between (``rawasgi.dev.drained``):
they hand the signal on to it. Hypercorn's workers get no signal, so it runs in this process, and is told by its own
``shutdown_trigger``.
"""

import argparse
import asyncio
import gc
import importlib
import importlib.util
import os
import signal
import sys
from typing import Any, NoReturn

from rawasgi.asgi import App
from rawasgi.shutdown import Drain

SERVERS = ("uvicorn", "hypercorn", "granian")
APP = "RAWASGI_APP"  # the environment's name for what rawasgi.dev.drained drains

DESCRIPTION = """\
Serve an app so that it stops well: on SIGTERM or Ctrl-C open streams say good-bye in their own format (an event stream
says in retry when to come back), websockets are closed with 1012, new requests get 503 and Retry-After, clean-up is
awaited, and the process ends.
"""
EPILOG = """\
examples:
  rawasgi serve module:app
  rawasgi serve module:app --server granian --port 9000
  rawasgi serve module:app -- --workers 4            what follows -- goes to the server (not hypercorn)
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="run an app so that it stops without breaking anything off",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("app", help="module:attribute")
    parser.add_argument("--server", choices=SERVERS, default="uvicorn", help="default: uvicorn")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal. Returns: the exit status, if the server does not replace this process."""
    if importlib.util.find_spec(options.server) is None:
        print(f"{options.server} is not installed: pip install 'rawasgi[{options.server}]'", file=sys.stderr)
        return 1
    sys.path.insert(0, os.getcwd())  # as the servers' own commands do
    try:
        load(options.app)
    except (ImportError, AttributeError, ValueError) as error:
        print(f"cannot serve {options.app!r}: {error}", file=sys.stderr)
        return 1
    if options.server == "hypercorn":
        if options.rest:
            print(f"hypercorn runs here without a command line: {' '.join(options.rest)} is lost", file=sys.stderr)
            return 2
        return _hypercorn(options)
    address = ["--host", options.host, "--port", str(options.port)]
    # Granian takes no more than 1024 exchanges at once by itself: for streams, that is a bound on the clients.
    granian = ["--interface", "asgi", "--backlog", "16384", "--backpressure", "16384"]
    kind = granian if options.server == "granian" else ["--app-dir", os.getcwd()]
    _become(options.app, [options.server, *kind, *address, *options.rest, "rawasgi.dev.drained:app"])


def load(name: str) -> App:
    """Return the app that *name* says, as ``module:attribute``. Raises: ValueError, ImportError, AttributeError."""
    module, colon, attribute = name.partition(":")
    if not module or not colon or not attribute:
        raise ValueError("it must be module:attribute")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise ValueError(f"it must be an ASGI app, not {found!r}")
    app: App = found
    return app


def collect_less() -> None:
    """Let Python look for cycles less often, and not in what is loaded now.

    What waits is some hundred objects a stream. By its defaults Python looks through all of them every few events that
    go to 10,000 followers, for 0.8 s each time: an event cost the server 1.3 s of processor, and so 0.7 s.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)


def _become(app: str, command: list[str]) -> NoReturn:
    path = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, APP: app, "PYTHONPATH": path}
    os.execve(sys.executable, [sys.executable, "-m", *command], environment)


def _hypercorn(options: argparse.Namespace) -> int:
    from hypercorn.asyncio import serve  # an extra
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"{options.host}:{options.port}"]
    config.graceful_timeout = 30.0  # for what is no stream: streams and websockets end at once
    drain = Drain()
    app: Any = drain(load(options.app))
    collect_less()

    async def main() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            # not the loop's own handlers, which may miss a signal: see rawasgi.shutdown
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))

        async def stopped() -> None:
            await stop.wait()
            drain.begin()

        await serve(app, config, shutdown_trigger=stopped)
        await drain.wait()
        return 0

    return asyncio.run(main())
